// A cluster's name, suite and keys, and how they are stored. Of these only the authorities ever change.

import {createPrivateKey, type KeyObject, randomUUID} from 'node:crypto';
import type {SignatureSuite} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
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
import type {Rotation} from './rotation.js';
import {authorityName, type Name} from './x509.js';

/** Name, suite and keys. */
export interface ClusterState extends ClusterFacts {
  readonly authorities: Authorities;
  /** How many times a rotation has changed them. */
  readonly changes: number;
}

/** What no rotation changes. */
export interface ClusterFacts {
  readonly name: string;
  readonly suite: SignatureSuite;
  /** UUID of the auth and proxy host. */
  readonly hostId: string;
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
  /** Absent in states of before there were rotations, too. */
  readonly rotation?: Rotation;
}

export type StoredAuthorities = Readonly<Record<AuthorityType, StoredAuthority>>;

export interface StoredCluster {
  readonly name: string;
  readonly suite: SignatureSuite;
  readonly hostId: string;
  readonly authorities: StoredAuthorities;
  readonly web: StoredTlsKey;
  readonly webKey: string;
  readonly authKey: string;
}

/** A cluster with new keys. Everything is made at once: only RSA (the legacy suite) takes noticeable time. */
export async function newCluster(name: string, suite: SignatureSuite): Promise<ClusterState> {
  if (!/^[a-zA-Z0-9.-]+$/.test(name)) {
    throw new Failure('USAGE', `${JSON.stringify(name)} cannot be the name of a cluster`, {
      hint: 'write letters, digits, dots and hyphens, as in --name dev.example',
    });
  }
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
    changes: 0,
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
  return {
    name,
    suite,
    hostId,
    authorities: storeAuthorities(authorities),
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
  return {
    name,
    suite,
    hostId,
    authorities: restoreAuthorities(authorities, name),
    changes: 0,
    web: restoreTlsKey(web),
    webKey: createPrivateKey(webKey),
    authKey: createPrivateKey(authKey),
  };
}

export function storeAuthorities(authorities: Authorities): StoredAuthorities {
  const stored = (type: AuthorityType): StoredAuthority => {
    const {revision, active, additional, rotation} = authorities[type];
    const keys = {active: storeKeySet(active), additional: additional.map(storeKeySet)};
    return {revision, ...keys, ...(rotation && {rotation})};
  };
  return {host: stored('host'), user: stored('user'), openssh: stored('openssh')};
}

export function restoreAuthorities(authorities: StoredAuthorities, cluster: string): Authorities {
  const restored = (type: AuthorityType): Authority => {
    const {revision, active, additional, rotation} = authorities[type];
    const keys = {active: restoreKeySet(active), additional: additional.map(restoreKeySet)};
    return {type, cluster, revision, ...keys, ...(rotation && {rotation})};
  };
  return {host: restored('host'), user: restored('user'), openssh: restored('openssh')};
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
