// A private sshd as a host that can only be reached by ssh, and the configuration of the ssh that knows it.

import {execFileSync} from 'node:child_process';
import {mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {type PrivateSshd, startPrivateSshd} from '../../src/demo/private-sshd.js';
import type {RemoteOptions} from '../../src/host/remote/remote-shell.js';

export interface RemoteTarget {
  readonly sshd: PrivateSshd;
  /** For ssh -F. */
  readonly sshConfig: string;
  readonly options: RemoteOptions;
  stop(): Promise<void>;
}

/** The host is called web1, and its key is known; `lines` go into its sshd_config, before all others. */
export async function startTarget(directory: string, lines: readonly string[] = []): Promise<RemoteTarget> {
  const client = join(directory, 'client');
  mkdirSync(client, {recursive: true});
  const key = join(client, 'id');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const authorized = join(client, 'authorized_keys');
  writeFileSync(authorized, readFileSync(`${key}.pub`));
  const head = [`AuthorizedKeysFile ${authorized}`, 'PermitRootLogin yes', 'MaxStartups 100', ...lines];
  const sshd = await startPrivateSshd({
    directory: join(directory, 'etc'),
    program: process.env['SSHD'],
    stock: [...head, 'UsePAM no', ''].join('\n'),
  });
  const known = join(client, 'known_hosts');
  writeFileSync(known, sshd.hostKeys.map((line) => `web1 ${line}\n`).join(''));
  const sshConfig = join(client, 'config');
  const words = [
    'Host web1',
    'HostName 127.0.0.1',
    `Port ${sshd.port}`,
    `User ${userInfo().username}`,
    'HostKeyAlias web1',
    `IdentityFile ${key}`,
    'IdentitiesOnly yes',
    `UserKnownHostsFile ${known}`,
    'GlobalKnownHostsFile /dev/null',
    'StrictHostKeyChecking yes',
    // What a person has there must not get in the way.
    'RemoteCommand uptime',
    'LocalForward 1 localhost:1',
  ];
  writeFileSync(sshConfig, `${words.join('\n')}\n`);
  return {
    sshd,
    sshConfig,
    options: {destination: {host: 'web1'}, sudo: false, sshConfig, interactive: false},
    stop: () => sshd.stop(),
  };
}
