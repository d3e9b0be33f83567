// X.509 certificates as a Teleport host authority issues them (subject attributes, extensions and their order were
// read off certificates of 18.0.0). The DER comes from der.ts, keys and signatures from node:crypto.

import {createHash, createPublicKey, type KeyObject, randomBytes, sign} from 'node:crypto';
import {isIP} from 'node:net';
import {addressBytes} from './address.js';
import {
  bits,
  type Der,
  encode,
  implicit,
  integer,
  nothing,
  octetString,
  octets,
  oid,
  pem,
  raw,
  sequence,
  set,
  tagged,
  text,
  time,
  yes,
} from './der.js';

const ATTRIBUTE = {
  commonName: '2.5.4.3',
  serialNumber: '2.5.4.5',
  locality: '2.5.4.7',
  street: '2.5.4.9',
  organization: '2.5.4.10',
  postalCode: '2.5.4.17',
  teleportCluster: '1.3.9999.1.7',
  impersonator: '1.3.9999.2.7',
  systemRole: '1.3.9999.2.11',
  privateKeyPolicy: '1.3.9999.1.15',
  userType: '1.3.9999.1.20',
} as const;

/** A distinguished name: its attributes in order; several values of one attribute share a set. */
export type Name = readonly (readonly [keyof typeof ATTRIBUTE, string | readonly string[]])[];

/** An issuer: its key, its name and the identifier of its key. */
export interface Issuer {
  readonly key: KeyObject;
  readonly name: Name;
}

export interface LeafRequest {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  /** DNS names and IP addresses, told apart by their form. */
  readonly names: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
}

export const TEN_YEARS = 3650 * 24 * 3600 * 1000;

/** The name of an authority: organisation and common name are the cluster, the serial number tells generations apart. */
export function authorityName(cluster: string): Name {
  const serial = BigInt(`0x${randomBytes(16).toString('hex')}`).toString();
  return [
    ['organization', cluster],
    ['commonName', cluster],
    ['serialNumber', serial],
  ];
}

/** A self-signed authority, PEM, valid for ten years. */
export function issueAuthority(issuer: Issuer, now: Date): string {
  const publicKey = createPublicKey(issuer.key);
  const usage = 0x86 | (publicKey.asymmetricKeyType === 'rsa' ? 0x20 : 0);
  return issue(issuer, {
    subject: issuer.name,
    publicKey,
    validFrom: now,
    validTo: new Date(now.getTime() + TEN_YEARS),
    extensions: [
      extension('2.5.29.15', bits(Uint8Array.of(usage), 1), true),
      extension('2.5.29.19', sequence(yes()), true),
      extension('2.5.29.14', octetString(keyIdentifier(publicKey))),
    ],
  });
}

/** A certificate for TLS in both directions, PEM. */
export function issueLeaf(issuer: Issuer, request: LeafRequest): string {
  const rsa = request.publicKey.asymmetricKeyType === 'rsa';
  const both = sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'));
  const authority = sequence(implicit(0, keyIdentifier(createPublicKey(issuer.key))));
  const extensions = [
    extension('2.5.29.15', bits(Uint8Array.of(rsa ? 0xa0 : 0x80), rsa ? 5 : 7), true),
    extension('2.5.29.37', both),
    extension('2.5.29.19', sequence(), true),
    extension('2.5.29.35', authority),
  ];
  if (request.names.length > 0) extensions.push(extension('2.5.29.17', alternativeNames(request.names)));
  return issue(issuer, {...request, extensions});
}

function issue(
  issuer: Issuer,
  certificate: Omit<LeafRequest, 'names'> & {readonly extensions: readonly Der[]},
): string {
  const algorithm = signatureAlgorithm(issuer.key);
  const body = sequence(
    tagged(0, integer(Uint8Array.of(2))),
    integer(randomBytes(16)),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(certificate.validFrom), time(certificate.validTo)),
    distinguishedName(certificate.subject),
    raw(certificate.publicKey.export({type: 'spki', format: 'der'})),
    tagged(3, sequence(...certificate.extensions)),
  );
  const hash = issuer.key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  const signature = sign(hash, encode(body), issuer.key);
  return pem('CERTIFICATE', encode(sequence(body, algorithm, bits(signature))));
}

function signatureAlgorithm(key: KeyObject): Der {
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return sequence(oid('1.2.840.113549.1.1.11'), nothing());
    case 'ec':
      return sequence(oid('1.2.840.10045.4.3.2'));
    case 'ed25519':
      return sequence(oid('1.3.101.112'));
    default:
      throw new Error(`no signature algorithm for ${key.asymmetricKeyType} keys`);
  }
}

function distinguishedName(name: Name): Der {
  return sequence(
    ...name.map(([attribute, values]) => {
      const members = [values].flat().map((value) => sequence(oid(ATTRIBUTE[attribute]), text(value)));
      // DER wants the members of a set in the order of their bytes.
      return set(...members.sort((a, b) => Buffer.compare(encode(a), encode(b))));
    }),
  );
}

function extension(id: string, value: Der, critical = false): Der {
  return critical ? sequence(oid(id), yes(), octets(value)) : sequence(oid(id), octets(value));
}

function alternativeNames(names: readonly string[]): Der {
  const dns = names.filter((name) => isIP(name) === 0).map((name) => implicit(2, Buffer.from(name)));
  const ips = names.filter((name) => isIP(name) !== 0).map((name) => implicit(7, addressBytes(name)));
  return sequence(...dns, ...ips);
}

/** SHA-1 of the public key's bits (RFC 5280, 4.2.1.2, method 1). */
function keyIdentifier(key: KeyObject): Buffer {
  return createHash('sha1').update(publicBits(key)).digest();
}

function publicBits(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === 'rsa') return key.export({type: 'pkcs1', format: 'der'});
  const spki = key.export({type: 'spki', format: 'der'});
  return spki.subarray(key.asymmetricKeyType === 'ed25519' ? -32 : -65);
}
