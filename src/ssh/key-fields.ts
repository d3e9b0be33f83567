// What follows the type name in a public key blob, and after the nonce in a certificate: the numbers of the key
// (RFC 4253 section 6.6, RFC 5656 section 3.1, RFC 8709 section 4), here as a JSON Web Key, which node:crypto takes.

import type {JsonWebKey} from 'node:crypto';
import {concatBytes, encodeMpint, encodeString, SshFormatError, type WireReader} from './wire.js';

interface Curve {
  /** Its name in SSH. */
  readonly name: string;
  /** Its name in a JSON Web Key. */
  readonly crv: string;
  /** Bytes of a coordinate, and of each half of a signature. */
  readonly size: number;
  readonly hash: string;
}

/** The three curves of RFC 5656 that every OpenSSH knows, with the hash each signs with. */
export const CURVES = {
  'ecdsa-sha2-nistp256': {name: 'nistp256', crv: 'P-256', size: 32, hash: 'sha256'},
  'ecdsa-sha2-nistp384': {name: 'nistp384', crv: 'P-384', size: 48, hash: 'sha384'},
  'ecdsa-sha2-nistp521': {name: 'nistp521', crv: 'P-521', size: 66, hash: 'sha512'},
} as const satisfies Record<string, Curve>;

export type EcdsaKeyType = keyof typeof CURVES;
export type KeyType = 'ssh-ed25519' | EcdsaKeyType | 'ssh-rsa';

export function isEcdsa(type: string): type is EcdsaKeyType {
  return Object.hasOwn(CURVES, type);
}

export function isKeyType(type: string): type is KeyType {
  return type === 'ssh-ed25519' || type === 'ssh-rsa' || isEcdsa(type);
}

// OpenSSH takes moduli of 1024 to 16384 bits; OpenSSL takes no exponent above 64 bits with a large modulus.
const RSA_BYTES = {min: 128, max: 2048, exponent: 8};

/** Reads the numbers of a key of this type and no further. */
export function readKeyFields(type: KeyType, reader: WireReader): JsonWebKey {
  if (type === 'ssh-ed25519') return readEd25519(reader);
  return type === 'ssh-rsa' ? readRsa(reader) : readEcdsa(CURVES[type], reader);
}

/** The inverse of readKeyFields. */
export function encodeKeyFields(type: KeyType, jwk: JsonWebKey): Uint8Array {
  const [x, y, n, e] = [jwk.x, jwk.y, jwk.n, jwk.e].map((value) => Buffer.from(value ?? '', 'base64url'));
  const none = new Uint8Array();
  if (type === 'ssh-ed25519') return encodeString(x ?? none);
  if (type === 'ssh-rsa') return concatBytes(encodeMpint(e ?? none), encodeMpint(n ?? none));
  const point = concatBytes(Uint8Array.of(UNCOMPRESSED), x ?? none, y ?? none);
  return concatBytes(encodeString(CURVES[type].name), encodeString(point));
}

/** The SSH name of a key's type; undefined for what OpenSSH or we do not sign with (Ed448, secp256k1, DSA…). */
export function keyTypeOf(jwk: JsonWebKey): KeyType | undefined {
  if (jwk.kty === 'RSA') return 'ssh-rsa';
  if (jwk.crv === 'Ed25519') return 'ssh-ed25519';
  return Object.keys(CURVES)
    .filter(isEcdsa)
    .find((type) => CURVES[type].crv === jwk.crv);
}

const UNCOMPRESSED = 4;

function readEd25519(reader: WireReader): JsonWebKey {
  const key = reader.string();
  if (key.length !== 32) throw new SshFormatError('an ed25519 key is not 32 bytes long');
  return {kty: 'OKP', crv: 'Ed25519', x: base64url(key)};
}

function readRsa(reader: WireReader): JsonWebKey {
  const [e, n] = [reader.mpint(), reader.mpint()];
  if (n.length < RSA_BYTES.min || n.length > RSA_BYTES.max) {
    throw new SshFormatError(`an RSA key has ${n.length * 8} bits; 1024 to 16384 are allowed`);
  }
  if (isEven(n) || isEven(e) || e.length > RSA_BYTES.exponent || (e.length === 1 && e[0] === 1)) {
    throw new SshFormatError('an RSA key has numbers that no RSA key can have');
  }
  return {kty: 'RSA', n: base64url(n), e: base64url(e)};
}

function readEcdsa({name, crv, size}: Curve, reader: WireReader): JsonWebKey {
  if (reader.text() !== name) throw new SshFormatError('an ECDSA key names another curve than its type');
  const point = reader.string();
  if (point[0] !== UNCOMPRESSED || point.length !== 1 + 2 * size) {
    throw new SshFormatError('an ECDSA key is not an uncompressed point of its curve');
  }
  const y = 1 + size;
  return {kty: 'EC', crv, x: base64url(point.subarray(1, y)), y: base64url(point.subarray(y))};
}

function isEven(number: Uint8Array): boolean {
  return ((number.at(-1) ?? 0) & 1) === 0;
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
