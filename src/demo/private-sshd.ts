// A private sshd on a loopback port with its own copy of the system's stock sshd_config and its own host keys. It runs as
// whoever starts it and touches nothing of the system.

import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:net';
import {join} from 'node:path';
import {Failure} from '../errors.js';

export interface PrivateSshd {
  readonly config: string;
  readonly port: number;
  readonly log: string;
  /** authorized_keys lines of its host keys. */
  readonly hostKeys: readonly string[];
  stop(): Promise<void>;
}

export interface SshdOptions {
  readonly directory: string;
  /** sshd program; the first one on PATH or in the usual places unless given. */
  readonly program?: string | undefined;
  /** Text of the configuration; the stock one of this system unless given. */
  readonly stock?: string;
  readonly keyTypes?: readonly string[];
  /** Further words of its command line. */
  readonly options?: readonly string[];
}

/** A distribution keeps the file as shipped under /usr/share; the one in /etc may have been edited since. */
const STOCK = ['/usr/share/openssh/sshd_config', '/etc/ssh/sshd_config', '/usr/etc/ssh/sshd_config'];

export async function startPrivateSshd(options: SshdOptions): Promise<PrivateSshd> {
  const program = options.program ?? findSshd();
  const {directory} = options;
  mkdirSync(directory, {recursive: true});
  const port = await freePort();
  const types = options.keyTypes ?? ['ed25519', 'ecdsa', 'rsa'];
  const keys = types.map((type) => makeKey(directory, type));
  const config = join(directory, 'sshd_config');
  const log = join(directory, 'sshd.log');
  writeFileSync(config, [head(port, keys, directory), options.stock ?? stockConfig()].join('\n'), {
    mode: 0o644,
  });
  makePrivsepDirectory();
  const child = spawn(program, ['-D', '-f', config, '-E', log, ...(options.options ?? [])], {
    stdio: 'ignore',
  });
  const sshd = {
    config,
    port,
    log,
    hostKeys: keys.map((key) => readFileSync(`${key}.pub`, 'utf8').trim()),
    stop: () => stopped(child),
  };
  await untilListening(child, log, port);
  return sshd;
}

/** Without it no sshd runs as root; the system's own unit makes it the same way, but may never have run. */
export function makePrivsepDirectory(): void {
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', {recursive: true, mode: 0o755});
}

/** Our lines stand first: the first value wins in sshd_config. */
function head(port: number, keys: readonly string[], directory: string): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    ...keys.map((key) => `HostKey ${key}`),
    `PidFile ${join(directory, 'sshd.pid')}`,
    'StrictModes no',
    '',
  ].join('\n');
}

/** The configuration that this system ships. */
export function stockConfig(): string {
  const found = STOCK.find((path) => existsSync(path));
  return found === undefined ? '' : readFileSync(found, 'latin1');
}

function makeKey(directory: string, type: string): string {
  const path = join(directory, `ssh_host_${type}_key`);
  if (!existsSync(path))
    execFileSync('ssh-keygen', ['-q', '-t', type, '-N', '', '-C', 'private sshd', '-f', path]);
  chmodSync(path, 0o600);
  return path;
}

/** The first sshd on PATH or in the directories where it usually lies, which are not on every user's PATH. */
export function findSshd(): string {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin:/usr/local/sbin`;
  const found = path
    .split(':')
    .map((directory) => join(directory, 'sshd'))
    .find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new Failure('HOST_UNSUITABLE', 'there is no sshd on this machine', {
    hint: 'install openssh-server (Debian, Ubuntu, Fedora, RHEL)',
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

async function untilListening(child: ChildProcess, log: string, port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const words = existsSync(log) ? readFileSync(log, 'latin1') : '';
    if (words.includes(`port ${port}`)) return;
    if (child.exitCode !== null)
      throw new Failure('HOST_UNSUITABLE', 'the private sshd did not start', {detail: words});
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Failure('HOST_UNSUITABLE', 'the private sshd does not listen');
}

function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGTERM');
  });
}
