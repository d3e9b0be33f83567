// Reads a configuration with everything it includes from a host, so that the pure model can work on it.

import {Failure} from '../errors.js';
import {type Dialect, escapeGlob, includePatterns, matchesGlob, type Tree} from '../ssh/sshd-config/index.js';
import type {Host} from './host.js';
import {lookBehind} from './look-behind.js';

/** More files than sshd itself would follow in any sane configuration; stops a glob over a huge directory. */
const MOST_FILES = 2000;

/** The tree below `main`; a file that cannot be read is left out, as sshd -T has already said what it thinks of it. */
export async function readTree(host: Host, main: string, dialect: Dialect): Promise<Tree> {
  const files = new Map<string, Uint8Array>();
  const directories = new Set<string>();
  const target = host.resolve(main);
  // One generation of includes after the other, for each file costs a far host as much as all of them.
  for (let paths = [main]; paths.length > 0; ) {
    const [, ...read] = await Promise.all([
      target,
      ...paths.map((path) => readConfig(host, path, path === main)),
    ]);
    const patterns: string[] = [];
    for (const [index, path] of paths.entries()) {
      const bytes = read[index];
      if (bytes === undefined || files.has(path)) continue;
      files.set(path, bytes);
      if (dialect.include && files.size <= MOST_FILES) patterns.push(...includePatterns(bytes, dialect));
    }
    const named = await Promise.all(patterns.map((pattern) => expand(host, pattern, directories)));
    paths = [...new Set(named.flat())].filter((path) => !files.has(path));
  }
  const mainTarget = await target;
  return {main, files, directories, ...(mainTarget !== main && {mainTarget})};
}

async function readConfig(host: Host, path: string, needed: boolean): Promise<Uint8Array | undefined> {
  try {
    const entry = await lookBehind(host, path);
    if (entry?.kind === 'file') return entry.bytes;
    if (!needed) return undefined;
  } catch (cause) {
    if (!needed) return undefined;
    throw new Failure('HOST_UNSUITABLE', `cannot read ${path}`, {cause, hint: 'run this as root, with sudo'});
  }
  throw new Failure('HOST_UNSUITABLE', `${path} is not a regular file`, {
    hint: "name sshd's file with --openssh-config",
  });
}

/** Files that an absolute pattern names; patterns may stand in any part of it. */
async function expand(host: Host, pattern: string, directories: Set<string>): Promise<string[]> {
  let found = [''];
  for (const part of pattern.split('/').slice(1)) {
    const next: string[] = [];
    for (const parent of found) next.push(...(await children(host, parent, part, directories)));
    found = next;
  }
  return found;
}

async function children(
  host: Host,
  parent: string,
  part: string,
  directories: Set<string>,
): Promise<string[]> {
  const exact = `${parent}/${part}`;
  if (!/[*?[\\]/.test(part)) return [exact];
  const entry = await host
    .resolve(parent === '' ? '/' : parent)
    .then((real) => host.look(real))
    .catch(() => undefined);
  if (entry?.kind !== 'directory') return [];
  directories.add(parent);
  return entry.names
    .map((name) => `${parent}/${name}`)
    .filter((path) => matchesGlob(`${escapeGlob(parent)}/${part}`, path));
}
