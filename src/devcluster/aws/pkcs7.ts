// Signed data (PKCS #7, RFC 2315), as far as EC2's identity documents use it: content inside, one signer, RSA.

import {createHash, type KeyObject, verify} from 'node:crypto';
import forge from 'node-forge';
import {Refusal} from '../refusal.js';

type Node = forge.asn1.Asn1;

export interface SignedData {
  readonly content: Buffer;
  /** True when that key has made the signature. */
  isSignedBy(key: KeyObject): boolean;
}

const MESSAGE_DIGEST = '1.2.840.113549.1.9.4';
const HASHES: Readonly<Record<string, string>> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
};

/** What is no signed data is an unknown error, as on the real cluster. */
export function readSignedData(ber: Uint8Array): SignedData {
  try {
    return read(forge.asn1.fromDer(Buffer.from(ber).toString('latin1')));
  } catch {
    throw new Refusal('unknown', 'ber2der: this is no signed data');
  }
}

function read(root: Node): SignedData {
  const parts = children(children(children(root)[1])[0]);
  const content = octets(children(children(parts[2])[1])[0]);
  // Before the signers there may be certificates, which are not believed.
  const [signer] = children(parts.at(-1));
  const fields = children(signer);
  const hash = HASHES[oid(children(fields[2])[0])];
  const attributes = fields[3]?.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC ? fields[3] : undefined;
  const signature = bytes(fields[attributes ? 5 : 4]);
  if (hash === undefined || signature.length === 0) throw new Error('not understood');
  return {
    content,
    isSignedBy: (key) => {
      if (attributes === undefined) return verify(hash, content, key, signature);
      const digest = createHash(hash).update(content).digest();
      return digestOf(attributes)?.equals(digest) === true && verify(hash, asSet(attributes), key, signature);
    },
  };
}

function digestOf(attributes: Node): Buffer | undefined {
  const found = children(attributes).find((one) => oid(children(one)[0]) === MESSAGE_DIGEST);
  return found && bytes(children(children(found)[1])[0]);
}

/** Signed is the DER of a SET, and not the tagged form that is sent. */
function asSet(attributes: Node): Buffer {
  const {Class, Type} = forge.asn1;
  const set = forge.asn1.create(Class.UNIVERSAL, Type.SET, true, children(attributes));
  return Buffer.from(forge.asn1.toDer(set).getBytes(), 'latin1');
}

function children(node: Node | undefined): Node[] {
  return Array.isArray(node?.value) ? node.value : [];
}

function bytes(node: Node | undefined): Buffer {
  return Buffer.from(typeof node?.value === 'string' ? node.value : '', 'latin1');
}

/** An octet string may come in pieces. */
function octets(node: Node | undefined): Buffer {
  return node?.constructed ? Buffer.concat(children(node).map(octets)) : bytes(node);
}

const oid = (node: Node | undefined) => forge.asn1.derToOid(bytes(node).toString('latin1'));
