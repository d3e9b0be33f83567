// This machine as a Host. Every change is made beside its place, flushed and renamed into it.

import {once} from 'node:events';
import {constants} from 'node:fs';
import {
  chmod,
  chown,
  type FileHandle,
  lstat,
  mkdir,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  rm,
  rmdir,
  stat,
} from 'node:fs/promises';
import {connect} from 'node:net';
import {hostname} from 'node:os';
import {dirname} from 'node:path';
import type {Duplex} from 'node:stream';
import {codeOf} from '../system-error.js';
import {clone, cloneAttributes} from './clone.js';
import type {Entry, Host, Lock, Ownership, RunOptions, RunResult} from './host.js';
import {takeLock} from './lock.js';
import {runLocally} from './run.js';
import {temporaryName} from './temporary.js';

/** Larger files are none that we edit; reading them would only exhaust memory. */
const LARGEST_FILE = 16 * 1024 * 1024;

const NEW_FILE_MODE = 0o600;

function systemError(code: string, words: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${words}, '${path}'`), {code, path});
}

/** lstat, with undefined for what does not exist. */
async function lookUp(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function using<T>(path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, NEW_FILE_MODE);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

/** Makes a rename, creation or removal in a directory durable. */
async function flushDirectory(path: string): Promise<void> {
  await using(path, constants.O_RDONLY | constants.O_DIRECTORY, async (directory) => {
    try {
      await directory.sync();
    } catch (error) {
      // Some network file systems cannot flush a directory and need not.
      if (codeOf(error) !== 'EINVAL') throw error;
    }
  });
}

async function readRegularFile(path: string): Promise<Uint8Array> {
  // Should the file be exchanged for a FIFO after the lstat, O_NONBLOCK keeps the open from hanging.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  return using(path, flags, async (file) => {
    const {size} = await file.stat();
    if (size > LARGEST_FILE) throw systemError('EFBIG', `more than ${LARGEST_FILE} bytes`, path);
    return new Uint8Array(await file.readFile());
  });
}

function ownershipOf(from: Ownership): Ownership {
  return {mode: from.mode & 0o7777, uid: from.uid, gid: from.gid};
}

/** The regular file at `path`, undefined when nothing is there; anything else in the way is an error. */
async function regularFileAt(path: string): Promise<Ownership | undefined> {
  const found = await lookUp(path);
  if (found === undefined) return undefined;
  if (found.isDirectory()) throw systemError('EISDIR', 'is a directory', path);
  if (!found.isFile()) throw systemError('EINVAL', 'is not a regular file', path);
  return ownershipOf(found);
}

/** False when a directory is there already. */
async function madeDirectory(path: string, mode: number): Promise<boolean> {
  try {
    await mkdir(path, mode);
    return true;
  } catch (error) {
    if (codeOf(error) !== 'EEXIST' || !(await lstat(path)).isDirectory()) throw error;
    return false;
  }
}

/** Runs `prepare` on a fresh temporary name beside `path`, then puts the result in place, durably. */
async function replace(path: string, prepare: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = temporaryName(path);
  await rm(temporary, {force: true});
  try {
    await prepare(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, {force: true}).catch(() => undefined);
    throw error;
  }
  await flushDirectory(dirname(path));
}

/** Gives a new file or directory the label that the policy has for its path. */
async function labelAsPolicySays(path: string): Promise<void> {
  const restorecon = '/usr/sbin/restorecon';
  const enabled = await stat('/sys/fs/selinux/enforce')
    .then(() => stat(restorecon))
    .catch(() => undefined);
  if (enabled !== undefined) await runLocally([restorecon, path]);
}

/** Owner first: chown clears set-id bits. Owner and group are left alone where they are right already. */
async function setOwnership(file: FileHandle, wanted: Partial<Ownership>): Promise<void> {
  const now = await file.stat();
  const uid = wanted.uid ?? now.uid;
  const gid = wanted.gid ?? now.gid;
  if (uid !== now.uid || gid !== now.gid) await file.chown(uid, gid);
  await file.chmod(wanted.mode ?? now.mode & 0o7777);
}

/** The machine that this process runs on. Durable means fsync of the file and of the directory that names it. */
export class LocalHost implements Host {
  readonly name = hostname();
  readonly uid = process.geteuid?.() ?? 0;

  async look(path: string): Promise<Entry | undefined> {
    const found = await lookUp(path);
    if (found === undefined) return undefined;
    if (found.isSymbolicLink()) return {kind: 'symlink', target: await readlink(path)};
    if (found.isDirectory())
      return {kind: 'directory', names: (await readdir(path)).sort(), ...ownershipOf(found)};
    if (!found.isFile()) return {kind: 'special', ...ownershipOf(found)};
    return {kind: 'file', bytes: await readRegularFile(path), ...ownershipOf(found)};
  }

  resolve(path: string): Promise<string> {
    return realpath(path);
  }

  async write(path: string, bytes: Uint8Array, ownership: Partial<Ownership> = {}): Promise<void> {
    const existing = await regularFileAt(path);
    await replace(path, async (temporary) => {
      if (existing !== undefined) await cloneAttributes(path, temporary);
      const creation = existing === undefined ? constants.O_CREAT | constants.O_EXCL : 0;
      await using(temporary, constants.O_WRONLY | constants.O_NOFOLLOW | creation, async (file) => {
        await file.writeFile(bytes);
        await setOwnership(file, {mode: NEW_FILE_MODE, ...existing, ...ownership});
        await file.sync();
      });
    });
    if (existing === undefined) await labelAsPolicySays(path);
  }

  async makeDirectory(path: string, ownership: Partial<Ownership> & {readonly mode: number}): Promise<void> {
    const isNew = await madeDirectory(path, ownership.mode);
    const {uid, gid} = ownership;
    if (uid !== undefined || gid !== undefined) {
      const now = await stat(path);
      await chown(path, uid ?? now.uid, gid ?? now.gid);
    }
    await chmod(path, ownership.mode);
    await flushDirectory(path);
    await flushDirectory(dirname(path));
    if (isNew) await labelAsPolicySays(path);
  }

  async remove(path: string): Promise<void> {
    const found = await lookUp(path);
    if (found === undefined) return;
    await (found.isDirectory() ? rmdir(path) : rm(path, {force: true}));
    await flushDirectory(dirname(path));
  }

  async copy(from: string, to: string): Promise<void> {
    const source = await regularFileAt(from);
    if (source === undefined) throw systemError('ENOENT', 'no such file or directory', from);
    await regularFileAt(to);
    await replace(to, async (temporary) => {
      await clone(from, temporary);
      // A read-only file can be flushed through a descriptor that only reads.
      await using(temporary, constants.O_RDONLY | constants.O_NOFOLLOW, (file) => file.sync());
    });
  }

  async append(path: string, text: string): Promise<void> {
    const existing = await regularFileAt(path);
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    await using(path, flags, async (file) => {
      const {size} = await file.stat();
      try {
        await file.writeFile(text);
        await file.sync();
      } catch (error) {
        // Half a line would be taken for a crash, or spoil the next line.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    });
    if (existing === undefined) await flushDirectory(dirname(path));
  }

  run(argv: readonly string[], options?: RunOptions): Promise<RunResult> {
    return runLocally(argv, options);
  }

  async dial(address: string, port: number, signal?: AbortSignal): Promise<Duplex> {
    const socket = connect({host: address, port, ...(signal && {signal})});
    await once(socket, 'connect');
    return socket;
  }

  lock(path: string): Promise<Lock> {
    return takeLock(path);
  }
}
