// The client under test, connected to an embedded cluster.

import {randomUUID} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {type ConnectOptions, connect} from '../../src/cluster/client.js';
import type {Cluster, JoinRequest, JoinResult} from '../../src/cluster/cluster.js';
import type {DevCluster} from '../../src/devcluster/index.js';
import {Failure, Secret} from '../../src/errors.js';
import {formatPublicKey, generateKey, publicBlob} from '../../src/ssh/key.js';

export type ClientOptions = Partial<ConnectOptions>;

/** Trusts the cluster's web authority, when a file of it is named, and gives up after five seconds, unless told otherwise. */
export function clientOf(
  server: Pick<DevCluster, 'proxy' | 'caFile'>,
  options: ClientOptions = {},
): Cluster & AsyncDisposable {
  const caFile = server.caFile === '' ? [] : [readFileSync(server.caFile, 'utf8')];
  return disposable(
    connect({proxy: server.proxy, caFile, clientVersion: '0.0.0', deadline: 5000, ...options}),
  );
}

export function disposable(cluster: Cluster): Cluster & AsyncDisposable {
  return Object.assign(cluster, {[Symbol.asyncDispose]: () => cluster.close()});
}

/** A new host key, as an authorized_keys line. */
export function hostKey(kind: 'ed25519' | 'p256' | 'rsa2048' = 'ed25519'): string {
  return formatPublicKey(publicBlob(generateKey(kind)));
}

export function joinRequest(token: string, changes: Partial<JoinRequest> = {}): JoinRequest {
  return {
    nodeId: randomUUID(),
    nodeName: 'web1',
    additionalPrincipals: ['web1.example.com', '10.0.0.5'],
    token: new Secret(token),
    hostKey: hostKey(),
    ...changes,
  };
}

/** A host that has joined. */
export async function joined(server: Pick<DevCluster, 'proxy' | 'caFile' | 'token'>): Promise<JoinResult> {
  await using cluster = clientOf(server);
  return await cluster.join(joinRequest(server.token));
}

/** The failure of something that has to fail. */
export async function failure(promise: Promise<unknown>): Promise<Failure> {
  const error = await promise.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  if (error instanceof Failure) return error;
  throw error;
}
