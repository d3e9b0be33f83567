// DER writing, thin names over node-forge's asn1. Writing only: what comes from outside is read by node:crypto.

import forge from 'node-forge';

const {asn1} = forge;
const {Class, Type} = asn1;

/** One ASN.1 value, ready to be written. */
export type Der = forge.asn1.Asn1;

const primitive = (type: forge.asn1.Type, bytes: Uint8Array | string): Der =>
  asn1.create(Class.UNIVERSAL, type, false, latin1(bytes));
const latin1 = (bytes: Uint8Array | string) =>
  typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('latin1');

export const sequence = (...values: Der[]): Der => asn1.create(Class.UNIVERSAL, Type.SEQUENCE, true, values);
export const set = (...values: Der[]): Der => asn1.create(Class.UNIVERSAL, Type.SET, true, values);
export const tagged = (tag: number, value: Der): Der =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, true, [value]);
/** A context-specific primitive, as in GeneralName. */
export const implicit = (tag: number, bytes: Uint8Array): Der =>
  asn1.create(Class.CONTEXT_SPECIFIC, tag, false, latin1(bytes));
export const oid = (dotted: string): Der => primitive(Type.OID, asn1.oidToDer(dotted).getBytes());
export const octets = (value: Der): Der => primitive(Type.OCTETSTRING, encode(value));
export const octetString = (bytes: Uint8Array): Der => primitive(Type.OCTETSTRING, bytes);
export const bits = (bytes: Uint8Array, unused = 0): Der =>
  primitive(Type.BITSTRING, Buffer.concat([Buffer.from([unused]), bytes]));
export const yes = (): Der => primitive(Type.BOOLEAN, '\xff');
export const nothing = (): Der => primitive(Type.NULL, '');

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Der {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const rest = bytes.subarray(start);
  return primitive(Type.INTEGER, (rest[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), rest]) : rest);
}

/** PrintableString where its alphabet suffices, else UTF8String, as Go's crypto/x509 chooses. */
export function text(value: string): Der {
  const printable = /^[A-Za-z0-9 '()+,\-./:=?]*$/.test(value);
  return primitive(printable ? Type.PRINTABLESTRING : Type.UTF8, Buffer.from(value));
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5). */
export function time(date: Date): Der {
  const digits = date.toISOString().replace(/[-:T]|\.\d+/g, '');
  return date.getUTCFullYear() < 2050
    ? primitive(Type.UTCTIME, digits.slice(2))
    : primitive(Type.GENERALIZEDTIME, digits);
}

export function encode(value: Der): Buffer {
  return Buffer.from(asn1.toDer(value).getBytes(), 'latin1');
}

/** Takes finished DER (a SubjectPublicKeyInfo, a Name) into a larger structure. */
export function raw(der: Uint8Array): Der {
  return asn1.fromDer(Buffer.from(der).toString('latin1'));
}

/** PEM with LF line ends, the final one included. */
export function pem(label: string, der: Uint8Array): string {
  const text = forge.pem.encode({
    type: label,
    body: Buffer.from(der).toString('latin1'),
  } as forge.pem.ObjectPEM);
  return text.replaceAll('\r', '');
}
