// What a joined host needs signed again. Stateless: it follows from what lies on the host and what the cluster says now,
// so it is right in every phase of a rotation, whatever phases were missed (rotation reference A.7). Pure.

import {X509Certificate} from 'node:crypto';
import type {Authority, Identity} from '../cluster/cluster.js';
import {signerOf} from '../cluster/tls-certificate.js';
import type {HostKey} from '../host/facts.js';
import {type Certificate, parseCertificate} from '../ssh/certificate.js';
import {checkHostCertificate} from '../ssh/certificate-verify.js';
import {fingerprint, parsePublicKey} from '../ssh/key.js';
import {sameBytes} from '../ssh/wire.js';
import {shortType} from './rehearsal.js';
import {dateOf, isEnding} from './status/validity.js';

export interface Due {
  /** Why each of these keys needs a new certificate, in one line; in the order of the keys. */
  readonly certificates: ReadonlyMap<HostKey, string>;
  /** Why this node needs a new certificate for itself. */
  readonly identity: string | undefined;
}

export interface Held {
  /** "type base64" by host key file. */
  readonly certificates: ReadonlyMap<string, string>;
  readonly identity: Pick<Identity, 'certificate'>;
}

export interface Needed {
  readonly keys: readonly HostKey[];
  /** Names the certificates must carry. */
  readonly names: readonly string[];
}

export function whatIsDue(held: Held, hosts: Authority, {keys, names}: Needed, now = new Date()): Due {
  const active = hosts.active.map((line) => parsePublicKey(line).blob);
  const reasons = keys.flatMap((key) => {
    const why = certificateDue(held.certificates.get(key.file), key, active, names, now);
    return why === undefined ? [] : [[key, `${shortType(key.type)}: ${why}`] as const];
  });
  return {certificates: new Map(reasons), identity: identityDue(held.identity.certificate, hosts, now)};
}

/** One line for each thing that is due. */
export function reasonsOf({certificates, identity}: Due): readonly string[] {
  return [
    ...certificates.values(),
    ...(identity === undefined ? [] : [`this node's own certificate: ${identity}`]),
  ];
}

function certificateDue(
  line: string | undefined,
  key: HostKey,
  authorities: readonly Uint8Array[],
  principals: readonly string[],
  now: Date,
): string | undefined {
  if (line === undefined) return 'there is no certificate yet';
  const certificate = readCertificate(line);
  if (certificate === undefined) return 'the certificate cannot be read';
  if (!authorities.some((active) => sameBytes(active, certificate.authority)))
    return `it is signed by ${fingerprint(certificate.authority)}, which the cluster signs with no more`;
  const [problem] = checkHostCertificate(certificate, {authorities, key: key.blob, principals, now});
  if (problem !== undefined) return problem;
  const [from, to] = [dateOf(certificate.validAfter), dateOf(certificate.validBefore)];
  return from && to && isEnding(from, to, now) ? `it ends on ${to.toISOString()}` : undefined;
}

function readCertificate(line: string): Certificate | undefined {
  try {
    return parseCertificate(line);
  } catch {
    return undefined;
  }
}

function identityDue(pem: string, {tls}: Authority, now: Date): string | undefined {
  if (signerOf(pem, tls.active) === undefined)
    return 'it is signed by a key that the cluster signs with no more';
  const {validFrom, validTo} = new X509Certificate(pem);
  return isEnding(new Date(validFrom), new Date(validTo), now) ? `it ends on ${validTo}` : undefined;
}
