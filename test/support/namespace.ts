// A mount namespace with its own /etc, /run, /var/lib and /var/log: the default paths can be exercised, and the machine's own are
// not touched. The network is the machine's: the cluster outside is reached, and so is the sshd inside.

import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';

const SETUP = `
set -e
mount --make-rprivate /
mkdir "$1/etc"
cp -a /etc/. "$1/etc"
mount --bind "$1/etc" /etc
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=755 lib /var/lib
mount -t tmpfs -o mode=755 log /var/log
touch /var/log/btmp /var/log/wtmp /var/log/lastlog
mkdir -m 755 /run/sshd
rm -rf /etc/ssh/sshd_config.d /etc/ssh/agentless
mkdir -m 755 /etc/ssh/sshd_config.d
[ ! -e /usr/share/openssh/sshd_config ] || cp /usr/share/openssh/sshd_config /etc/ssh/sshd_config
rm -f /etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N "" -f /etc/ssh/ssh_host_ed25519_key
ssh-keygen -q -t ecdsa -N "" -f /etc/ssh/ssh_host_ecdsa_key
echo ready
exec sleep 100000
`;

export class Namespace {
  readonly #holder: ChildProcess;

  private constructor(
    holder: ChildProcess,
    readonly directory: string,
  ) {
    this.#holder = holder;
  }

  /** Undefined where it cannot be had: not root, or not allowed. */
  static async start(): Promise<Namespace | undefined> {
    if (process.getuid?.() !== 0) return undefined;
    const directory = mkdtempSync(join(tmpdir(), 'agentless-namespace-'));
    const holder = spawn('unshare', ['-m', 'sh', '-c', SETUP, 'sh', directory]);
    const ready = await new Promise<boolean>((resolve) => {
      holder.stdout.once('data', () => resolve(true));
      holder.once('exit', () => resolve(false));
      holder.once('error', () => resolve(false));
    });
    if (ready) return new Namespace(holder, directory);
    rmSync(directory, {recursive: true, force: true});
    return undefined;
  }

  /** Words that put a program inside. */
  get prefix(): readonly string[] {
    return ['nsenter', '-t', String(this.#holder.pid), '-m', '--'];
  }

  /** A path inside, as it is seen from outside. */
  path(inside: string): string {
    return join(`/proc/${this.#holder.pid}/root`, inside);
  }

  run(...argv: readonly string[]): string {
    const [program = '', ...words] = [...this.prefix, ...argv];
    return execFileSync(program, words, {encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe']});
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#holder.once('exit', resolve));
    this.#holder.kill('SIGKILL');
    await gone;
    rmSync(this.directory, {recursive: true, force: true});
  }
}
