// Hosts that were joined before, by others: as `teleport join openssh` leaves them, and by hand as Teleport's guide has it.

import {generateKeyPairSync, randomUUID} from 'node:crypto';
import {existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import type {DevCluster} from '../../src/devcluster/index.js';
import {FOREVER, signCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, opensshPrivateKey, publicBlob} from '../../src/ssh/key.js';
import {clientOf, joinRequest} from './cluster-client.js';
import type {Stage} from './stage.js';

/** A host with a cluster beside it. */
export interface Ground {
  readonly cluster: DevCluster;
  readonly config: string;
  readonly port: number;
  /** Where a path of the host lies for this process. */
  readonly at: (path: string) => string;
}

export interface FormerHost {
  readonly id: string;
  /** Private file and authorized_keys line of the key that it was given. */
  readonly keyFile: string;
  readonly key: string;
}

export function groundOf({cluster, sshd}: Stage): Ground {
  return {cluster, config: sshd.config, port: sshd.port, at: (path) => path};
}

export const LABELS = {env: 'prod', team: 'web'};

/**
 * What `teleport join openssh --data-dir DIR` does: joins with a key of its own, which becomes the host key, writes files of
 * mode 0600 by renaming, puts its Include on top, and writes the record. sshd is not told.
 */
export async function joinByTeleport(
  {cluster, config, port, at}: Ground,
  dataDir: string,
): Promise<FormerHost> {
  const id = randomUUID();
  const {privateKey} = generateKeyPairSync('ec', {namedCurve: 'P-256'});
  const key = formatPublicKey(publicBlob(privateKey));
  await using client = clientOf(cluster, {deadline: 30_000});
  const additionalPrincipals = ['127.0.0.1', 'old-name.example.com'];
  const request = {nodeId: id, nodeName: 'web1', additionalPrincipals, hostKey: key};
  const {identity, certificate} = await client.join(joinRequest(cluster.token, request));
  const session = client.as(identity);
  const {active, additional} = await session.authority('openssh');

  const write = (path: string, text: string, mode = 0o600) => {
    mkdirSync(dirname(at(path)), {recursive: true, mode: 0o755});
    writeFileSync(`${at(path)}.new`, text, {mode, encoding: 'latin1'});
    renameSync(`${at(path)}.new`, at(path));
  };
  const [keys, fragment] = [join(dataDir, 'openssh'), join(dataDir, 'sshd.conf')];
  const [keyFile, ca] = [join(keys, 'ssh_host_teleport_key'), join(keys, 'teleport_openssh_ca.pub')];
  write(join(dataDir, 'host_uuid'), id, 0o400);
  write(join(dataDir, 'proc/sqlite.db'), identity.key.reveal());
  write(keyFile, String(privateKey.export({type: 'pkcs8', format: 'pem'})));
  write(`${keyFile}-cert.pub`, `${certificate}\n`);
  write(ca, [...active, ...additional].map((line) => `${line}\n`).join(''));
  write(
    fragment,
    `# Created by 'teleport join openssh', do not edit\nTrustedUserCAKeys ${ca}\nHostKey ${keyFile}\nHostCertificate ${keyFile}-cert.pub\n`,
  );
  write(config, `Include ${fragment}\n${readFileSync(at(config), 'latin1')}`);
  const address = `127.0.0.1:${port}`;
  await session.putNode({id, hostname: 'web1', address, labels: LABELS, subKind: 'openssh'});
  return {id, keyFile, key};
}

export interface ByHand {
  /** Put the lines into this file, which the main one includes; else on top of the main one. */
  readonly dropIn?: string;
  /** Lines of the file of user authorities besides those of the cluster. */
  readonly others?: readonly string[];
  /** Names in the host certificate. */
  readonly names?: readonly string[];
}

/** What Teleport's guide has people do with `tctl create`, the exported authority and `tctl auth sign --format=openssh`. */
export async function joinByHand(
  {cluster, config, port, at}: Ground,
  {dropIn, others = [], names = ['web1', '127.0.0.1']}: ByHand = {},
): Promise<FormerHost> {
  const directory = dirname(config);
  const id = randomUUID();
  const made = generateKey('p256');
  const key = formatPublicKey(publicBlob(made));
  const [keyFile, ca] = [join(directory, 'myhost'), join(directory, 'teleport_openssh_ca.pub')];
  const extensions = {'x-teleport-role': 'Node', 'x-teleport-authority': cluster.name};
  const period = {validAfter: 0n, validBefore: FOREVER};
  const fields = {type: 'host', key: publicBlob(made), principals: names, extensions, ...period} as const;
  writeFileSync(at(keyFile), await opensshPrivateKey(made), {mode: 0o600});
  writeFileSync(`${at(keyFile)}-cert.pub`, `${signCertificate(fields, cluster.testOnlySshKey('host'))}\n`, {
    mode: 0o600,
  });
  const own = formatPublicKey(publicBlob(cluster.testOnlySshKey('openssh')));
  const exported = `${own} clustername=${cluster.name}&type=user`;
  writeFileSync(at(ca), [...others, exported].map((line) => `${line}\n`).join(''));
  const lines = [
    '# Teleport',
    `TrustedUserCAKeys ${ca}`,
    `HostKey ${keyFile}`,
    `HostCertificate ${keyFile}-cert.pub`,
    '',
  ].join('\n');
  const file = at(dropIn ?? config);
  if (dropIn !== undefined) mkdirSync(dirname(file), {recursive: true});
  writeFileSync(file, lines + (existsSync(file) ? readFileSync(file, 'latin1') : ''), 'latin1');
  await using client = clientOf(cluster, {deadline: 30_000});
  const {identity} = await client.join(joinRequest(cluster.token));
  const node = {id, hostname: 'web1', address: `127.0.0.1:${port}`, labels: LABELS, subKind: 'openssh'};
  await client.as(identity).putNode(node);
  return {id, keyFile, key};
}

/** sshd of a private stage reads its configuration again. */
export async function reload({sshd, root}: Stage): Promise<void> {
  const seen = readFileSync(sshd.log, 'latin1').length;
  process.kill(Number(readFileSync(join(root, 'etc/sshd.pid'), 'latin1')), 'SIGHUP');
  while (!readFileSync(sshd.log, 'latin1').slice(seen).includes('Server listening'))
    await new Promise((resolve) => setTimeout(resolve, 10));
}
