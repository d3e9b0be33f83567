// Identities of people and bots for tests, made by an embedded cluster.

import {randomUUID} from 'node:crypto';
import {mkdirSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import type {Cluster, Operator, UserIdentity} from '../../src/cluster/cluster.js';
import {parseIdentity} from '../../src/cluster/identity-file.js';
import {type DevCluster, startCluster} from '../../src/devcluster/index.js';
import {type ClientOptions, clientOf} from './cluster-client.js';

export type IdentityRequest = Parameters<DevCluster['identity']>[0];

type Server = Pick<DevCluster, 'proxy' | 'caFile' | 'identity'>;

export const ALICE: IdentityRequest = {user: 'alice', roles: ['agentless-ops'], ttlSeconds: 3600};

export async function userIdentity(
  server: Pick<DevCluster, 'identity'>,
  changes: Partial<IdentityRequest> = {},
): Promise<UserIdentity> {
  return parseIdentity(await server.identity({...ALICE, ...changes}), 'alice.id');
}

export interface Spoken extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly operator: Operator;
}

/** A client that speaks as that user. */
export async function speaking(
  server: Server,
  changes: Partial<IdentityRequest> = {},
  options: ClientOptions = {},
): Promise<Spoken> {
  const identity = await userIdentity(server, changes);
  const cluster = clientOf(server, options);
  return {cluster, operator: cluster.asOperator(identity), [Symbol.asyncDispose]: () => cluster.close()};
}

/** The parts of an identity file, by what they are. */
export function partsOf(text: string) {
  const blocks = text.match(/-----BEGIN [A-Z ]+-----[\s\S]+?-----END [A-Z ]+-----\n/g) ?? [];
  const lines = text.split('\n');
  const [key = '', certificate = '', ...authorities] = blocks;
  return {
    key,
    certificate,
    authorities,
    ssh: lines.find((line) => /-cert-v01@openssh\.com /.test(line)) ?? '',
    knownHosts: lines.filter((line) => line.startsWith('@cert-authority')),
  };
}

/** An identity output of tbot: `identity` and the same in parts. */
export function tbotOutput(directory: string, text: string): void {
  const {key, certificate, authorities, ssh, knownHosts} = partsOf(text);
  mkdirSync(directory, {mode: 0o700});
  const files: Record<string, string> = {
    identity: text,
    key,
    'key-cert.pub': `${ssh}\n`,
    tlscert: certificate,
    'teleport-host-ca.crt': authorities.join(''),
    known_hosts: knownHosts.map((line) => `${line}\n`).join(''),
    '.write-test': '',
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(directory, name), content, {mode: 0o600});
  }
}

/** The text of an identity of a cluster that was started for it and is gone. */
export async function identityText(
  directory: string,
  changes: Partial<IdentityRequest> & {readonly name?: string; readonly suite?: 'legacy' | 'fips-v1'} = {},
): Promise<string> {
  const {name, suite, ...request} = changes;
  const dir = join(directory, randomUUID());
  const cluster = await startCluster({dir, ...(name && {name}), ...(suite && {suite})});
  try {
    return await cluster.identity({...ALICE, ...request});
  } finally {
    await cluster.close();
  }
}
