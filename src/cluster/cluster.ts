// The port to a Teleport cluster. What comes through it has been verified: a host certificate leaves this folder only
// after its type, signature, key, principals and validity have been checked.

import type {Secret} from '../errors.js';
import type {Proof} from './proof.js';

export type SignatureSuite = 'legacy' | 'balanced-v1' | 'fips-v1' | 'hsm-v1';

export interface ClusterInfo {
  readonly name: string;
  /** Server version, e.g. "18.0.0". */
  readonly version: string;
  readonly suite: SignatureSuite;
  /** host:port of the proxy's web address that was dialled. */
  readonly proxy: string;
  readonly tlsRouting: boolean;
}

/** What is shown to Auth, and the authorities that Auth is verified against. */
export interface Credential {
  readonly cluster: string;
  /** PKCS#8 PEM of the TLS key. */
  readonly key: Secret;
  /** PEM of the one client certificate. */
  readonly certificate: string;
  /** PEM of each trusted host authority (active and additional). */
  readonly authorities: readonly string[];
}

/** The node's own. Kept apart from sshd's keys. */
export interface Identity extends Credential {
  readonly nodeId: string;
}

/** A person's or a bot's. */
export interface UserIdentity extends Credential {
  readonly user: string;
  readonly expires: Date;
}

export interface HostCertificateRequest {
  readonly nodeId: string;
  readonly nodeName: string;
  /** Beyond what Auth adds by itself (id, id.cluster, name, name.cluster, localhost, 127.0.0.1, ::1). */
  readonly additionalPrincipals: readonly string[];
}

export interface JoinRequest extends HostCertificateRequest {
  readonly token: Secret;
  /** What the token's join method wants besides; absent: nothing, method "token". */
  readonly proof?: Proof;
  /** authorized_keys line of the host key that the join itself has certified. */
  readonly hostKey: string;
}

export interface JoinResult {
  readonly identity: Identity;
  /** authorized_keys style line of the host certificate. */
  readonly certificate: string;
  /** authorized_keys lines of the trusted host authorities. */
  readonly hostAuthorities: readonly string[];
}

/** Who signs hosts, who signs the users that sshd sees, and who signs users for the cluster itself. */
export type AuthorityType = 'host' | 'openssh' | 'user';

/** Keys of one authority: active ones sign, additional ones are trusted besides, while the authority is rotated. */
export interface Authority {
  /** SSH keys, authorized_keys lines without comment. */
  readonly active: readonly string[];
  readonly additional: readonly string[];
  /** PEM certificates of the TLS authority, one each; the openssh authority has none. */
  readonly tls: {readonly active: readonly string[]; readonly additional: readonly string[]};
  readonly rotation: Rotation;
}

/** In the order of a rotation; `rollback` may follow on each of the three in the middle, and ends in standby too. */
export const ROTATION_PHASES = ['standby', 'init', 'update_clients', 'update_servers', 'rollback'] as const;

export type RotationPhase = (typeof ROTATION_PHASES)[number];

export interface Rotation {
  readonly phase: RotationPhase;
  /** Of this rotation, or of the last one when the phase is standby; "" when there has never been one. */
  readonly id: string;
  /** "manual" or "auto"; "" when no rotation is under way. */
  readonly mode: string;
  readonly started?: Date;
  readonly graceSeconds?: number;
  /** When an automatic rotation enters its phases. It stays when somebody goes on by hand, and is void then. */
  readonly schedule?: {readonly updateClients?: Date; readonly updateServers?: Date; readonly standby?: Date};
}

/** What Auth has signed. Everything has been verified. */
export interface Certificates {
  /** authorized_keys style lines, one for each host key that was given, in order. */
  readonly certificates: readonly string[];
  /**
   * Who signed. Two of a kind mean that a rotation has changed its phase meanwhile, and one that is not among the active
   * keys that the cluster does not know yet that it has: in both cases ask once more, a second later.
   */
  readonly signers: {
    /** authorized_keys lines. */
    readonly ssh: readonly string[];
    /** PEM; none where no client certificate was signed. */
    readonly tls: readonly string[];
  };
}

