// What a join is about: which node, under which names, at which address. Flags win over what an earlier join of this
// host has stored, so that a second run needs none of them.

import type {Cluster} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import {addressKind, formatAddress, parseAddress} from '../ssh/address.js';
import {checkNodeName} from '../ssh/principals.js';
import type {Admission} from './admission.js';
import type {LabelSource, LabelsFrom} from './labels/source.js';
import type {PamSettings, PamWish} from './pam/settings.js';

/** What the user asked for. Absent means: as before, or the default. */
export interface JoinWish {
  readonly proxy?: string;
  /** By what right; on a joined host only what it cannot do by itself needs one. */
  readonly admission?: Admission;
  /** Why there is none, though one was named. */
  readonly noAdmission?: Failure;
  /** Whether this host is to keep no credential of its own. */
  readonly discardIdentity?: boolean;
  readonly hostname?: string;
  readonly address?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where further labels come from; empty: from nowhere any more. */
  readonly labelSources?: readonly LabelSource[];
  /** What `settleLabels` made of it. */
  readonly labelsFrom?: LabelsFrom;
  readonly additionalPrincipals?: readonly string[];
  readonly config: string;
  readonly dataDir: string;
  readonly register: boolean;
  /** False: sshd is neither checked nor reloaded by us. */
  readonly reload: boolean;
  readonly reloadCommand?: string;
  readonly checkCommand?: string;
  readonly proveLogins: readonly string[];
  readonly dryRun: boolean;
  /** Replace a record that an earlier join of this very host left behind. */
  readonly replace: boolean;
  readonly nodeId?: string;
  /** Leave the configuration alone where somebody has taken our lines out of it; else they are put back. */
  readonly keepDrift?: boolean;
  /** This host has another name than when it joined, and is the same: not a copy of its disk. */
  readonly renamed?: boolean;
  /** New certificates may leave out names of old ones; undefined: only when the names are given anew. */
  readonly fewerNames?: boolean;
  /** Seconds after which the node record ends unless it is renewed; 0: never. */
  readonly expires?: number;
  /** By what the web certificate is trusted from now on. */
  readonly trust?: Trust;
  readonly pam?: PamWish;
  /** False: nothing is tried on a throw-away sshd. */
  readonly rehearse?: boolean;
  /** Another machine does this for the host, which it dials at this address: that is then its own, and it keeps no credential. */
  readonly reachedAt?: string;
  /** Take over what an earlier join by others has left; a host without is refused. */
  readonly adopt?: boolean;
  /** Who runs this: tried by a rehearsal where no login is named. */
  readonly invoker?: string;
}

/** What makes us believe the proxy, beside what the system trusts: needed again when the authorities have all changed. */
export type Trust = {
  /** PEM texts. */
  readonly webAuthorities: readonly string[];
  /** Pins of the host authority, "sha256:HEX". */
  readonly caPins: readonly string[];
};

/** Opens the cluster behind a proxy; `stored`: by what an earlier join of this host has trusted it. */
export type Connect = (proxy: string, stored?: Trust) => Promise<Cluster>;

/** Kept in the ownership record; plain data. */
export interface JoinSettings {
  readonly cluster: string;
  readonly proxy: string;
  readonly nodeId: string;
  readonly hostname: string;
  /** host:port, IPv6 in brackets. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Absent: they were all typed. */
  readonly labelsFrom?: LabelsFrom;
  readonly additionalPrincipals: readonly string[];
  readonly config: string;
  readonly registered: boolean;
  /** Seconds after which the node record ends unless it is renewed; absent: never. */
  readonly expires?: number;
  readonly trust?: Trust;
  /** This host keeps no credential of its own; absent: it does. */
  readonly identity?: 'discarded';
  /** This host was joined before, by others: it is not as before when it leaves. */
  readonly adopted?: true;
  /** What PAM does for us; absent on hosts that joined before it was asked. */
  readonly pam?: PamSettings | 'none';
}

