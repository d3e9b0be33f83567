// A private sshd as a host that can only be reached by ssh, and the configuration of the ssh that knows it.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {type PrivateSshd, startPrivateSshd} from '../../src/demo/private-sshd.js';
import type {RemoteOptions} from '../../src/host/remote/remote-shell.js';
import {temporaryTree} from './tree.js';

export interface RemoteTarget {
  readonly directory: string;
  readonly sshd: PrivateSshd;
  /** For ssh -F. */
  readonly sshConfig: string;
  readonly options: RemoteOptions;
  stop(): Promise<void>;
}

/** The host is called web1, and its key is known; `lines` go into its sshd_config, before all others. */
export async function startTarget(directory: string, lines: readonly string[] = []): Promise<RemoteTarget> {
  const stock = [...lines, ...admitting(directory), 'UsePAM no', ''].join('\n');
  const program = process.env['SSHD'];
  const sshd = await startPrivateSshd({directory: join(directory, 'etc'), program, stock});
  const sshConfig = writeSshConfig(directory, sshd);
  return {
    directory,
    sshd,
    sshConfig,
    options: {destination: {host: 'web1'}, sudo: false, sshConfig, interactive: false},
    stop: () => sshd.stop(),
  };
}

/** One for all tests of the suite that calls this, in a directory of its own. */
export function useTarget(lines: (directory: string) => readonly string[] = () => []): () => RemoteTarget {
  let target: RemoteTarget;
  before(async () => {
    const directory = temporaryTree();
    target = await startTarget(directory, lines(directory));
  });
  after(async () => {
    await target.stop();
    rmSync(target.directory, {recursive: true, force: true});
  });
  return () => target;
}

const clientOf = (directory: string): string => join(directory, 'client');

/** Lines of sshd_config that let us in by a key of our own, which is made where it is missing. */
export function admitting(directory: string): string[] {
  const client = clientOf(directory);
  mkdirSync(client, {recursive: true});
  const key = join(client, 'id');
  if (!existsSync(key)) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  writeFileSync(join(client, 'authorized_keys'), readFileSync(`${key}.pub`));
  return [`AuthorizedKeysFile ${join(client, 'authorized_keys')}`, 'PermitRootLogin yes', 'MaxStartups 100'];
}

/** The configuration of a client that knows this host as web1, with what a person has there and must not get in the way. */
export function writeSshConfig(
  directory: string,
  {port, hostKeys}: Pick<PrivateSshd, 'port' | 'hostKeys'>,
): string {
  const client = clientOf(directory);
  const known = join(client, 'known_hosts');
  writeFileSync(known, hostKeys.map((line) => `web1 ${line}\n`).join(''));
  const words = [
    'Host web1',
    'HostName 127.0.0.1',
    `Port ${port}`,
    `User ${userInfo().username}`,
    'HostKeyAlias web1',
    `IdentityFile ${join(client, 'id')}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${known}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    'RemoteCommand uptime',
    'LocalForward 1 localhost:1',
  ];
  const path = join(client, 'config');
  writeFileSync(path, `${words.join('\n')}\n`);
  return path;
}