/** What a host gets when it asks with its own identity. */
export interface Certified extends Certificates {
  /** The same key with a new certificate, and the authorities of now. Without a host key: the identity as it was. */
  readonly identity: Identity;
}

/** The host authorities as a proxy tells them to anybody. */
export interface ExportedAuthorities {
  /** PEM. During a rotation the active one only: the new one from update_clients on, and never both. */
  readonly tls: readonly string[];
  /** authorized_keys lines, active first. */
  readonly ssh: readonly string[];
}

export interface Node {
  readonly id: string;
  readonly hostname: string;
  /** host:port, IPv6 in brackets. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** "openssh", "teleport" or "". */
  readonly subKind: string;
  /** When the cluster forgets this record; absent: never. One in the past is deleted at once, without an error. */
  readonly expires?: Date;
}

/** What a cluster can be asked. Failures are REFUSED, UNREACHABLE, UNTRUSTED kinds of `Failure`. */
export interface Cluster {
  describe(): Promise<ClusterInfo>;
  /** By the proxy's clock, to the second. */
  now(): Promise<Date>;
  /** Spends the token. */
  join(request: JoinRequest): Promise<JoinResult>;
  /** Trusted for the sake of the web certificate and the pins, like what a join brings; asks no identity. */
  hostAuthorities(): Promise<ExportedAuthorities>;
  /** Keys that sign the users whom sshd sees, as told to anybody, active first: to know them again, not to trust them. */
  userAuthorities(): Promise<readonly string[]>;
  /** Everything below speaks to Auth as this node; `identity` is what join returned or what the host has stored. */
  as(identity: Identity): HostSession;
  /** The same as a person or a bot, and what only they may do. CLUSTER_UNTRUSTED when an authority has no pin. */
  asOperator(identity: UserIdentity): Operator;
  close(): Promise<void>;
}

export interface Session {
  authority(type: AuthorityType): Promise<Authority>;
  /** `hostKeys`: authorized_keys lines. This session goes on with the identity that it has. */
  certify(request: HostCertificateRequest, hostKeys: readonly string[]): Promise<Certificates>;
  /** undefined: there is none. REQUEST_REFUSED when the roles do not show it. */
  node(id: string): Promise<Node | undefined>;
  /** Nodes whose hostname or address equals one of the given. Reads lag behind writes by up to a second. */
  nodesLike(hostname: string, address: string): Promise<readonly Node[]>;
  /** Returning is the acknowledgement. Auth may replace a loopback or unspecified address by the caller's. */
  putNode(node: Node): Promise<void>;
  /** An absent node is fine. */
  removeNode(id: string): Promise<void>;
}

/** A node's own: what it has signed comes with a new certificate for itself. */
export interface HostSession extends Session {
  certify(request: HostCertificateRequest, hostKeys: readonly string[]): Promise<Certified>;
}

export interface TokenWish {
  /** As the cluster spells them: "Node". */
  readonly roles: readonly string[];
  readonly ttlSeconds: number;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface MintedToken {
  readonly value: Secret;
  readonly expires: Date;
}

export interface ProvisionToken {
  /** The value that a host shows to join. */
  readonly name: Secret;
  /** False where the name alone opens nothing, and may be seen. */
  readonly secret: boolean;
  readonly roles: readonly string[];
  readonly joinMethod: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: never. */
  readonly expires?: Date;
}

/** Missing permissions are REQUEST_REFUSED, with a hint that holds the role that would grant them. */
export interface Operator extends Session {
  readonly user: string;
  /** Those that the roles show; none without a word when that is none. */
  nodes(): Promise<readonly Node[]>;
  tokens(): Promise<readonly ProvisionToken[]>;
  /** A token of method "token" with a new value. */
  createToken(wish: TokenWish): Promise<MintedToken>;
  /** False when there was none. */
  removeToken(name: Secret): Promise<boolean>;
}
