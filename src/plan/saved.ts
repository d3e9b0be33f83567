// Faithful copies of files as they were before, numbered, in the data directory.

import {basename, join} from 'node:path';
import type {Host} from '../host/host.js';
import type {DataDirectory} from './data-directory.js';

/** Copies whose file somebody else had changed when it should have been put back: the owner may want them. */
const KEPT = 'kept-';

export const isKept = (name: string): boolean => name.startsWith(KEPT);

/** Names of all copies; undefined: there is no place for any. */
export async function namesIn(host: Host, directory: DataDirectory): Promise<readonly string[] | undefined> {
  const entry = await host.look(directory.saved);
  return entry?.kind === 'directory' ? entry.names : undefined;
}

/** Copies a file away and gives the name of the copy; the caller announces it before there is one, by its path. */
export type Save = (path: string, announce: (copy: string) => Promise<void>) => Promise<string>;

/** For one transaction. The copies are numbered, because two files may have one base name. */
export function savingIn(host: Host, directory: DataDirectory): Save {
  const looking = namesIn(host, directory);
  looking.catch(() => undefined);
  let last: number | undefined;
  return async (path, announce) => {
    if (last === undefined) {
      const names = await looking;
      if (names === undefined) await host.makeDirectory(directory.saved, {mode: 0o700});
      last = Math.max(0, ...(names ?? []).map((name) => Number(/^(?:kept-)?(\d+)-/.exec(name)?.[1] ?? 0)));
    }
    last += 1;
    const name = `${last}-${basename(path)}`;
    await announce(join(directory.saved, name));
    await host.copy(path, join(directory.saved, name));
    return name;
  };
}

/** Keeps a copy beyond the end of its transaction; gives its new place. */
export async function keepSaved(host: Host, directory: DataDirectory, name: string): Promise<string> {
  const kept = join(directory.saved, `${KEPT}${name}`);
  // A recovery that was cut off may have kept it, and swept the first name, already.
  if ((await host.look(kept)) === undefined) await host.copy(join(directory.saved, name), kept);
  return kept;
}

/** Removes the copies that nobody refers to any more, and what a crash has left half-made. */
export async function sweepSaved(
  host: Host,
  directory: DataDirectory,
  wanted: ReadonlySet<string>,
  looking = namesIn(host, directory),
): Promise<void> {
  const names = await looking;
  if (names === undefined) return;
  const stale = names.filter((name) => !isKept(name) && !wanted.has(name));
  for (const name of stale) await host.remove(join(directory.saved, name));
  if (stale.length === names.length) await host.remove(directory.saved);
}
