// A host of its own on this machine, and nothing of it is ours: the root, sshd and /etc/ssh of a Debian release, its own
// network, processes and name, port 22. Reached by ssh alone, as any other would be. See far-host.sh.

import {execFileSync} from 'node:child_process';
import {randomBytes} from 'node:crypto';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import type {RemoteOptions} from '../../src/host/remote/remote-shell.js';
import {PROGRAM} from './cli.js';
import {Link} from './far-link.js';
import {FarSpace, readProcess, until} from './far-space.js';
import {type SshResult, ssh} from './ssh-client.js';
import {type Leaf, snapshot} from './tree.js';

/** Where the root directories of the releases are, by their names. */
const ROOTS = process.env['RELEASE_ROOTS'];

export const RELEASES = ['bullseye', 'bookworm', 'trixie', 'sid'] as const;
export type Release = (typeof RELEASES)[number];

/** How sshd is run: by itself, or by a systemd that has booted and has this unit enabled. */
export type Unit = 'none' | 'ssh.service' | 'ssh.socket';

/** What a host has that a join could change; what lies in packages is not among it. */
const PLACES = ['etc', 'home', 'opt', 'root', 'run', 'srv', 'tmp', 'usr/local', 'var'];
/** What logins, systemd and the package manager write by themselves. */
const OTHERS =
  /^(var\/(cache|lib\/apt|lib\/dpkg|lib\/systemd|log)\/|run\/(?!$|.*agentless)|(var\/)?tmp\/systemd-private-)/;

export function whyNoFarHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'hosts are made by root';
  return ROOTS === undefined ? 'no root directories of releases: npm run test:matrix -- hosts' : undefined;
}

export class FarHost {
  readonly link: Link;
  /** What a client of it has: key, known hosts, configuration. */
  readonly #client = mkdtempSync(join(tmpdir(), 'far-client-'));
  readonly #space: FarSpace;

  /** Listening on port 22. */
  static async start(release: Release, unit: Unit = 'none'): Promise<FarHost> {
    const name = `${release}-${randomBytes(3).toString('hex')}`;
    const host = new FarHost(name, unit, await FarSpace.start(unit, join(ROOTS ?? '', release), name));
    try {
      await host.#settle();
      host.#admit();
      return host;
    } catch (error) {
      await host.stop();
      throw error;
    }
  }

  private constructor(
    readonly name: string,
    readonly unit: Unit,
    space: FarSpace,
  ) {
    this.#space = space;
    this.link = new Link(space.pid);
  }

  async stop(): Promise<void> {
    await this.#space.stop();
    rmSync(this.#client, {recursive: true});
  }

  /** Words that make a command work at it. */
  get there(): readonly string[] {
    return ['--host', this.name, '--ssh-config', this.#config];
  }

  get options(): RemoteOptions {
    return {destination: {host: this.name}, sudo: false, sshConfig: this.#config, interactive: false};
  }

  /** Logs in as its administrator does, who knows its host keys. */
  login(command = 'echo hello'): Promise<SshResult> {
    const [directory, host] = [this.#client, this.link.address];
    const who = {identity: join(directory, 'id'), login: 'root', knownHost: this.#hostKeys.join('\n')};
    return ssh({directory, port: 22, host, ...who}, command);
  }

  /** A path there, as it is seen from here: without sshd, and while its link is down. */
  path(inside: string): string {
    return this.#space.path(inside);
  }

  /** Has agentless there as well, where a person would install it. */
  installProgram(): void {
    const repository = dirname(dirname(PROGRAM));
    for (const part of ['bin', 'dist', 'templates', 'package.json'])
      cpSync(join(repository, part), this.path(join('usr/local/lib/agentless', part)), {recursive: true});
    cpSync(process.execPath, this.path('usr/local/bin/node'));
    symlinkSync('../lib/agentless/bin/run.cjs', this.path('usr/local/bin/agentless'));
  }

  /** What a program there says that is run from its console, as it were. */
  run(...argv: readonly string[]): string {
    return this.#space.run(...argv);
  }

  /** Shells that run there, such as those that work for us: by itself it has none, but our own process 1. */
  get shells(): number {
    const pids = readdirSync(this.path('proc')).filter((name) => /^\d+$/.test(name) && name !== '1');
    return pids.filter((pid) => /^(sh|bash|dash)$/m.test(readProcess(this.path(`proc/${pid}/comm`)))).length;
  }

  async tree(): Promise<Record<string, Leaf>> {
    const trees = PLACES.map(async (place) => {
      const tree = await snapshot(
        this.path(place),
        undefined,
        (path) => !OTHERS.test(`${join(place, path)}/`),
      );
      return Object.entries(tree).map(([path, leaf]) => [join(place, path), leaf] as const);
    });
    return Object.fromEntries((await Promise.all(trees)).flat());
  }

  /** Until systemd has started everything. */
  async #settle(): Promise<void> {
    if (this.unit === 'none') return;
    // It ends with a failure where a unit has failed, as some do in a container.
    const settled = ['running', 'degraded'];
    await until(() => settled.find((state) => this.#systemctl('is-system-running') === state));
    await until(() => this.#systemctl('is-active', this.unit) === 'active' || undefined);
  }

  /** What systemctl says, whatever it ends with; nothing where systemd does not answer yet. */
  #systemctl(...words: readonly string[]): string {
    try {
      return this.run('systemctl', ...words);
    } catch (error) {
      return String((error as {stdout?: unknown}).stdout ?? '').trim();
    }
  }

  get #config(): string {
    return join(this.#client, 'config');
  }

  get #hostKeys(): string[] {
    const names = readdirSync(this.path('etc/ssh')).filter((name) => /^ssh_host_.*\.pub$/.test(name));
    const keys = names.map((name) => readFileSync(this.path(join('etc/ssh', name)), 'utf8').trim());
    return keys.map((key) => `${this.link.address} ${key}`);
  }

  /** Lets our key in, and makes a client that knows the host. */
  #admit(): void {
    const [key, known] = [join(this.#client, 'id'), join(this.#client, 'known_hosts')];
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    mkdirSync(this.path('root/.ssh'), {recursive: true, mode: 0o700});
    writeFileSync(this.path('root/.ssh/authorized_keys'), readFileSync(`${key}.pub`), {mode: 0o600});
    writeFileSync(known, `${this.#hostKeys.join('\n')}\n`);
    const words = [
      `Host ${this.name}`,
      `HostName ${this.link.address}`,
      'User root',
      `IdentityFile ${key}`,
      'IdentitiesOnly yes',
      'IdentityAgent none',
      `UserKnownHostsFile ${known}`,
      'GlobalKnownHostsFile /dev/null',
      'StrictHostKeyChecking yes',
    ];
    writeFileSync(this.#config, `${words.join('\n')}\n`);
  }
}
