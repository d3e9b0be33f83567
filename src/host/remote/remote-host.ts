// A machine that is reached over ssh as a Host: each method is a function of the shell at the other end (server.ts).

import {randomBytes} from 'node:crypto';
import type {Duplex} from 'node:stream';
import {Failure} from '../../errors.js';
import type {Entry, Host, Lock, Ownership, RunOptions, RunResult, Watch} from '../host.js';
import {type LockGround, takeLock} from '../lock.js';
import type {Sequence} from '../sequence.js';
import {shellWord} from '../shell-word.js';
import {temporaryName} from '../temporary.js';
import {Orders} from './orders.js';
import {addressOf, type RemoteOptions, RemoteShell} from './remote-shell.js';
import {RemoteWatch} from './remote-watch.js';
import {check} from './system-errors.js';

const DEFAULT_TIMEOUT = 30_000;

/** `rwsr-x--T` of ls as permission bits. */
export function modeOf(permissions: string): number {
  let mode = 0;
  for (const [index, letter] of [...permissions.slice(1, 10)].entries()) {
    if (letter !== '-' && letter !== 'S' && letter !== 'T') mode |= 1 << (8 - index);
    if ('sS'.includes(letter)) mode |= index === 2 ? 0o4000 : 0o2000;
    if ('tT'.includes(letter)) mode |= 0o1000;
  }
  return mode;
}

const octal = (mode: number | undefined): string => (mode === undefined ? '' : `0${mode.toString(8)}`);
const decimal = (id: number | undefined): string => (id === undefined ? '' : String(id));

interface Facts {
  readonly pid: number;
  readonly uid: number;
  readonly name: string;
  /** Who has logged in, before sudo. */
  readonly login: string;
  /** Where ssh dials it: a name or an address. */
  readonly address: string;
  readonly reachedBy: string;
  /** How `timeout` of that host takes its time: to a fraction of a second, in whole ones, or not at all. */
  readonly timeouts: string;
  /** For the dead man's switch. */
  readonly watchDirectory: string;
}

export class RemoteHost implements Host {
  readonly name: string;
  readonly login: string;
  readonly address: string;
  readonly uid: number;
  readonly pid: number;
  readonly reachedBy: string;
  readonly watch: Watch;
  readonly #shell: RemoteShell;
  readonly #orders: Orders;
  readonly #facts: Facts;

  /** Rejects with HOST_UNREACHABLE. */
  static async open(options: RemoteOptions): Promise<RemoteHost> {
    const addressing = addressOf(options);
    addressing.catch(() => undefined);
    const shell = new RemoteShell(options);
    try {
      const {output, complaints} = await shell.call('hello');
      const [pid = '', uid = '', name = '', login = '', timeouts = ''] = output.toString().split('\n');
      if (!/^\d+$/.test(pid) || !/^\d+$/.test(uid)) {
        throw new Failure('HOST_UNSUITABLE', `${shell.where} has no shell that can be worked with`, {
          detail: complaints.trim(),
          hint: 'it needs a POSIX /bin/sh',
        });
      }
      const runtime = uid === '0' ? '/run' : '/tmp';
      return new RemoteHost(shell, new Orders(shell, false), {
        pid: Number(pid),
        uid: Number(uid),
        name,
        login,
        address: await addressing,
        reachedBy: reachedBy(options),
        timeouts,
        watchDirectory: `${runtime}/agentless-watch-${pid}-${randomBytes(6).toString('hex')}`,
      });
    } catch (error) {
      await shell.close();
      throw error;
    }
  }

  private constructor(shell: RemoteShell, orders: Orders, facts: Facts) {
    this.#shell = shell;
    this.#orders = orders;
    this.#facts = facts;
    this.reachedBy = facts.reachedBy;
    this.pid = facts.pid;
    this.uid = facts.uid;
    this.name = facts.name;
    this.login = facts.login;
    this.address = facts.address;
    this.watch = new RemoteWatch(shell, orders, facts.watchDirectory);
  }

