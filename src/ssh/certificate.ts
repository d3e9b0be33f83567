// OpenSSH certificates (PROTOCOL.certkeys), strictly read: what two readers could understand differently is refused.

import {keyFromFields, keyType, splitLine} from './key.js';
import {encodeKeyFields, isKeyType, type KeyType, readKeyFields} from './key-fields.js';
import {concatBytes, encodeString, SshFormatError, WireReader} from './wire.js';

export {type CertificateFields, signCertificate} from './certificate-sign.js';
export {checkHostCertificate, verifySignature} from './certificate-verify.js';

/** validBefore of a certificate without an end. */
export const FOREVER = 2n ** 64n - 1n;

export interface Certificate {
  readonly type: 'user' | 'host';
  readonly keyType: KeyType;
  /** Blob of the plain public key that is certified. */
  readonly key: Uint8Array;
  readonly serial: bigint;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since 1970; the certificate holds from here… */
  readonly validAfter: bigint;
  /** …up to, not including, here. FOREVER: no end. */
  readonly validBefore: bigint;
  /** Values without their inner length; "" for a flag. */
  readonly criticalOptions: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
  /** Blob of the signing authority's public key, as printed inside: anybody can print anything there. */
  readonly authority: Uint8Array;
  readonly signatureAlgorithm: string;
  readonly signature: Uint8Array;
  /** The bytes the signature is about. */
  readonly signed: Uint8Array;
  /** "type base64" as received. */
  readonly line: string;
}

const SUFFIX = '-cert-v01@openssh.com';

// OpenSSH calls a certificate with more of them invalid.
const MAX_PRINCIPALS = 256;

/** Reads one line as in a -cert.pub file. Nothing about it is to be believed before its signature is verified. */
export function parseCertificate(line: string): Certificate {
  const {type: named, blob, base64} = splitLine(line);
  const reader = new WireReader(blob);
  const subject = readSubject(reader, named);
  const body = readBody(reader);
  const signed = blob.slice(0, reader.offset);
  const signature = readSignature(reader.string());
  reader.end('certificate');
  return {...subject, ...body, ...signature, signed, line: `${named} ${base64}`};
}

function readSubject(reader: WireReader, named: string) {
  const certificateType = reader.text();
  const type = certificateType.slice(0, -SUFFIX.length);
  if (certificateType !== type + SUFFIX || !isKeyType(type)) {
    throw new SshFormatError('it is not a certificate of a supported type');
  }
  if (certificateType !== named)
    throw new SshFormatError('the line names another type than the certificate has');
  reader.string(); // the nonce
  const jwk = readKeyFields(type, reader);
  keyFromFields(jwk);
  return {keyType: type, key: concatBytes(encodeString(type), encodeKeyFields(type, jwk))};
}

function readBody(reader: WireReader) {
  const serial = reader.uint64();
  const type = readType(reader.uint32());
  const keyId = reader.text();
  const principals = readPrincipals(reader.string());
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()];
  const criticalOptions = readOptions(reader.string());
  const extensions = readOptions(reader.string());
  if (reader.string().length > 0)
    throw new SshFormatError('the reserved field of the certificate is not empty');
  const authority = reader.string();
  keyType(authority);
  return {type, serial, keyId, principals, validAfter, validBefore, criticalOptions, extensions, authority};
}

function readType(number: number): 'user' | 'host' {
  if (number === 1) return 'user';
  if (number === 2) return 'host';
  throw new SshFormatError('it is neither a user nor a host certificate');
}

function readPrincipals(bytes: Uint8Array): readonly string[] {
  const reader = new WireReader(bytes);
  const principals: string[] = [];
  while (!reader.atEnd) principals.push(reader.text());
  if (principals.length > MAX_PRINCIPALS) {
    throw new SshFormatError(`it has ${principals.length} principals; OpenSSH takes ${MAX_PRINCIPALS}`);
  }
  return principals;
}

function readOptions(bytes: Uint8Array): ReadonlyMap<string, string> {
  const reader = new WireReader(bytes);
  const options = new Map<string, string>();
  let last: string | undefined;
  while (!reader.atEnd) {
    const name = reader.text();
    if (last !== undefined && Buffer.compare(Buffer.from(last), Buffer.from(name)) >= 0) {
      throw new SshFormatError('options of the certificate are repeated or not in order');
    }
    options.set(name, readOptionValue(reader.string()));
    last = name;
  }
  return options;
}

function readOptionValue(data: Uint8Array): string {
  if (data.length === 0) return '';
  const reader = new WireReader(data);
  const value = reader.text();
  reader.end('value of an option');
  return value;
}

function readSignature(bytes: Uint8Array) {
  const reader = new WireReader(bytes);
  const signatureAlgorithm = reader.text();
  const signature = reader.string();
  reader.end('signature');
  return {signatureAlgorithm, signature};
}
