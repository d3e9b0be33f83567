// This machine as a Host. Every change is made beside its place, flushed and renamed into it.

import {once} from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs';
import {connect} from 'node:net';
import {hostname} from 'node:os';
import {dirname} from 'node:path';
import type {Duplex} from 'node:stream';
import {codeOf} from '../system-error.js';
import {clone, cloneAttributes} from './clone.js';
import {
  type DialOptions,
  type Entry,
  type Host,
  LARGEST_FILE,
  type Lock,
  type Ownership,
  type RunOptions,
  type RunResult,
} from './host.js';
import {takeLocalLock} from './local-lock.js';
import {runLocally} from './run.js';
import {temporaryName} from './temporary.js';

const NEW_FILE_MODE = 0o600;

function systemError(code: string, words: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${words}, '${path}'`), {code, path});
}

// All of it is synchronous: a call is over in microseconds, a turn through the thread pool takes a hundred, and a join
// makes a thousand. What has to be flushed is waited for anyway before the next step.

/** lstat, with undefined for what does not exist. */
function lookUp(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function using<T>(path: string, flags: number, work: (file: number) => T): T {
  const file = openSync(path, flags, NEW_FILE_MODE);
  try {
    return work(file);
  } finally {
    closeSync(file);
  }
}

/** Makes a rename, creation or removal in a directory durable. */
function flushDirectory(path: string): void {
  using(path, constants.O_RDONLY | constants.O_DIRECTORY, (directory) => {
    try {
      fsyncSync(directory);
    } catch (error) {
      // Some network file systems cannot flush a directory and need not.
      if (codeOf(error) !== 'EINVAL') throw error;
    }
  });
}

function readRegularFile(path: string): Uint8Array {
  // Should the file be exchanged for a FIFO after the lstat, O_NONBLOCK keeps the open from hanging.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return using(path, flags, (file) => {
    if (fstatSync(file).size > LARGEST_FILE)
      throw systemError('EFBIG', `more than ${LARGEST_FILE} bytes`, path);
    return new Uint8Array(readFileSync(file));
  });
}

function ownershipOf(from: Ownership): Ownership {
  return {mode: from.mode & 0o7777, uid: from.uid, gid: from.gid};
}

/** The regular file at `path`, undefined when nothing is there; anything else in the way is an error. */
function regularFileAt(path: string): Ownership | undefined {
  const found = lookUp(path);
  if (found === undefined) return undefined;
  if (found.isDirectory()) throw systemError('EISDIR', 'is a directory', path);
  if (!found.isFile()) throw systemError('EINVAL', 'is not a regular file', path);
  return ownershipOf(found);
}

/** False when a directory is there already. */
function madeDirectory(path: string, mode: number): boolean {
  try {
    mkdirSync(path, mode);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !lstatSync(path).isDirectory()) throw error;
    return false;
  }
}

/** Runs `prepare` on a fresh temporary name beside `path`, then puts the result in place, durably. */
async function replace(path: string, prepare: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  rmSync(temporary, {force: true});
  try {
    await prepare(temporary);
    renameSync(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
  flushDirectory(dirname(path));
}

function removeQuietly(path: string): void {
  try {
    rmSync(path, {force: true});
  } catch {
    // As above.
  }
}

function truncate(file: number, size: number): void {
  try {
    ftruncateSync(file, size);
  } catch {
    // What kept it from being written matters more.
  }
}

/** Gives a new file or directory the label that the policy has for its path. */
async function labelAsPolicySays(path: string): Promise<void> {
  const restorecon = '/usr/sbin/restorecon';
  if (existsSync('/sys/fs/selinux/enforce') && existsSync(restorecon)) await runLocally([restorecon, path]);
}

/** Owner first: chown clears set-id bits. Owner and group are left alone where they are right already. */
function setOwnership(file: number, wanted: Partial<Ownership>): void {
  const now = fstatSync(file);
  const uid = wanted.uid ?? now.uid;
  const gid = wanted.gid ?? now.gid;
  if (uid !== now.uid || gid !== now.gid) fchownSync(file, uid, gid);
  fchmodSync(file, wanted.mode ?? now.mode & 0o7777);
}

/** The machine that this process runs on. Durable means fsync of the file and of the directory that names it. */
export class LocalHost implements Host {
  readonly name = hostname();
  readonly uid = process.geteuid?.() ?? 0;
  readonly pid = process.pid;

  async look(path: string): Promise<Entry | undefined> {
    const found = lookUp(path);
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) return {kind: 'symlink', target: readlinkSync(path)};
    if (found.isDirectory())
      return {kind: 'directory', names: readdirSync(path).sort(), ...ownershipOf(found)};
    if (!found.isFile()) return {kind: 'special', ...ownershipOf(found)};
    return {kind: 'file', bytes: readRegularFile(path), ...ownershipOf(found)};
  }

  async resolve(path: string): Promise<string> {
    return realpathSync.native(path);
  }

  async write(path: string, bytes: Uint8Array, ownership: Partial<Ownership> = {}): Promise<void> {
    const existing = regularFileAt(path);
    await replace(path, async (temporary) => {
      if (existing !== undefined) await cloneAttributes(path, temporary);
      const creation = existing === undefined ? constants.O_CREAT | constants.O_EXCL : 0;
      using(temporary, constants.O_WRONLY | constants.O_NOFOLLOW | creation, (file) => {
        writeFileSync(file, bytes);
        setOwnership(file, {mode: NEW_FILE_MODE, ...existing, ...ownership});
        fsyncSync(file);
      });
    });
    if (existing === undefined) await labelAsPolicySays(path);
  }

  async makeDirectory(path: string, ownership: Partial<Ownership> & {readonly mode: number}): Promise<void> {
    const isNew = madeDirectory(path, ownership.mode);
    const {uid, gid} = ownership;
    if (uid !== undefined || gid !== undefined) {
      const now = statSync(path);
      chownSync(path, uid ?? now.uid, gid ?? now.gid);
    }
    chmodSync(path, ownership.mode);
    flushDirectory(path);
    flushDirectory(dirname(path));
    if (isNew) await labelAsPolicySays(path);
  }

  async remove(path: string): Promise<void> {
    const found = lookUp(path);
    if (found === undefined) return;
    if (found.isDirectory()) rmdirSync(path);
    else rmSync(path, {force: true});
    flushDirectory(dirname(path));
  }

  async copy(from: string, to: string): Promise<void> {
    const source = regularFileAt(from);
    if (source === undefined) throw systemError('ENOENT', 'no such file or directory', from);
    regularFileAt(to);
    await replace(to, async (temporary) => {
      await clone(from, temporary);
      // A read-only file can be flushed through a descriptor that only reads.
      using(temporary, constants.O_RDONLY | constants.O_NOFOLLOW, fsyncSync);
    });
  }

  async append(path: string, text: string): Promise<void> {
    const existing = regularFileAt(path);
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    using(path, flags, (file) => {
      const {size} = fstatSync(file);
      try {
        writeFileSync(file, text);
        fsyncSync(file);
      } catch (error) {
        // Half a line would be taken for a crash, or spoil the next line.
        truncate(file, size);
        throw error;
      }
    });
    if (existing === undefined) flushDirectory(dirname(path));
  }

  run(argv: readonly string[], options?: RunOptions): Promise<RunResult> {
    return runLocally(argv, options);
  }

  async dial(address: string, port: number, {signal}: DialOptions = {}): Promise<Duplex> {
    const socket = connect({host: address, port, ...(signal && {signal})});
    await once(socket, 'connect');
    return socket;
  }

  lock(path: string): Promise<Lock> {
    return takeLocalLock(path);
  }
}
