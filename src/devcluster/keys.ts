// Which key types a signature suite asks for, and how they are made.

import type {SignatureSuite} from '../cluster/cluster.js';
import type {KeyKind as KeyType} from '../ssh/generate.js';

export {generateKeyAside as newKey, type KeyKind as KeyType} from '../ssh/generate.js';

export interface SuiteKeys {
  /** SSH keys of the host, user and openssh authorities. */
  readonly sshAuthority: KeyType;
  /** TLS keys of the host and user authorities. */
  readonly tlsAuthority: KeyType;
  /** Auth's own TLS key. */
  readonly identity: KeyType;
  /** The key that a proxy makes for one connection of a user. */
  readonly user: KeyType;
}

export const SUITES: Readonly<Record<SignatureSuite, SuiteKeys>> = {
  legacy: {sshAuthority: 'rsa2048', tlsAuthority: 'rsa2048', identity: 'rsa2048', user: 'rsa2048'},
  'balanced-v1': {sshAuthority: 'ed25519', tlsAuthority: 'p256', identity: 'p256', user: 'ed25519'},
  'fips-v1': {sshAuthority: 'p256', tlsAuthority: 'p256', identity: 'p256', user: 'p256'},
  'hsm-v1': {sshAuthority: 'p256', tlsAuthority: 'p256', identity: 'p256', user: 'ed25519'},
};
