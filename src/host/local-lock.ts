// Locks on this machine's files.

import {linkSync, readdirSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync} from 'node:fs';
import {codeOf} from '../system-error.js';
import type {Lock} from './host.js';
import {type LockGround, takeLock} from './lock.js';

const ground: LockGround = {
  pid: process.pid,
  read: async (path) => readIfThere(path),
  create: async (path, text) => writeFileSync(path, text, {flag: 'wx', mode: 0o600}),
  link: async (from, to) => {
    try {
      linkSync(from, to);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  },
  rename: async (from, to) => renameSync(from, to),
  remove: async (path) => rmSync(path, {force: true}),
  names: async (directory) => readdirSync(directory),
};

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Let go at the latest when this process ends. */
export async function takeLocalLock(path: string): Promise<Lock> {
  const {claim} = await takeLock(ground, path);
  const letGo = (): void => {
    process.off('exit', letGo);
    try {
      if (readFileSync(path, 'utf8') === claim) unlinkSync(path);
    } catch {
      // Gone already, or no longer removable: it is dead with this process anyway.
    }
  };
  process.on('exit', letGo);
  return {release: async () => letGo()};
}
