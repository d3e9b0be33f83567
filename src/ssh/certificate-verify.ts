// Whether a certificate is genuine, and whether it is the one that was asked for.

import {verify} from 'node:crypto';
import type {Certificate} from './certificate.js';
import {fingerprint, keyType, publicKeyObject} from './key.js';
import {CURVES, isEcdsa, type KeyType} from './key-fields.js';
import {concatBytes, sameBytes, WireReader} from './wire.js';

/** What a host certificate has to be. */
export interface HostExpectation {
  /** Public key blobs of the authorities that may have signed it. */
  readonly authorities: readonly Uint8Array[];
  /** Blob of the host's own public key. */
  readonly key: Uint8Array;
  /** Names that clients dial, as ssh compares them: exactly. */
  readonly principals: readonly string[];
  /** The moment it has to hold; this clock's when absent. */
  readonly now?: Date;
}

// RFC 8332. A Map, because the name that is looked up is whatever the certificate says.
const RSA_HASHES: ReadonlyMap<string, string> = new Map([
  ['rsa-sha2-256', 'sha256'],
  ['rsa-sha2-512', 'sha512'],
]);

const MIN_RSA_BITS = 2048;

/**
 * Whether the authority printed inside has signed it. That says nothing about who the authority is: compare
 * `authority` with the keys you trust. RSA with SHA-1, and RSA authorities under 2048 bits, never verify.
 */
export function verifySignature(certificate: Certificate): boolean {
  return signatureProblem(certificate) === undefined;
}

/** Everything that speaks against a host certificate, in plain words; empty when it is good. */
export function checkHostCertificate(certificate: Certificate, expected: HostExpectation): string[] {
  const {authority, key, type} = certificate;
  const problems: (string | undefined)[] = [
    type === 'host' ? undefined : `it is a ${type} certificate, not a host certificate`,
    expected.authorities.some((trusted) => sameBytes(trusted, authority))
      ? undefined
      : `it is signed by ${fingerprint(authority)}, which is not an authority of the cluster`,
    signatureProblem(certificate),
    sameBytes(expected.key, key)
      ? undefined
      : `it is for the key ${fingerprint(key)}, not for ${fingerprint(expected.key)}`,
    principalProblem(certificate, expected.principals),
    validityProblem(certificate, expected.now ?? new Date()),
    optionProblem(certificate),
  ];
  return problems.filter((problem) => problem !== undefined);
}

function signatureProblem(certificate: Certificate): string | undefined {
  const {authority, signatureAlgorithm: algorithm} = certificate;
  const type = keyType(authority);
  if (algorithm === 'ssh-rsa') return 'it is signed with ssh-rsa (SHA-1), which is not safe';
  if (type === 'ssh-rsa' ? !RSA_HASHES.has(algorithm) : algorithm !== type) {
    return `it says that it is signed with ${JSON.stringify(algorithm)}, which its authority's key cannot do`;
  }
  const bits = publicKeyObject(authority).asymmetricKeyDetails?.modulusLength ?? MIN_RSA_BITS;
  if (bits < MIN_RSA_BITS) return `it is signed by an RSA key of only ${bits} bits`;
  return isSigned(type, certificate) ? undefined : 'its signature is wrong';
}

function isSigned(type: KeyType, certificate: Certificate): boolean {
  const {authority, signatureAlgorithm, signed, signature} = certificate;
  const key = publicKeyObject(authority);
  if (!isEcdsa(type)) return verify(RSA_HASHES.get(signatureAlgorithm) ?? null, signed, key, signature);
  const {hash, size} = CURVES[type];
  const halves = ecdsaHalves(signature, size);
  return halves !== undefined && verify(hash, signed, {key, dsaEncoding: 'ieee-p1363'}, halves);
}

/** r and s, each padded to the size of the curve (IEEE P1363); undefined when they are not two proper integers. */
function ecdsaHalves(signature: Uint8Array, size: number): Uint8Array | undefined {
  try {
    const reader = new WireReader(signature);
    const [r, s] = [reader.mpint(), reader.mpint()];
    reader.end('signature');
    if (r.length > size || s.length > size) return undefined;
    return concatBytes(new Uint8Array(size - r.length), r, new Uint8Array(size - s.length), s);
  } catch {
    return undefined;
  }
}

function principalProblem({principals}: Certificate, wanted: readonly string[]): string | undefined {
  if (principals.length === 0) return 'it names no principals, so clients disagree about what it is good for';
  const missing = wanted.filter((name) => !principals.includes(name));
  return missing.length === 0 ? undefined : `it does not name ${missing.join(', ')}`;
}

function validityProblem({validAfter, validBefore}: Certificate, now: Date): string | undefined {
  const seconds = BigInt(Math.floor(now.getTime() / 1000));
  const clock = `this host's clock says ${now.toISOString()}`;
  if (seconds < validAfter) return `it is not valid before ${describeTime(validAfter)}; ${clock}`;
  return seconds >= validBefore ? `it expired on ${describeTime(validBefore)}; ${clock}` : undefined;
}

// A certificate counts to 2^64 seconds, a Date only to the year 275760.
function describeTime(seconds: bigint): string {
  return seconds > 8_640_000_000_000n ? `second ${seconds}` : new Date(Number(seconds) * 1000).toISOString();
}

/** The ssh client knows no critical option of host certificates and refuses all of them. */
function optionProblem({criticalOptions}: Certificate): string | undefined {
  if (criticalOptions.size === 0) return undefined;
  return `it has critical options that no client knows: ${[...criticalOptions.keys()].join(', ')}`;
}
