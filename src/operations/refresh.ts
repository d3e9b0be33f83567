// What a joined host gets from the cluster with its own identity: the authorities of now, and, for what is due, new
// certificates. A certificate that is still the right one is kept.

import {setTimeout as sleep} from 'node:timers/promises';
import type {Authority, Cluster, HostSession, Identity, Session} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {parseCertificate} from '../ssh/certificate.js';
import {formatPublicKey} from '../ssh/key.js';
import type {Credentials, Wanted} from './credentials.js';
import {type Due, reasonsOf, whatIsDue} from './due.js';

/** The authorities that matter to a host, as the cluster has them now. */
export interface Authorities {
  readonly hosts: Authority;
  readonly users: Authority;
}

export async function askAuthorities(session: Session): Promise<Authorities> {
  const [hosts, users] = await Promise.all([session.authority('host'), session.authority('openssh')]);
  return {hosts, users};
}

export interface Contact {
  readonly session: HostSession;
  readonly authorities: Authorities;
}

/**
 * Reaches Auth. A host that was silent since before a rotation began knows none of the authorities that Auth shows by now,
 * although Auth may still accept it: they are then fetched anew under the web certificate and the pins, as at the join
 * (rotation reference A.7).
 */
export async function reach(cluster: Cluster, identity: Identity): Promise<Contact> {
  const session = cluster.as(identity);
  try {
    return {session, authorities: await askAuthorities(session)};
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'CLUSTER_UNTRUSTED') throw error;
    const told = await cluster.hostAuthorities().catch((cause: unknown) => {
      throw unverifiable(error, cause);
    });
    const known = {...identity, authorities: [...new Set([...identity.authorities, ...told.tls])]};
    if (known.authorities.length === identity.authorities.length) throw error;
    const again = cluster.as(known);
    return {session: again, authorities: await askAuthorities(again)};
  }
}

function unverifiable(error: Failure, cause: unknown): Failure {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure(error.code, error.message, {
    detail: [error.detail, `its authorities could not be fetched again either: ${why}`]
      .filter(Boolean)
      .join('\n'),
    hint: 'if the authorities were rotated while this host was off: join again with a token',
    cause: error,
  });
}

export interface Holding {
  readonly identity: Identity;
  /** "type base64" by host key file, as they lie on the host. */
  readonly certificates: ReadonlyMap<string, string>;
}

/** While a phase changes an answer may be half old; the cluster has settled within a second (rotation reference A.4). */
const SETTLING = 1100;
const ATTEMPTS = 3;

/**
 * `fewerNames`: a new certificate may leave out names of the one that it replaces; else that is refused.
 */
export async function refresh(
  {session, authorities}: Contact,
  held: Holding,
  wanted: Wanted,
  fewerNames: boolean,
): Promise<Credentials & {readonly authorities: Authorities}> {
  let told = authorities;
  for (let attempt = 1; ; attempt += 1) {
    const due = whatIsDue(held, told.hosts, wanted);
    const {lines, identity, settled} = await reissue(session, held.identity, due, told.hosts, wanted);
    if (settled || attempt === ATTEMPTS) {
      const certificates = new Map<string, string>();
      for (const {file} of wanted.keys) {
        const line = lines.get(file) ?? held.certificates.get(file);
        certificates.set(file, parseCertificate(line ?? '').line);
      }
      if (!fewerNames) refuseFewerNames(held.certificates, lines);
      return {
        ...credentialsOf(session, identity, told, certificates),
        renewed: reasonsOf(due),
        authorities: told,
      };
    }
    await sleep(SETTLING);
    told = await askAuthorities(session);
  }
}

/** What is on the host, as credentials: for looking, without having anything signed. */
export function credentialsOf(
  session: Session,
  identity: Identity,
  {hosts, users}: Authorities,
  certificates: ReadonlyMap<string, string>,
): Credentials {
  // The union of now is stored at every contact: so this host can verify Auth in every phase to come.
  const authorities = [...hosts.tls.active, ...hosts.tls.additional];
  return {
    identity: {...identity, authorities},
    session,
    certificates,
    userAuthorities: [...users.active, ...users.additional],
    signer: hosts.active[0] ?? '',
    renewed: [],
  };
}

interface Reissued {
  /** New certificates by host key file. */
  readonly lines: ReadonlyMap<string, string>;
  readonly identity: Identity;
  /** True unless the cluster was seen in the middle of a change. */
  readonly settled: boolean;
}

async function reissue(
  session: HostSession,
  identity: Identity,
  due: Due,
  hosts: Authority,
  wanted: Wanted,
): Promise<Reissued> {
  const keys = [...due.certificates.keys()];
  // Auth signs both kinds together: for a new certificate of its own a node asks for one of a key as well, and keeps what it has.
  const asked = keys.length === 0 && due.identity !== undefined ? wanted.keys.slice(0, 1) : keys;
  if (asked.length === 0) return {lines: new Map(), identity, settled: true};
  const {nodeId, nodeName, additionalPrincipals} = wanted;
  const certified = await session.certify(
    {nodeId, nodeName, additionalPrincipals},
    asked.map((key) => formatPublicKey(key.blob)),
  );
  const {ssh, tls} = certified.signers;
  const isActive =
    ssh.every((line) => hosts.active.includes(line)) && tls.every((pem) => isAmong(pem, hosts.tls.active));
  return {
    lines: new Map(keys.map((key, index) => [key.file, certified.certificates[index] ?? ''])),
    identity: certified.identity,
    settled: isActive && ssh.length === 1 && tls.length === 1,
  };
}

const isAmong = (pem: string, list: readonly string[]) => list.some((one) => one.trim() === pem.trim());

/** Names that clients use may be lost on the way, by a change in the cluster: nobody finds out until a login fails. */
function refuseFewerNames(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): void {
  for (const [file, line] of after) {
    const old = namesOf(before.get(file));
    const names = new Set(namesOf(line));
    const lost = old.filter((name) => !names.has(name));
    if (lost.length === 0) continue;
    throw new Failure('REQUEST_REFUSED', `a new certificate would no longer be for ${lost.join(', ')}`, {
      hint: 'nothing was changed; if that is meant, say so with --allow-fewer-names',
    });
  }
}

function namesOf(line: string | undefined): readonly string[] {
  try {
    return line === undefined ? [] : parseCertificate(line).principals;
  } catch {
    return [];
  }
}
