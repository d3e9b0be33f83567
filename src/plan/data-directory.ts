// The directory that holds the journal, the saved copies and the ownership record, and the lock in it.

import {basename, dirname, join} from 'node:path';
import {Failure} from '../errors.js';
import type {Entry, Host, Lock, Ownership} from '../host/host.js';
import {codeOf} from '../system-error.js';

export interface DataDirectory {
  readonly path: string;
  readonly journal: string;
  readonly saved: string;
  readonly record: string;
}

export function dataDirectory(path: string): DataDirectory {
  return {
    path,
    journal: join(path, 'journal.jsonl'),
    saved: join(path, 'saved'),
    record: join(path, 'record.json'),
  };
}

/** A data directory whose lock we hold. */
export interface OpenDirectory extends DataDirectory {
  /** The directories that this transaction has made for it, outermost first; empty when it was there before. */
  readonly made: readonly string[];
  /** True when an earlier run had ended the ownership and was cut off while it took the directories away. */
  readonly ended: boolean;
  /** From here on the directories stay. */
  keep(): Promise<void>;
  /** From here on these go, outermost first: `made` of the transactions that have made them. */
  giveUp(made: readonly string[]): Promise<void>;
  /**
   * Lets go of the lock, and takes away the directories it made unless `keep` was called or something is in them.
   * With a journal still there everything stays for the next run to decide.
   */
  close(): Promise<void>;
}

const ATTEMPTS = 5;

/**
 * The directories themselves are the first thing a transaction makes, before there can be a journal in them. This
 * file, beside the outermost of them, registers them: as long as it stands they are to be taken away again.
 */
export function markerOf(outermost: string): string {
  return join(dirname(outermost), `.${basename(outermost)}.agentless-making`);
}

/** `path` and its parents, outermost first, without the root. */
function lineage(path: string): readonly string[] {
  const parent = dirname(path);
  return parent === path ? [] : [...lineage(parent), path];
}

async function behindLink(host: Host, path: string): Promise<string> {
  return (await host.look(path))?.kind === 'symlink' ? host.resolve(path) : path;
}

/** The registered directories of an unfinished transaction, outermost first. */
async function registered(host: Host, path: string): Promise<readonly string[]> {
  const all = lineage(path);
  for (const [index, directory] of all.entries()) {
    if ((await host.look(markerOf(directory))) !== undefined) return all.slice(index);
  }
  return [];
}

const isLock = (name: string): boolean => name === 'lock' || name.startsWith('lock.');

/** True when a transaction that is not finished has left a journal, a lock or directories behind. */
export async function isUnfinished(host: Host, named: string): Promise<boolean> {
  const path = await behindLink(host, named);
  const entry = await host.look(path);
  const names = entry?.kind === 'directory' ? entry.names : [];
  const journal = basename(dataDirectory(path).journal);
  return names.some((name) => name === journal || isLock(name)) || (await registered(host, path)).length > 0;
}

const MAKING = 'agentless is making';
const LEAVING = 'agentless is leaving';

function register(host: Host, outermost: string, doing: typeof MAKING | typeof LEAVING): Promise<void> {
  return host.append(markerOf(outermost), `${doing} ${outermost}; its next run takes this away\n`);
}

async function isLeaving(host: Host, [outermost]: readonly string[]): Promise<boolean> {
  if (outermost === undefined) return false;
  const entry = await host.look(markerOf(outermost));
  return entry?.kind === 'file' && Buffer.from(entry.bytes).toString('latin1').startsWith(LEAVING);
}

/** What of `path` and its parents is not there, outermost first. */
export async function missing(host: Host, path: string): Promise<readonly string[]> {
  const entries = await Promise.all(
    lineage(path).map(async (each) => ({each, found: await host.look(each)})),
  );
  return entries.filter(({found}) => found === undefined).map(({each}) => each);
}

/**
 * Why somebody else could have written what is here; undefined when only we and root can have. Whoever may write here may
 * have any file of the host replaced by the next recovery, and any command run by the next leave.
 */
export function strangersHand({uid: ours}: Pick<Host, 'uid'>, {mode, uid}: Ownership): string | undefined {
  if (uid !== 0 && uid !== ours) return `belongs to another user (uid ${uid})`;
  return (mode & 0o022) === 0 ? undefined : 'can be written by others';
}

