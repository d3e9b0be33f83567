// Node cannot send a TLS alert of one's choice once the handshake is over. Auth does: a client certificate of an
// unknown authority is answered by unknown_ca after a handshake that the client saw succeed. So the one record is
// written here, encrypted as RFC 8446 5.2 says, with the key that the key log tells.

import {createCipheriv, createHmac} from 'node:crypto';

/** RFC 8446 6.2. */
export const UNKNOWN_CA = 48;

const FATAL = 2;
const ALERT = 21;
const APPLICATION_DATA = 23;
/** OpenSSL sends two session tickets after a full handshake, each a record of its own. */
const RECORDS_SENT = 2;
const TAG_LENGTH = 16;

const CIPHERS = new Map<string, {cipher: string; hash: string; keyLength: number}>([
  ['TLS_AES_128_GCM_SHA256', {cipher: 'aes-128-gcm', hash: 'sha256', keyLength: 16}],
  ['TLS_AES_256_GCM_SHA384', {cipher: 'aes-256-gcm', hash: 'sha384', keyLength: 32}],
  ['TLS_CHACHA20_POLY1305_SHA256', {cipher: 'chacha20-poly1305', hash: 'sha256', keyLength: 32}],
]);

/** The server's traffic secret in a line of the key log (NSS format), if it is that line. */
export function serverTrafficSecret(line: Buffer): Buffer | undefined {
  const [label, , secret = ''] = line.toString('latin1').trim().split(' ');
  return label === 'SERVER_TRAFFIC_SECRET_0' ? Buffer.from(secret, 'hex') : undefined;
}

/** The record of a fatal alert, for a server that has sent nothing yet; undefined when the cipher is not of TLS 1.3. */
export function fatalAlert(standardName: string, secret: Buffer, description: number): Buffer | undefined {
  const suite = CIPHERS.get(standardName);
  if (suite === undefined) return undefined;
  const key = expandLabel(suite.hash, secret, 'key', suite.keyLength);
  const nonce = expandLabel(suite.hash, secret, 'iv', 12);
  nonce.writeUInt8(nonce.readUInt8(11) ^ RECORDS_SENT, 11);
  const plain = Buffer.of(FATAL, description, ALERT);
  const header = Buffer.of(APPLICATION_DATA, 3, 3, 0, plain.length + TAG_LENGTH);
  // The three suites are AEADs; the types know no cipher by a name in a variable.
  const cipher = createCipheriv(suite.cipher as 'aes-256-gcm', key, nonce, {authTagLength: TAG_LENGTH});
  cipher.setAAD(header);
  return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** HKDF-Expand-Label with an empty context; one block is enough for every length asked for here. */
function expandLabel(hash: string, secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)]);
  return createHmac(hash, secret).update(info).digest().subarray(0, length);
}
