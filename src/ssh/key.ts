// SSH public keys as OpenSSH writes them, strictly read, and the way between them and the keys of node:crypto.

import {createHash, createPublicKey, type JsonWebKey, type KeyObject} from 'node:crypto';
import {encodeKeyFields, isKeyType, type KeyType, keyTypeOf, readKeyFields} from './key-fields.js';
import {concatBytes, encodeString, SshFormatError, WireReader} from './wire.js';

export {generateKey} from './generate.js';
export type {KeyType} from './key-fields.js';

export interface PublicKey {
  readonly type: KeyType;
  /** RFC 4253 section 6.6 encoding, what the base64 of a line stands for. */
  readonly blob: Uint8Array;
  readonly comment: string;
}

// The largest packet OpenSSH takes; no key or certificate can be longer and still be used.
const MAX_BYTES = 256 * 1024;

/** One line "type base64 comment" taken apart, for a key or a certificate; the base64 must be canonical. */
export function splitLine(line: string): {type: string; blob: Uint8Array; base64: string; comment: string} {
  if (line.length > 2 * MAX_BYTES) throw new SshFormatError('the line is too long');
  const [, type, base64, comment = ''] = /^(\S+)[ \t]+(\S+)(?:[ \t]+([^\r\n]*))?$/.exec(line.trim()) ?? [];
  if (type === undefined || base64 === undefined)
    throw new SshFormatError('it is not a line of type and base64');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw new SshFormatError('the base64 is malformed');
  if (bytes.length > MAX_BYTES) throw new SshFormatError('the line is too long');
  return {type, blob: new Uint8Array(bytes), base64, comment};
}

/** "type base64" of a line, without its comment; nothing is decoded, so a line of any kind of key will do. */
export function withoutComment(line: string): string {
  return line
    .trim()
    .split(/[ \t]+/)
    .slice(0, 2)
    .join(' ');
}

/** Reads an authorized_keys style line without options; SshFormatError for anything that is not exactly one key. */
export function parsePublicKey(line: string): PublicKey {
  const {type: named, blob, comment} = splitLine(line);
  const {type} = readBlob(blob);
  if (type !== named) throw new SshFormatError(`the line says ${printable(named)}, the key is ${type}`);
  return {type, blob, comment};
}

/** "type base64", without comment and newline. */
export function formatPublicKey(blob: Uint8Array): string {
  return `${readBlob(blob).type} ${Buffer.from(blob).toString('base64')}`;
}

/** As `ssh-keygen -l` prints it: SHA256:… */
export function fingerprint(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

/** The type of the key in a blob that is strictly one key. */
export function keyType(blob: Uint8Array): KeyType {
  return readBlob(blob).type;
}

export function publicKeyObject(blob: Uint8Array): KeyObject {
  return readBlob(blob).key;
}

/** The SSH encoding of a public key, or of the public half of a private one. */
export function publicBlob(key: KeyObject): Uint8Array {
  const jwk = (key.type === 'private' ? createPublicKey(key) : key).export({format: 'jwk'});
  const type = keyTypeOf(jwk);
  if (type === undefined) throw new SshFormatError('OpenSSH has no such kind of key');
  return concatBytes(encodeString(type), encodeKeyFields(type, jwk));
}

/**
 * The text of an OPENSSH PRIVATE KEY file, unencrypted, without comment. Before 9.6 OpenSSH reads no PKCS#8 with an
 * ed25519 key in it, so this is the one form that every sshd and ssh takes.
 */
export async function opensshPrivateKey(key: KeyObject): Promise<string> {
  const {default: sshpk} = await import('sshpk');
  const parsed = sshpk.parsePrivateKey(key.export({format: 'pem', type: 'pkcs8'}), 'pkcs8');
  parsed.comment = '';
  return parsed.toString('openssh');
}

/** A key object from the numbers of a key; a point that is not on its curve is an SshFormatError. */
export function keyFromFields(jwk: JsonWebKey): KeyObject {
  try {
    return createPublicKey({key: jwk, format: 'jwk'});
  } catch {
    throw new SshFormatError('the numbers are not a key');
  }
}

function readBlob(blob: Uint8Array): {type: KeyType; key: KeyObject} {
  const reader = new WireReader(blob);
  const type = reader.text();
  if (!isKeyType(type)) throw new SshFormatError(`${printable(type)} is not a type of key that is supported`);
  const jwk = readKeyFields(type, reader);
  reader.end('key');
  return {type, key: keyFromFields(jwk)};
}

// Input may be anything, and the message may end on a terminal.
function printable(text: string): string {
  return JSON.stringify(text.slice(0, 64));
}
