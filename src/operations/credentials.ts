// What the cluster gives a host: its identity at Auth, a certificate for each host key, the keys that sign users. By a
// token the first time, by the host's own identity ever after. Nothing is on disk yet when this returns.

import type {Authority, Cluster, HostSession, Identity, Session} from '../cluster/cluster.js';
import type {Proof} from '../cluster/proof.js';
import {Failure, type Secret} from '../errors.js';
import type {HostKey} from '../host/facts.js';
import {parseCertificate} from '../ssh/certificate.js';
import {checkHostCertificate} from '../ssh/certificate-verify.js';
import {formatPublicKey, parsePublicKey} from '../ssh/key.js';

export interface Credentials {
  readonly identity: Identity;
  readonly session: Session;
  /** "type base64" of the certificate by host key file. */
  readonly certificates: ReadonlyMap<string, string>;
  /** Keys of the OpenSSH authority, active first. */
  readonly userAuthorities: readonly string[];
  /** Keys of the host authority that signed, for people to compare. */
  readonly signer: string;
  /** True when everything on the host was still right and nothing was asked to be signed. */
  readonly kept: boolean;
}

export interface Wanted {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly additionalPrincipals: readonly string[];
  /** Names the certificates must carry. */
  readonly names: readonly string[];
  readonly keys: readonly HostKey[];
}

/** First join: spends the token. */
export async function obtain(
  cluster: Cluster,
  right: {readonly token: Secret; readonly proof: Proof},
  wanted: Wanted,
): Promise<Credentials> {
  const [first, ...others] = wanted.keys;
  if (first === undefined) throw new Failure('HOST_UNSUITABLE', 'there is no host key to certify');
  const request = {
    nodeId: wanted.nodeId,
    nodeName: wanted.nodeName,
    additionalPrincipals: wanted.additionalPrincipals,
  };
  const joined = await cluster.join({...request, ...right, hostKey: formatPublicKey(first.blob)});
  const session = cluster.as(joined.identity);
  const [authority, {certificates: lines, identity}] = await Promise.all([
    session.authority('openssh'),
    session.certify(
      request,
      others.map((key) => formatPublicKey(key.blob)),
    ),
  ]);
  const certificates = new Map([[first.file, parseCertificate(joined.certificate).line]]);
  for (const [index, key] of others.entries()) {
    certificates.set(key.file, parseCertificate(lines[index] ?? '').line);
  }
  return {
    identity,
    session,
    certificates,
    userAuthorities: [...authority.active, ...authority.additional],
    signer: formatPublicKey(parseCertificate(joined.certificate).authority),
    kept: false,
  };
}

/** The authorities that matter to a host, as the cluster has them now. */
export interface Authorities {
  readonly hosts: Authority;
  readonly users: Authority;
}

export async function askAuthorities(session: Session): Promise<Authorities> {
  const [hosts, users] = await Promise.all([session.authority('host'), session.authority('openssh')]);
  return {hosts, users};
}

/**
 * A joined host: keeps each certificate that is still the right one (signed by an active key, for this key, with every
 * name) and has the others signed again with the host's own identity.
 */
export async function refresh(
  session: HostSession,
  identity: Identity,
  {hosts, users}: Authorities,
  wanted: Wanted,
  current: ReadonlyMap<string, string>,
): Promise<Credentials> {
  const active = hosts.active.map((line) => parsePublicKey(line).blob);
  const due = wanted.keys.filter((key) => !stillRight(current.get(key.file), key, active, wanted.names));
  const certified =
    due.length > 0
      ? await session.certify(
          {
            nodeId: wanted.nodeId,
            nodeName: wanted.nodeName,
            additionalPrincipals: wanted.additionalPrincipals,
          },
          due.map((key) => formatPublicKey(key.blob)),
        )
      : {certificates: [], identity};
  const certificates = new Map<string, string>();
  for (const key of wanted.keys) {
    const line = due.includes(key) ? certified.certificates[due.indexOf(key)] : current.get(key.file);
    certificates.set(key.file, parseCertificate(line ?? '').line);
  }
  return {
    identity: certified.identity,
    session,
    certificates,
    userAuthorities: [...users.active, ...users.additional],
    signer: hosts.active[0] ?? '',
    kept: due.length === 0,
  };
}

function stillRight(
  line: string | undefined,
  key: HostKey,
  authorities: readonly Uint8Array[],
  principals: readonly string[],
): boolean {
  if (line === undefined) return false;
  try {
    return (
      checkHostCertificate(parseCertificate(line), {authorities, key: key.blob, principals}).length === 0
    );
  } catch {
    return false;
  }
}
