// One connection of the system's ssh, and the shell at its other end (server.ts). Lines go out without waiting for the
// answers to earlier ones, which come in the same order.

import {randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import type {Duplex} from 'node:stream';
import {Failure} from '../../errors.js';
import {type DialOptions, LARGEST_FILE} from '../host.js';
import {shellWord} from '../shell-word.js';
import {type Answer, Caller, escapeBytes} from './caller.js';
import {type Destination, wordsFor} from './destination.js';
import {Dialler, type Line} from './dialler.js';
import {SERVER} from './server.js';
import {type Child, startSsh} from './ssh.js';
import {unreachable} from './unreachable.js';

export interface RemoteOptions {
  readonly destination: Destination;
  /** Become root by `sudo -n`. */
  readonly sudo: boolean;
  /** In place of the user's own configuration of ssh. */
  readonly sshConfig?: string;
  /** Whether somebody is there to be asked for a password by ssh. */
  readonly interactive: boolean;
  /** Ends the attempt to connect, which may take minutes; INTERRUPTED then. Later it means nothing here. */
  readonly signal?: AbortSignal;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** The login shell may be any: it has one simple line to take, without a newline and with single quotes alone. */
const BOOTSTRAP = `/bin/sh -c 'IFS= read -r program; eval "$(printf %b "$program")"'`;

export class RemoteShell extends Caller {
  readonly where: string;
  /** Does nothing once something sent like this has failed. */
  readonly ahead = new Caller((line) => this.#send(`ahead ${line}`));
  /** The same, and may fail: nobody goes on before its answer is there. */
  readonly behind = new Caller((line) => this.#send(`behind ${line}`));
  readonly #options: RemoteOptions;
  readonly #child: Child;
  readonly #directory: string;
  readonly #dialler: Dialler;
  readonly #mark = `@@${randomBytes(16).toString('hex')}`;
  readonly #waiting: Waiting[] = [];
  #received = Buffer.alloc(0);
  #said = '';
  #lost: Failure | undefined;
  #closing = false;
  /** Whether the shell at the other end has said anything. */
  #answered = false;

  /** Connects, and hands the program over. What is asked rejects with HOST_UNREACHABLE where that cannot be done. */
  constructor(options: RemoteOptions) {
    super((line) => this.#send(line));
    const {destination, sudo} = options;
    this.where = destination.host;
    this.#options = options;
    // Short, for it is the name of a socket.
    this.#directory = mkdtempSync('/tmp/agentless-ssh-');
    this.#child = this.#ssh(
      [...MASTER, '-S', join(this.#directory, 's')],
      sudo ? `exec sudo -n -- ${BOOTSTRAP}` : `exec ${BOOTSTRAP}`,
    );
    this.#child.stdout?.on('data', (data: Buffer) => this.#receive(data));
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#said = `${this.#said}${data.toString('latin1')}`.slice(-4096);
    });
    this.#child.stdin?.on('error', () => undefined);
    this.#child.once('close', (status) => this.#end(status ?? undefined));
    this.#dialler = new Dialler(this.#line());
    const program = `mark=${this.#mark} LARGEST=${LARGEST_FILE}\n${SERVER}`;
    this.#send(`${escapeBytes(program)}\n`).catch(() => undefined);
  }

  /** The first thing that is asked. */
  async greet(): Promise<Answer> {
    const {signal} = this.#options;
    const stop = () => void this.#child.kill();
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, {once: true});
    try {
      return await this.call('hello');
    } catch (error) {
      throw signal?.aborted ? new Failure('INTERRUPTED', 'interrupted', {cause: error}) : error;
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  /** True once the connection has ended without our asking. */
  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** The host has not waited for us any longer: what we ask of it from here on would come too late. */
  undone(): Failure {
    this.#lost ??= new Failure('HOST_UNREACHABLE', `${this.where} has waited too long for a confirmation`);
    return this.#lost;
  }

  /** What failed ahead is dealt with. */
  forget(): void {
    this.#child.stdin?.write('failed=\n');
  }

  /** A connection to a port as the host sees it. */
  dial(host: string, port: number, options?: DialOptions): Promise<Duplex> {
    return this.#dialler.dial(host, port, options);
  }

  /** Runs one line of a program over a connection of its own, as a stranger would come: its standard output. */
  async anew(program: string): Promise<string> {
    const line = `/bin/sh -c ${shellWord(program)}`;
    const {sudo} = this.#options;
    const child = this.#ssh(
      ['-oControlPath=none', CONNECT_TIMEOUT],
      sudo ? `exec sudo -n -- ${line}` : `exec ${line}`,
    );
    child.stdin?.end();
    const said: string[] = [];
    const complaints: string[] = [];
    child.stdout?.on('data', (data: Buffer) => said.push(data.toString('latin1')));
    child.stderr?.on('data', (data: Buffer) => complaints.push(data.toString('latin1')));
    const {exitCode} = await child;
    if (exitCode === 0) return said.join('');
    throw unreachable(this.#options, complaints.join(''), exitCode);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    await this.#child;
    clearTimeout(timer);
    rmSync(this.#directory, {recursive: true, force: true});
  }

  /** Further channels of this connection. */
  #line(): Line {
    const along = ['-S', join(this.#directory, 's'), '-oControlMaster=no'];
    return {
      where: this.where,
      forward: (endpoint) => this.#ssh([...along, '-v', '-W', endpoint]),
      open: async (name, endpoint) => {
        const path = join(this.#directory, name);
        // None of the user's configuration, which may have forwardings of its own.
        const words = ['-F', 'none', ...along, '-O', 'forward', '-L', `${path}:${endpoint}`, this.where];
        const child = startSsh(words);
        child.stdin.end();
        return (await child).exitCode === 0 ? path : undefined;
      },
      start: (program) => {
        const child = this.#ssh(along, `exec ${BOOTSTRAP}`);
        child.stdin.write(`${escapeBytes(program)}\n`, 'latin1');
        return child;
      },
      listen: (hear) => {
        const told = (data: Buffer) => hear(data.toString('latin1'));
        this.#child.stderr.on('data', told);
        return () => this.#child.stderr.off('data', told);
      },
    };
  }

  #ssh(words: readonly string[], command?: string): Child {
    return startSsh(argvFor(this.#options, words, command));
  }

  #send(line: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#lost !== undefined) return reject(this.#lost);
      this.#waiting.push({resolve, reject});
      this.#child.stdin?.write(line, 'latin1');
    });
  }

  #receive(data: Buffer): void {
    this.#received = Buffer.concat([this.#received, data]);
    for (let answer = this.#next(); answer !== undefined; answer = this.#next())
      this.#waiting.shift()?.resolve(answer);
  }

  /** "…output\nMARK status\ncomplaints\nMARK.\n"; what a login shell has said before the first belongs to its output. */
  #next(): Answer | undefined {
    const start = this.#received.indexOf(`\n${this.#mark} `);
    const last = `\n${this.#mark}.\n`;
    const end = start < 0 ? -1 : this.#received.indexOf(last, start);
    if (end < 0) return undefined;
    const output = this.#received.subarray(0, start);
    const rest = this.#received.subarray(start + this.#mark.length + 2, end).toString('latin1');
    this.#received = this.#received.subarray(end + last.length);
    this.#answered = true;
    const line = rest.indexOf('\n');
    return {
      status: Number(rest.slice(0, line)),
      output,
      complaints: Buffer.from(rest.slice(line + 1), 'latin1').toString(),
    };
  }

  #end(status: number | undefined): void {
    if (this.#closing) return;
    // A shell that answers no login says why, if at all, on its standard output.
    this.#lost = this.#answered
      ? unreachable(this.#options, this.#said)
      : unreachable(this.#options, `${this.#said}\n${this.#received.toString('latin1')}`, status);
    for (const {reject} of this.#waiting.splice(0)) reject(this.#lost);
  }
}

const PATIENCE = 10_000;

/** Where ssh dials this host, by the user's configuration. */
export async function addressOf(options: RemoteOptions): Promise<string> {
  const child = startSsh(argvFor(options, ['-G']));
  child.stdin.end();
  const said: string[] = [];
  child.stdout.on('data', (data: Buffer) => said.push(data.toString()));
  await child;
  return /^hostname (\S+)$/m.exec(said.join(''))?.[1] ?? options.destination.host;
}

function argvFor(
  {destination, sshConfig, interactive}: RemoteOptions,
  words: readonly string[],
  command?: string,
): readonly string[] {
  return [
    ...(sshConfig === undefined ? [] : ['-F', sshConfig]),
    ...COMMON,
    ...(interactive ? [] : ['-oBatchMode=yes']),
    ...words,
    ...wordsFor(destination),
    ...(command === undefined ? [] : [command]),
  ];
}

/** Of the user's configuration counts what leads to the host; what would start something there does not. */
const COMMON = [
  '-T',
  '-a',
  '-x',
  '-oRemoteCommand=none',
  '-oPermitLocalCommand=no',
  '-oClearAllForwardings=yes',
  '-oServerAliveInterval=5',
  '-oServerAliveCountMax=3',
];

/** Whoever asks whether the host is there has no minutes to wait for a network that says nothing. */
const CONNECT_TIMEOUT = '-oConnectTimeout=20';

/** What it says is what a user is told when something fails. */
const MASTER = ['-oControlMaster=yes', '-oControlPersist=no', '-oLogLevel=INFO'];
