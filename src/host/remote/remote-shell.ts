// One connection of the system's ssh, and the shell at its other end (server.ts). Lines go out without waiting for the
// answers to earlier ones, which come in the same order.

import {randomBytes} from 'node:crypto';
import {mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import type {Duplex} from 'node:stream';
import {Failure} from '../../errors.js';
import {LARGEST_FILE} from '../host.js';
import {shellWord} from '../shell-word.js';
import {type Destination, wordsFor} from './destination.js';
import {firstByteOf} from './first-byte.js';
import {SERVER} from './server.js';
import {type Child, startSsh} from './ssh.js';

export interface RemoteOptions {
  readonly destination: Destination;
  /** Become root by `sudo -n`. */
  readonly sudo: boolean;
  /** In place of the user's own configuration of ssh. */
  readonly sshConfig?: string;
  /** Whether somebody is there to be asked for a password by ssh. */
  readonly interactive: boolean;
}

/** What a function of the server has said. */
export interface Answer {
  readonly status: number;
  readonly output: Buffer;
  readonly complaints: string;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** The login shell may be any: it has one simple line to take, without a newline and with single quotes alone. */
const BOOTSTRAP = `/bin/sh -c 'IFS= read -r program; eval "$(printf %b "$program")"'`;

export class RemoteShell {
  readonly where: string;
  readonly #options: RemoteOptions;
  readonly #child: Child;
  readonly #directory: string;
  readonly #mark = `@@${randomBytes(16).toString('hex')}`;
  readonly #waiting: Waiting[] = [];
  #received = Buffer.alloc(0);
  #said = '';
  #lost: Failure | undefined;
  #closing = false;

  /** Connects; rejects with HOST_UNREACHABLE and ssh's own words. */
  static async open(options: RemoteOptions): Promise<RemoteShell> {
    const shell = new RemoteShell(options);
    try {
      await shell.#send(`${escapeBytes(`mark=${shell.#mark} LARGEST=${LARGEST_FILE}\n${SERVER}`)}\n`);
      return shell;
    } catch (error) {
      await shell.close();
      throw error;
    }
  }

  private constructor(options: RemoteOptions) {
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
    this.#child.once('close', () => this.#end());
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

  /** Calls a function of the server with these arguments; rejects only when the connection is lost. */
  call(name: string, ...words: readonly string[]): Promise<Answer> {
    return this.#send(`ask ${name} ${words.map(quoted).join(' ')}\n`);
  }

  /** Calls a function that answers by itself. */
  command(name: string, ...words: readonly string[]): Promise<Answer> {
    return this.#send(`${name} ${words.map(quoted).join(' ')}\n`);
  }

  /** The same with something on its standard input. */
  feed(input: string | Uint8Array, name: string, ...words: readonly string[]): Promise<Answer> {
    return this.#send(`feed ${quoted(escapeBytes(input))} ${name} ${words.map(quoted).join(' ')}\n`);
  }

  /**
   * A connection through this one to a port as the host sees it. It is there with its first byte, for ssh says of no
   * connection that it was made: whoever listens has to speak first.
   */
  async dial(host: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    const address = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
    const socket = join(this.#directory, 's');
    return firstByteOf(this.#ssh(['-S', socket, '-oControlMaster=no', '-W', address]), signal);
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
    throw unreachable(this.where, complaints.join(''), this.#options);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE);
    await this.#child;
    clearTimeout(timer);
    rmSync(this.#directory, {recursive: true, force: true});
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
    const line = rest.indexOf('\n');
    return {
      status: Number(rest.slice(0, line)),
      output,
      complaints: Buffer.from(rest.slice(line + 1), 'latin1').toString(),
    };
  }

  #end(): void {
    if (this.#closing) return;
    this.#lost = unreachable(this.where, this.#said, this.#options);
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

const MASTER = ['-oControlMaster=yes', '-oControlPersist=no'];

/** For `printf %b`: one line of letters that every shell reads alike. */
function escapeBytes(content: string | Uint8Array): string {
  const text = typeof content === 'string' ? Buffer.from(content).toString('latin1') : latin1(content);
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped.
    /[\\\x00-\x1f\x7f-\xff]/g,
    (byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** A word for the server: on one line, in the bytes of its UTF-8. */
function quoted(word: string): string {
  const bytes = Buffer.from(word).toString('latin1');
  return `'${bytes.replaceAll("'", `'\\''`).replaceAll('\n', `'"$n"'`)}'`;
}

/** HOST_UNREACHABLE with the words of ssh, or of sudo. */
function unreachable(where: string, said: string, {sudo}: RemoteOptions): Failure {
  const words = said
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !/^(Warning: Permanently added|Killed by signal)/.test(line))
    .join('\n');
  const denied = sudo && /^sudo: /m.test(words);
  const message = denied ? `sudo on ${where} does not make us root` : `no connection to ${where} by ssh`;
  return new Failure('HOST_UNREACHABLE', message, {
    ...(words !== '' && {detail: words}),
    hint: hintFor(where, words, denied),
  });
}

function hintFor(where: string, words: string, denied: boolean): string {
  if (denied) {
    return /password|terminal/.test(words)
      ? 'sudo would ask for a password, which nobody can give here: allow it without (NOPASSWD), or log in as root'
      : 'allow this login to run /bin/sh by sudo, or log in as root';
  }
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION/.test(words))
    return `compare its host key with what the host's console says, then connect once by hand: ssh ${where}`;
  if (/Permission denied/.test(words)) return `check that \`ssh ${where}\` lets you in without a password`;
  return `check that \`ssh ${where} true\` works from here`;
}