/** Settings before the cluster has been asked; an unspecified address is filled in from what the cluster sees. */
export interface Draft {
  readonly hostname: string;
  readonly address: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly labelsFrom?: LabelsFrom;
  readonly additionalPrincipals: readonly string[];
  readonly expires?: number;
  readonly trust?: Trust;
  readonly identity?: 'discarded';
}

export function draft(wish: JoinWish, stored: JoinSettings | undefined, facts: HostFacts): Draft {
  return {
    hostname: hostnameOf(wish, stored, facts),
    address: addressOf(wish, stored, facts),
    labels: wish.labels ?? stored?.labels ?? {},
    additionalPrincipals: wish.additionalPrincipals ?? stored?.additionalPrincipals ?? [],
    ...optional('labelsFrom', wish.labelsFrom),
    ...optional('expires', (wish.expires ?? stored?.expires) || undefined),
    ...optional('trust', wish.trust ?? stored?.trust),
    ...(discards(wish, stored) && {identity: 'discarded'}),
  };
}

/** Signing for a host leaves nothing that it could speak for itself with. */
function discards(
  {admission, discardIdentity, reachedAt}: JoinWish,
  stored: JoinSettings | undefined,
): boolean {
  const usual = stored === undefined ? reachedAt !== undefined : stored.identity === 'discarded';
  return admission?.by === 'signature' || (discardIdentity ?? usual);
}

function optional<K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> {
  return value === undefined ? {} : ({[key]: value} as Record<K, V>);
}

function hostnameOf(wish: JoinWish, stored: JoinSettings | undefined, facts: HostFacts): string {
  const name = wish.hostname ?? stored?.hostname ?? facts.probe.hostname;
  const problem = checkNodeName(name);
  if (problem === undefined) return name;
  throw new Failure(wish.hostname === undefined ? 'HOST_UNSUITABLE' : 'USAGE', problem, {
    hint: `choose a name with --hostname, for example --hostname ${suggestion(name)}`,
  });
}

function suggestion(name: string): string {
  return name.replace(/[^a-zA-Z0-9.-]+/g, '-').replace(/^[^a-zA-Z0-9]+/, '') || 'web1';
}

function addressOf(wish: JoinWish, stored: JoinSettings | undefined, facts: HostFacts): string | undefined {
  if (wish.address !== undefined) return formatAddress(parseAddress(wish.address, facts.port));
  if (stored !== undefined || wish.reachedAt === undefined) return stored?.address;
  return formatAddress({host: wish.reachedAt, port: facts.port});
}

/** What to say about an address that nobody else can dial. */
export function addressWarning(address: string): string | undefined {
  const {host} = parseAddress(address, 22);
  switch (addressKind(host)) {
    case 'unspecified':
      return `nobody can dial ${address}: the cluster replaces it by the address it sees`;
    case 'loopback':
      return `${address} is a loopback address: the cluster replaces it by the address it sees, and only a proxy on this machine could dial it`;
    case 'link-local':
      return `${address} is a link-local address: a proxy elsewhere cannot dial it`;
    case 'container':
      return `${address} looks like a container's own address: a proxy elsewhere cannot dial it`;
    default:
      return undefined;
  }
}

/** What to say about a name that ssh dials in another form. */
export function nameWarning(hostname: string): string | undefined {
  const lower = hostname.toLowerCase();
  if (hostname === lower) return undefined;
  return `${hostname} has capitals, which ssh lowers and tsh does not: ${lower} is certified too; --hostname ${lower} spares both`;
}

/** Reads back what `JoinSettings` became in the record; undefined when it is not that. */
export function readSettings(data: unknown): JoinSettings | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const value = data as Partial<Record<keyof JoinSettings, unknown>>;
  const texts = ['cluster', 'proxy', 'nodeId', 'hostname', 'address', 'config'] as const;
  if (!texts.every((key) => typeof value[key] === 'string')) return undefined;
  const {additionalPrincipals, labels, identity} = value;
  if (identity !== undefined && identity !== 'discarded') return undefined;
  if (!Array.isArray(additionalPrincipals) || typeof labels !== 'object' || labels === null) return undefined;
  return data as JoinSettings;
}