/** HOST_UNSUITABLE for such a directory, and for what is none. */
async function refuseOpenToOthers(host: Host, path: string): Promise<void> {
  const entry = await host.look(path);
  const what = entry?.kind === 'directory' ? strangersHand(host, entry) : 'is not a directory';
  if (what === undefined) return;
  const fix = what.startsWith('belongs') ? `chown ${host.uid} ${path}` : `chmod 0700 ${path}`;
  throw new Failure('HOST_UNSUITABLE', `the data directory ${path} ${what}`, {
    hint: `look who did that and what is in it, then \`${fix}\` or name another one by --data-dir`,
  });
}

/** The same for a file in it that is about to be believed. */
export function refuseStrangersFile(host: Host, path: string, entry: Entry): void {
  const what = entry.kind === 'file' ? strangersHand(host, entry) : undefined;
  if (what === undefined) return;
  throw new Failure('HOST_UNSUITABLE', `${path} ${what}, so it is not believed`, {
    hint: 'look who did that and what is in it; nothing was changed',
  });
}

/** The same before anything in it is believed; one that is not there is nobody's. */
export async function refuseOpenDirectory(host: Host, named: string): Promise<void> {
  const path = await behindLink(host, named);
  if ((await host.look(path))?.kind === 'directory') await refuseOpenToOthers(host, path);
}

async function takeAway(host: Host, made: readonly string[]): Promise<void> {
  const [outermost] = made;
  if (outermost === undefined) return;
  let inner: string | undefined;
  for (const directory of [...made].reverse()) {
    try {
      await host.remove(directory);
    } catch (error) {
      if (codeOf(error) !== 'ENOTEMPTY') throw error;
      // Another run has moved in: the directories are its own now, and so is the marker.
      if (inner === undefined || (await host.look(inner)) !== undefined) return;
      // A parent that others have come to use.
      break;
    }
    inner = directory;
  }
  await host.remove(markerOf(outermost));
}

async function isEmptyButForLocks(host: Host, path: string): Promise<boolean> {
  const entry = await host.look(path);
  return entry?.kind === 'directory' && entry.names.every(isLock);
}

/** Makes what is missing and takes the lock; gives the directories that are to go if nothing comes of it. */
async function makeAndLock(
  host: Host,
  path: string,
): Promise<{lock: Lock; made: readonly string[]; ended: boolean}> {
  for (let attempt = 1; ; attempt++) {
    const absent = await missing(host, path);
    const left = await registered(host, path);
    const made = left.length > 0 ? left : absent;
    const ended = await isLeaving(host, left);
    try {
      const [outermost] = made;
      if (absent.length > 0 && outermost !== undefined) await register(host, outermost, MAKING);
      for (const directory of absent)
        await host.makeDirectory(directory, {mode: directory === path ? 0o700 : 0o755});
      await refuseOpenToOthers(host, path);
      return {lock: await host.lock(join(path, 'lock')), made, ended};
    } catch (error) {
      // Another run has just taken the directory away.
      if (codeOf(error) === 'ENOENT' && attempt < ATTEMPTS) continue;
      if (!(error instanceof Failure)) await takeAway(host, made).catch(() => undefined);
      throw error;
    }
  }
}

/** Makes the data directory where it is missing and takes its lock (HOST_LOCKED when another run has it). */
export async function openDataDirectory(host: Host, named: string): Promise<OpenDirectory> {
  const path = await behindLink(host, named);
  const opened = await makeAndLock(host, path);
  const {lock, ended} = opened;
  let {made} = opened;
  const keep = async (): Promise<void> => {
    const [outermost] = made;
    made = [];
    if (outermost !== undefined) await host.remove(markerOf(outermost));
  };
  return {
    ...dataDirectory(path),
    made,
    ended,
    keep,
    giveUp: async (directories) => {
      const [outermost] = directories;
      if (outermost !== undefined) await register(host, outermost, LEAVING);
      made = directories;
    },
    close: async () => {
      const unfinished = (await host.look(dataDirectory(path).journal)) !== undefined;
      if (!unfinished && !(await isEmptyButForLocks(host, path))) await keep();
      await lock.release();
      if (!unfinished) await takeAway(host, made);
    },
  };
}
