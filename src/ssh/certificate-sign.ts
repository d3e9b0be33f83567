// Signing OpenSSH certificates (PROTOCOL.certkeys): for the embedded cluster's authorities and for ephemeral ones.

import {type KeyObject, randomBytes, sign} from 'node:crypto';
import {keyType, publicBlob} from './key.js';
import {CURVES, isEcdsa} from './key-fields.js';
import {concatBytes, encodeMpint, encodeString, encodeUint32, encodeUint64} from './wire.js';

type Options = Readonly<Record<string, string>> | ReadonlyMap<string, string>;

/** What a certificate is to say. */
export interface CertificateFields {
  readonly type: 'user' | 'host';
  /** Blob of the plain public key. */
  readonly key: Uint8Array;
  /** 0 when absent, as Teleport writes it. */
  readonly serial?: bigint;
  readonly keyId?: string;
  readonly principals: readonly string[];
  /** Seconds since 1970. */
  readonly validAfter: bigint;
  /** Seconds since 1970; FOREVER for no end. */
  readonly validBefore: bigint;
  /** "" makes a flag, such as permit-pty. */
  readonly criticalOptions?: Options;
  readonly extensions?: Options;
}

type RsaAlgorithm = 'rsa-sha2-256' | 'rsa-sha2-512';

const RSA_HASH: Readonly<Record<RsaAlgorithm, string>> = {'rsa-sha2-256': 'sha256', 'rsa-sha2-512': 'sha512'};

/** The certificate's line, "type base64". An RSA authority signs with SHA-256 as Teleport 18's do, or as told. */
export function signCertificate(
  fields: CertificateFields,
  authority: KeyObject,
  rsaAlgorithm: RsaAlgorithm = 'rsa-sha2-256',
): string {
  const name = `${keyType(fields.key)}-cert-v01@openssh.com`;
  const signed = concatBytes(encodeString(name), encodeBody(fields), encodeString(publicBlob(authority)));
  const blob = concatBytes(signed, encodeString(signBytes(signed, authority, rsaAlgorithm)));
  return `${name} ${Buffer.from(blob).toString('base64')}`;
}

function encodeBody(fields: CertificateFields): Uint8Array {
  return concatBytes(
    encodeString(randomBytes(32)),
    fields.key.subarray(encodeString(keyType(fields.key)).length),
    encodeUint64(fields.serial ?? 0n),
    encodeUint32(fields.type === 'user' ? 1 : 2),
    encodeString(fields.keyId ?? ''),
    encodeString(concatBytes(...fields.principals.map(encodeString))),
    encodeUint64(fields.validAfter),
    encodeUint64(fields.validBefore),
    encodeString(encodeOptions(fields.criticalOptions)),
    encodeString(encodeOptions(fields.extensions)),
    encodeString(''),
  );
}

/** Readers want options in the order of their bytes; JavaScript would sort by UTF-16. */
function encodeOptions(options: Options = {}): Uint8Array {
  const entries = options instanceof Map ? [...options] : Object.entries(options);
  entries.sort(([one], [other]) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const data = (value: string) => (value === '' ? new Uint8Array() : encodeString(value));
  return concatBytes(
    ...entries.map(([name, value]) => concatBytes(encodeString(name), encodeString(data(value)))),
  );
}

function signBytes(bytes: Uint8Array, key: KeyObject, rsaAlgorithm: RsaAlgorithm): Uint8Array {
  const type = keyType(publicBlob(key));
  if (type === 'ssh-rsa') {
    const signature = sign(RSA_HASH[rsaAlgorithm], bytes, key);
    return concatBytes(encodeString(rsaAlgorithm), encodeString(signature));
  }
  if (!isEcdsa(type)) return concatBytes(encodeString(type), encodeString(sign(null, bytes, key)));
  const {hash, size} = CURVES[type];
  const halves = sign(hash, bytes, {key, dsaEncoding: 'ieee-p1363'});
  const integers = concatBytes(encodeMpint(halves.subarray(0, size)), encodeMpint(halves.subarray(size)));
  return concatBytes(encodeString(type), encodeString(integers));
}
