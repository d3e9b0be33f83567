// Fresh keys of node:crypto. A key object that comes straight from the generator shares a lock with it in Node 20: when
// garbage is collected while its numbers are read, the two wait for each other for ever. So what is generated is written
// out, and read as a key of its own.

import {
  createPrivateKey,
  type ED25519KeyPairOptions,
  generateKeyPair,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

export type KeyKind = 'ed25519' | 'p256' | 'rsa2048';

const WRITTEN: ED25519KeyPairOptions<'der', 'der'> = {
  publicKeyEncoding: {type: 'spki', format: 'der'},
  privateKeyEncoding: {type: 'pkcs8', format: 'der'},
};

/** A fresh private key. */
export function generateKey(kind: KeyKind): KeyObject {
  if (kind === 'ed25519') return read(generateKeyPairSync('ed25519', WRITTEN).privateKey);
  if (kind === 'p256') return read(generateKeyPairSync('ec', {namedCurve: 'P-256', ...WRITTEN}).privateKey);
  return read(generateKeyPairSync('rsa', {modulusLength: 2048, ...WRITTEN}).privateKey);
}

/** The same, made off the main thread: RSA takes tens of milliseconds. */
export async function generateKeyAside(kind: KeyKind): Promise<KeyObject> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, _publicKey: Buffer, privateKey: Buffer) =>
      error === null ? resolve(read(privateKey)) : reject(error);
    if (kind === 'ed25519') generateKeyPair('ed25519', WRITTEN, done);
    else if (kind === 'p256') generateKeyPair('ec', {namedCurve: 'P-256', ...WRITTEN}, done);
    else generateKeyPair('rsa', {modulusLength: 2048, ...WRITTEN}, done);
  });
}

const X25519_BYTES = 32;

/** The public half of a fresh X25519 key whose other half nobody has; as it goes over the wire. */
export function generateX25519(): Uint8Array {
  // What stands before it says that it is one.
  return generateKeyPairSync('x25519', WRITTEN).publicKey.subarray(-X25519_BYTES);
}

function read(pkcs8: Buffer): KeyObject {
  return createPrivateKey({key: pkcs8, format: 'der', type: 'pkcs8'});
}
