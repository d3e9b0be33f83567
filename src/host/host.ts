// The port to the machine being changed: this machine, or one that is reached over ssh. No caching and no retries inside;
// every write is durable when its promise resolves.

import type {Duplex} from 'node:stream';
import type {Sequence} from './sequence.js';

/** Bytes. Larger files are none that we edit; reading them would only exhaust memory. */
export const LARGEST_FILE = 16 * 1024 * 1024;

export interface Ownership {
  /** Permission bits, 0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What stands at a path, without following a symbolic link and without opening anything but a regular file. */
export type Entry =
  | ({readonly kind: 'file'; readonly bytes: Uint8Array} & Ownership)
  | ({readonly kind: 'directory'; readonly names: readonly string[]} & Ownership)
  | {readonly kind: 'symlink'; readonly target: string}
  | ({readonly kind: 'special'} & Ownership);

export interface RunOptions {
  readonly input?: string | Uint8Array;
  /** Milliseconds; the process is killed after that and `status` is undefined. Default 30 000. */
  readonly timeout?: number;
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunResult {
  /** Exit status; undefined when a signal or the timeout ended it, 127 when the program does not exist. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface DialOptions {
  /** Ends the attempt, or the connection. */
  readonly signal?: AbortSignal | undefined;
  /** Whoever listens speaks first, as sshd does: then the connection is there with its first byte. */
  readonly greets?: boolean;
}

export interface Lock {
  release(): Promise<void>;
}

/** What undoes one thing that was begun, in words that a host can keep. */
export type Undo =
  | {readonly kind: 'absent'; readonly path: string}
  | {readonly kind: 'file'; readonly path: string; readonly copy: string}
  | ({readonly kind: 'directory'; readonly path: string} & Ownership)
  /** Before the files are put back: what takes back a lasting effect. */
  | {readonly kind: 'release'; readonly argv: readonly string[]}
  /** Once they are back: what has the system take them. */
  | {readonly kind: 'settle'; readonly argv: readonly string[]};

/** The traces of a transaction, which go when it was undone. */
export interface Traces {
  readonly journal: string;
  readonly saved: string;
  readonly lock: string;
  /** Directories that were made for these, outermost first, and the file that says so. */
  readonly made: readonly string[];
  readonly marker: string | undefined;
}

/**
 * What has become of a transaction whose connection was lost. 'kept': it was committed; 'stuck': not all of it could be
 * undone; 'unknown': the host cannot be reached.
 */
export type Outcome = 'undone' | 'kept' | 'stuck' | 'unknown';

/**
 * The dead man's switch of a host that can be lost: from `begin` to `end` it undoes by itself what was noted, as soon as
 * the connection ends, or when nothing was confirmed in time. A journal that is committed stays.
 */
export interface Watch {
  /**
   * Makes a private directory for what is on no record and goes again at once: with the connection at the latest it goes,
   * and so does what has its name in /etc and /etc/pam.d.
   */
  stage(path: string): Promise<void>;
  begin(traces: Traces): Promise<void>;
  /** Before the thing is done. */
  note(undo: Undo): Promise<void>;
  /** Over a new connection, as somebody comes who wants to log in; CHANGE_FAILED when there is none. */
  confirm(): Promise<void>;
  end(): Promise<void>;
  /** True once the connection has ended, or the host has given us up. */
  readonly isLost: boolean;
  /** After the connection was lost. */
  settled(journal: string): Promise<Outcome>;
}

/** Errors of the system (ENOSPC, EACCES, EROFS …) come through as thrown, with `code`. */
export interface Host {
  readonly name: string;
  /** Whose rights everything here is done with. */
  readonly uid: number;
  /** The process there that works for us: as long as it is alive, so are we. */
  readonly pid: number;
  /** Words with which a command works at it from here, e.g. "--host root@web1 --sudo"; absent: it is this machine. */
  readonly reachedBy?: string;
  /** Seconds by which its clock is ahead of ours, negative where it is behind; absent: it is ours. */
  readonly clockAhead?: number;
  /** Only of a host that can be lost in the middle of a change. */
  readonly watch?: Watch;
  look(path: string): Promise<Entry | undefined>;
  /** The path with every symbolic link resolved; fails with ENOENT on a dangling one. */
  resolve(path: string): Promise<string>;
  /**
   * Puts a regular file in place: temporary file in the same directory, fsync, rename, fsync of the directory.
   * An existing file keeps its owner, mode, extended attributes and ACL unless `ownership` says otherwise.
   * The path must not be a symbolic link: resolve it first.
   */
  write(path: string, bytes: Uint8Array, ownership?: Partial<Ownership>): Promise<void>;
  makeDirectory(path: string, ownership: Partial<Ownership> & {readonly mode: number}): Promise<void>;
  /** Removes a file, a link or an empty directory; an absent path is fine. Durable like `write`. */
  remove(path: string): Promise<void>;
  /** A faithful copy of a regular file (bytes, owner, mode, times, extended attributes, ACL), by temp + rename, durable. */
  copy(from: string, to: string): Promise<void>;
  /** Appends to a file (created 0600) and flushes it before resolving. */
  append(path: string, text: string): Promise<void>;
  /** Runs a program without a shell. Never rejects for a non-zero status. Secrets go in by `input` only. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** A connection to a port as seen from this host. */
  dial(address: string, port: number, options?: DialOptions): Promise<Duplex>;
  /** Takes the lock or fails with HOST_LOCKED naming the holder's pid. A lock whose holder is gone is taken over. */
  lock(path: string): Promise<Lock>;
  /** Only of a host whose answers take their time. One at a time: a new one forgets what has failed in the last. */
  sequence?(): Sequence;
}
