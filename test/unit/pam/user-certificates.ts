// User certificates of any content, well-formed or not. Only the outside is signed, for nobody here verifies: sshd has.

import {concatBytes, encodeString, encodeUint32, encodeUint64} from '../../../src/ssh/wire.js';

export type Bytes = Uint8Array | string;

export interface RawCertificate {
  readonly keyType?: string;
  /** What makes up the key after its type. */
  readonly key?: readonly Bytes[];
  readonly type?: number;
  readonly keyId?: Bytes;
  readonly principals?: readonly Bytes[];
  readonly extensions?: readonly (readonly [name: string, value: Bytes])[];
  readonly authority?: Uint8Array;
}

/** Parts of a key for each type of certificate there is; of the right number and about the right size. */
export const KEY_PARTS: Readonly<Record<string, readonly Bytes[]>> = {
  'ssh-ed25519': ['k'.repeat(32)],
  'ssh-rsa': [Uint8Array.of(1, 0, 1), 'n'.repeat(257)],
  'ecdsa-sha2-nistp256': ['nistp256', 'p'.repeat(65)],
  'ecdsa-sha2-nistp384': ['nistp384', 'p'.repeat(97)],
  'ecdsa-sha2-nistp521': ['nistp521', 'p'.repeat(133)],
  'sk-ssh-ed25519': ['k'.repeat(32), 'ssh:'],
  'sk-ecdsa-sha2-nistp256': ['nistp256', 'p'.repeat(65), 'ssh:'],
};

export function rawCertificate(fields: RawCertificate): string {
  const {keyType = 'ssh-ed25519', key = KEY_PARTS[keyType] ?? [], type = 1, keyId = 'alice'} = fields;
  const {principals = ['root'], extensions = [], authority = encodeString('ssh-ed25519')} = fields;
  const name = `${keyType}-cert-v01@openssh.com`;
  const options = extensions.map(([option, value]) =>
    concatBytes(encodeString(option), encodeString(value.length === 0 ? '' : encodeString(value))),
  );
  const blob = concatBytes(
    encodeString(name),
    encodeString('n'.repeat(32)),
    ...key.map(encodeString),
    encodeUint64(0n),
    encodeUint32(type),
    encodeString(keyId),
    encodeString(concatBytes(...principals.map(encodeString))),
    encodeUint64(0n),
    encodeUint64(2n ** 64n - 1n),
    encodeString(''),
    encodeString(concatBytes(...options)),
    encodeString(''),
    encodeString(authority),
    encodeString('a signature'),
  );
  return `${name} ${Buffer.from(blob).toString('base64')}`;
}

/** What Teleport writes, with these roles. */
export function teleportExtensions(roles: readonly string[], cluster = 'example.com'): [string, string][] {
  return [
    ['permit-pty', ''],
    ['teleport-roles', JSON.stringify({version: 'v1', roles})],
    ['teleport-route-to-cluster', cluster],
    ['teleport-traits', '{"logins":["root"]}'],
  ];
}