  sequence(): Sequence {
    const orders = new Orders(this.#shell, true);
    const host = new RemoteHost(this.#shell, orders, this.#facts);
    return {host, isAhead: true, reached: () => orders.reached()};
  }

  /** What we call it. */
  get where(): string {
    return this.#shell.where;
  }

  async look(path: string): Promise<Entry | undefined> {
    const output = await this.#orders.read('look', path);
    const end = output.indexOf('\n');
    const [permissions = '', uid, gid] = output.subarray(0, end).toString('latin1').split(' ');
    const rest = output.subarray(end + 1);
    if (permissions === 'a') return undefined;
    if (permissions === 'l') return {kind: 'symlink', target: rest.subarray(0, -1).toString()};
    const ownership = {mode: modeOf(permissions), uid: Number(uid), gid: Number(gid)};
    if (permissions.startsWith('d')) {
      const names = rest.toString().split('\0').slice(0, -1);
      return {kind: 'directory', names: names.sort(), ...ownership};
    }
    if (!permissions.startsWith('-')) return {kind: 'special', ...ownership};
    return {kind: 'file', bytes: new Uint8Array(rest), ...ownership};
  }

  async resolve(path: string): Promise<string> {
    return (await this.#orders.read('resolve', path)).subarray(0, -1).toString();
  }

  write(path: string, bytes: Uint8Array, {mode, uid, gid}: Partial<Ownership> = {}): Promise<void> {
    const words = [path, temporaryName(path), octal(mode), decimal(uid), decimal(gid)];
    return this.#orders.change('write', path, (caller) => caller.feed(bytes, 'put', ...words));
  }

  makeDirectory(path: string, {mode, uid, gid}: Partial<Ownership> & {readonly mode: number}): Promise<void> {
    const words = [path, octal(mode), decimal(uid), decimal(gid)];
    return this.#orders.change('directory', path, (caller) => caller.call('directory', ...words));
  }

  remove(path: string): Promise<void> {
    return this.#orders.change('gone', path, (caller) => caller.call('gone', path));
  }

  copy(from: string, to: string): Promise<void> {
    return this.#orders.change('copy', from, (caller) => caller.call('copy', from, to, temporaryName(to)));
  }

  append(path: string, text: string): Promise<void> {
    return this.#orders.change('append to', path, (caller) => caller.feed(text, 'add', path));
  }

  async run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    const {input, timeout = DEFAULT_TIMEOUT, env} = options;
    const words = [
      ...(env === undefined
        ? []
        : ['env', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)]),
      ...this.#limit(timeout),
      ...argv,
    ];
    const {status, output, complaints} = await this.#orders.run((caller) =>
      input === undefined ? caller.call('program', ...words) : caller.feed(input, 'fed', ...words),
    );
    // A shell has 128 and the number of the signal that ended a program.
    return {status: status > 128 ? undefined : status, stdout: output.toString(), stderr: complaints};
  }

  async dial(address: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    return this.#shell.dial(address, port, signal);
  }

  async lock(path: string): Promise<Lock> {
    await this.#orders.reached();
    return takeLock(this.#ground, path);
  }

  /** Ends the connection; the host keeps nothing of it. */
  close(): Promise<void> {
    return this.#shell.close();
  }

  get #ground(): LockGround {
    const shell = this.#shell;
    return {
      pid: this.pid,
      read: async (path) => {
        const {status, output} = await shell.call('cat', path);
        return status === 0 ? output.toString() : undefined;
      },
      create: async (path, text) => check(await shell.feed(text, 'created', path), 'create', path),
      link: async (from, to) => {
        const answer = await shell.call('claimed', from, to);
        if (answer.status === 3) return false;
        check(answer, 'link', to);
        return true;
      },
      rename: async (from, to) => check(await shell.call('mv', '-f', from, to), 'rename', from),
      remove: async (path) => check(await shell.call('rm', '-f', path), 'remove', path),
      names: async (directory) => {
        const entry = await this.look(directory);
        return entry?.kind === 'directory' ? entry.names : [];
      },
    };
  }

  #limit(milliseconds: number): readonly string[] {
    if (this.#facts.timeouts === 'none') return [];
    const seconds = milliseconds / 1000;
    return ['timeout', '-s', 'KILL', String(this.#facts.timeouts === 'fine' ? seconds : Math.ceil(seconds))];
  }
}

function reachedBy({destination: {user, host, port}, sudo, sshConfig}: RemoteOptions): string {
  const name = host.includes(':') ? `[${host}]` : host;
  const where = `${user === undefined ? '' : `${user}@`}${name}${port === undefined ? '' : `:${port}`}`;
  const config = sshConfig === undefined ? [] : ['--ssh-config', shellWord(sshConfig)];
  return ['--host', shellWord(where), ...(sudo ? ['--sudo'] : []), ...config].join(' ');
}
