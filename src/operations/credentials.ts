// What the cluster gives a host that joins: its identity at Auth, a certificate for each host key, the keys that sign
// users. Nothing is on disk yet when this returns. What comes after the join is in refresh.ts.

import type {Cluster, Identity, Session} from '../cluster/cluster.js';
import type {Proof} from '../cluster/proof.js';
import {Failure, type Secret} from '../errors.js';
import type {HostKey} from '../host/facts.js';
import {parseCertificate} from '../ssh/certificate.js';
import {formatPublicKey} from '../ssh/key.js';

export interface Credentials {
  readonly identity: Identity;
  readonly session: Session;
  /** "type base64" of the certificate by host key file. */
  readonly certificates: ReadonlyMap<string, string>;
  /** Keys of the OpenSSH authority, active first. */
  readonly userAuthorities: readonly string[];
  /** Keys of the host authority that signed, for people to compare. */
  readonly signer: string;
  /** Why something was signed again, a line each; empty when everything on the host was still right. */
  readonly renewed: readonly string[];
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
    renewed: [],
  };
}
