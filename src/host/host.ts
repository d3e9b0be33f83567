// The port to the machine being changed. Two implementations are planned: this machine, and a machine reached over
// ssh. No caching and no retries inside; every write is durable when its promise resolves.

import type {Duplex} from 'node:stream';

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

export interface Lock {
  release(): Promise<void>;
}

/** Errors of the system (ENOSPC, EACCES, EROFS …) come through as thrown, with `code`. */
export interface Host {
  readonly name: string;
  /** Whose rights everything here is done with. */
  readonly uid: number;
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
  /** A connection to a port as seen from this host; the signal ends the attempt, or the connection. */
  dial(address: string, port: number, signal?: AbortSignal): Promise<Duplex>;
  /** Takes the lock or fails with HOST_LOCKED naming the holder's pid. A lock whose holder is gone is taken over. */
  lock(path: string): Promise<Lock>;
}
