// Certificate authorities: active keys sign, active and additional keys are trusted. Outside a rotation the
// additional set is empty.

import type {KeyObject} from 'node:crypto';
import type {SignatureSuite} from '../cluster/cluster.js';
import {formatPublicKey, publicBlob} from '../ssh/key.js';
import {newKey, SUITES} from './keys.js';
import type {Rotation} from './rotation.js';
import {authorityName, type Issuer, issueAuthority, type Name} from './x509.js';

export type AuthorityType = 'host' | 'user' | 'openssh';

export const AUTHORITY_TYPES: readonly AuthorityType[] = ['host', 'user', 'openssh'];

export interface TlsKey extends Issuer {
  /** The self-signed certificate, PEM. */
  readonly certificate: string;
}

/** One generation of keys. The openssh authority has no TLS key. */
export interface KeySet {
  readonly ssh: KeyObject;
  readonly tls?: TlsKey;
}

export interface Authority {
  readonly type: AuthorityType;
  readonly cluster: string;
  readonly revision: string;
  readonly active: KeySet;
  readonly additional: readonly KeySet[];
  /** Absent where there has never been one. */
  readonly rotation?: Rotation;
}

export type Authorities = Readonly<Record<AuthorityType, Authority>>;

/** New keys for an authority. */
export async function newKeySet(
  type: AuthorityType,
  cluster: string,
  suite: SignatureSuite,
): Promise<KeySet> {
  const {sshAuthority, tlsAuthority} = SUITES[suite];
  if (type === 'openssh') return {ssh: await newKey(sshAuthority)};
  const [ssh, tls] = await Promise.all([newKey(sshAuthority), newKey(tlsAuthority)]);
  return {ssh, tls: newTlsKey(tls, authorityName(cluster))};
}

/** A TLS authority from a key: the certificate is self-signed and valid for ten years. */
export function newTlsKey(key: KeyObject, name: Name): TlsKey {
  return {key, name, certificate: issueAuthority({key, name}, new Date())};
}

/** Active keys first, then additional ones: the order of every list the cluster hands out. */
function trustedKeySets(authority: Authority): readonly KeySet[] {
  return [authority.active, ...authority.additional];
}

/** authorized_keys lines, without comment or line end. */
export function sshPublicKeys(authority: Authority): readonly string[] {
  return trustedKeySets(authority).map(({ssh}) => formatPublicKey(publicBlob(ssh)));
}

/** PEM of each trusted TLS authority; none for openssh. */
export function tlsCertificates(authority: Authority): readonly string[] {
  return trustedKeySets(authority).flatMap(({tls}) => (tls === undefined ? [] : [tls.certificate]));
}

/** The TLS issuer; only the openssh authority is without. */
export function tlsIssuer(authority: Authority): TlsKey {
  const {tls} = authority.active;
  if (tls === undefined) throw new Error(`the ${authority.type} authority has no TLS key`);
  return tls;
}
