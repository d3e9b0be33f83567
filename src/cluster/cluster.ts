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

/** The node's own credential at Auth, and the authorities that Auth is verified against. Kept apart from sshd's keys. */
export interface Identity {
  readonly cluster: string;
  readonly nodeId: string;
  /** PKCS#8 PEM of the TLS key. */
  readonly key: Secret;
  /** PEM of the one client certificate. */
  readonly certificate: string;
  /** PEM of each trusted host authority (active and additional). */
  readonly authorities: readonly string[];
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

/** Keys of one authority, as authorized_keys lines without comment; active first. */
export interface Authority {
  readonly active: readonly string[];
  readonly additional: readonly string[];
}

export interface Node {
  readonly id: string;
  readonly hostname: string;
  /** host:port, IPv6 in brackets. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** "openssh", "teleport" or "". */
  readonly subKind: string;
}

/** What a cluster can be asked. Failures are REFUSED, UNREACHABLE, UNTRUSTED kinds of `Failure`. */
export interface Cluster {
  describe(): Promise<ClusterInfo>;
  /** Spends the token. */
  join(request: JoinRequest): Promise<JoinResult>;
  /** Everything below speaks to Auth as this node; `identity` is what join returned or what the host has stored. */
  as(identity: Identity): Session;
  close(): Promise<void>;
}

export interface Session {
  authority(type: AuthorityType): Promise<Authority>;
  /** One verified host certificate for each given authorized_keys line, in order. */
  certify(request: HostCertificateRequest, hostKeys: readonly string[]): Promise<readonly string[]>;
  /** Nodes whose hostname or address equals one of the given. Reads lag behind writes by up to a second. */
  nodesLike(hostname: string, address: string): Promise<readonly Node[]>;
  /** Returning is the acknowledgement. Auth may replace a loopback or unspecified address by the caller's. */
  putNode(node: Node): Promise<void>;
  /** An absent node is fine. */
  removeNode(id: string): Promise<void>;
}
