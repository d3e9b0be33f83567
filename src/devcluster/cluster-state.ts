// The unchanging half of a cluster, name, suite and keys, and how it is stored.

import {createPrivateKey, type KeyObject, randomUUID} from 'node:crypto';
import type {SignatureSuite} from '../cluster/cluster.js';
import {
  type Authorities,
  type Authority,
  type AuthorityType,
  type KeySet,
  newKeySet,
  newTlsKey,
  type TlsKey,
} from './authority.js';
import {newKey, SUITES} from './keys.js';
import {authorityName, type Name} from './x509.js';

/** The unchanging half of a cluster: its name, suite and keys. */
export interface ClusterState {
  readonly name: string;
  readonly suite: SignatureSuite;
  /** UUID of the auth and proxy host. */
  readonly hostId: string;
  readonly authorities: Authorities;
  /** The authority of the proxy's web certificate, unrelated to the cluster's own. */
  readonly web: TlsKey;
  readonly webKey: KeyObject;
  readonly authKey: KeyObject;
}

interface StoredTlsKey {
  readonly key: string;
  readonly name: Name;
  readonly certificate: string;
}

interface StoredKeySet {
  readonly ssh: string;
  readonly tls?: StoredTlsKey;
}

interface StoredAuthority {
  readonly revision: string;
  readonly active: StoredKeySet;
  readonly additional: readonly StoredKeySet[];
}

export interface StoredCluster {
  readonly name: string;
  readonly suite: SignatureSuite;
  readonly hostId: string;
  readonly authorities: Record<AuthorityType, StoredAuthority>;
  readonly web: StoredTlsKey;
  readonly webKey: string;
  readonly authKey: string;
}

/** A cluster with new keys. Everything is made at once: only RSA (the legacy suite) takes noticeable time. */
export async function newCluster(name: string, suite: SignatureSuite): Promise<ClusterState> {
  const [host, user, openssh, web, webKey, authKey] = await Promise.all([
    newAuthority('host', name, suite),
    newAuthority('user', name, suite),
    newAuthority('openssh', name, suite),
    newKey('p256'),
    newKey('p256'),
    newKey(SUITES[suite].identity),
  ]);
  return {
    name,
    suite,
    hostId: randomUUID(),
    authorities: {host, user, openssh},
    web: newTlsKey(web, authorityName(`${name} web`)),
    webKey,
    authKey,
  };
}

async function newAuthority(type: AuthorityType, cluster: string, suite: SignatureSuite): Promise<Authority> {
  const active = await newKeySet(type, cluster, suite);
  return {type, cluster, revision: randomUUID(), active, additional: []};
}

/** Keys as PKCS#8 PEM, ready for JSON. */
export function storeCluster(cluster: ClusterState): StoredCluster {
  const {name, suite, hostId, authorities, web, webKey, authKey} = cluster;
  const stored = (type: AuthorityType): StoredAuthority => ({
    revision: authorities[type].revision,
    active: storeKeySet(authorities[type].active),
    additional: authorities[type].additional.map(storeKeySet),
  });
  return {
    name,
    suite,
    hostId,
    authorities: {host: stored('host'), user: stored('user'), openssh: stored('openssh')},
    web: storeTlsKey(web),
    webKey: pkcs8(webKey),
    authKey: pkcs8(authKey),
  };
}

export function restoreCluster({
  name,
  suite,
  hostId,
  authorities,
  web,
  webKey,
  authKey,
}: StoredCluster): ClusterState {
  const restored = (type: AuthorityType): Authority => ({
    type,
    cluster: name,
    revision: authorities[type].revision,
    active: restoreKeySet(authorities[type].active),
    additional: authorities[type].additional.map(restoreKeySet),
  });
  return {
    name,
    suite,
    hostId,
    authorities: {host: restored('host'), user: restored('user'), openssh: restored('openssh')},
    web: restoreTlsKey(web),
    webKey: createPrivateKey(webKey),
    authKey: createPrivateKey(authKey),
  };
}

const storeKeySet = ({ssh, tls}: KeySet): StoredKeySet => ({
  ssh: pkcs8(ssh),
  ...(tls !== undefined && {tls: storeTlsKey(tls)}),
});

const restoreKeySet = ({ssh, tls}: StoredKeySet): KeySet => ({
  ssh: createPrivateKey(ssh),
  ...(tls !== undefined && {tls: restoreTlsKey(tls)}),
});

const storeTlsKey = (tls: TlsKey): StoredTlsKey => ({...tls, key: pkcs8(tls.key)});
const restoreTlsKey = (tls: StoredTlsKey): TlsKey => ({...tls, key: createPrivateKey(tls.key)});
const pkcs8 = (key: KeyObject) => key.export({type: 'pkcs8', format: 'pem'}).toString();
