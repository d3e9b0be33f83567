// The directory that holds the journal, the saved copies and the ownership record, and the lock in it.

import {basename, dirname, join} from 'node:path';
import {Failure} from '../errors.js';
import type {Entry, Host, Lock, Ownership} from '../host/host.js';
import {inSequence} from '../host/sequence.js';
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
  keep(host: Host): Promise<void>;
  /** From here on these go, outermost first: `made` of the transactions that have made them. */
  giveUp(host: Host, made: readonly string[]): Promise<void>;
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

interface Standing {
  /** Behind a link, if one was named. */
  readonly path: string;
  readonly entry: Entry | undefined;
  /** The registered directories of an unfinished transaction, outermost first. */
  readonly left: readonly string[];
  /** What of the path and its parents is not there, outermost first. */
  readonly absent: readonly string[];
}

async function standing(host: Host, named: string): Promise<Standing> {
  const all = lineage(named);
  const [entries, left] = await Promise.all([
    Promise.all(all.map((directory) => host.look(directory))),
    registered(host, named),
  ]);
  const entry = entries.at(-1);
  if (entry?.kind === 'symlink') return standing(host, await host.resolve(named));
  return {path: named, entry, left, absent: all.filter((_, index) => entries[index] === undefined)};
}

async function registered(host: Host, path: string): Promise<readonly string[]> {
  const all = lineage(path);
  const markers = await Promise.all(all.map((directory) => host.look(markerOf(directory))));
  const first = markers.findIndex((marker) => marker !== undefined);
  return first < 0 ? [] : all.slice(first);
}

const isLock = (name: string): boolean => name === 'lock' || name.startsWith('lock.');

/** True when a transaction that is not finished has left a journal, a lock or directories behind. */
export async function isUnfinished(host: Host, named: string): Promise<boolean> {
  return isUnfinishedAt(await standing(host, named));
}

function isUnfinishedAt({path, entry, left}: Standing): boolean {
  const names = entry?.kind === 'directory' ? entry.names : [];
  const journal = basename(dataDirectory(path).journal);
  return names.some((name) => name === journal || isLock(name)) || left.length > 0;
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

/**
 * Why somebody else could have written what is here; undefined when only we and root can have. Whoever may write here may
 * have any file of the host replaced by the next recovery, and any command run by the next leave.
 */
export function strangersHand({uid: ours}: Pick<Host, 'uid'>, {mode, uid}: Ownership): string | undefined {
  if (uid !== 0 && uid !== ours) return `belongs to another user (uid ${uid})`;
  return (mode & 0o022) === 0 ? undefined : 'can be written by others';
}

/** HOST_UNSUITABLE for such a directory, and for what is none. */
function refuseEntry(host: Host, path: string, entry: Entry | undefined): void {
  const what = entry?.kind === 'directory' ? strangersHand(host, entry) : 'is not a directory';
  if (what === undefined) return;
  const fix = what.startsWith('belongs') ? `chown ${host.uid} ${path}` : `chmod 0700 ${path}`;
  throw new Failure('HOST_UNSUITABLE', `the data directory ${path} ${what}`, {
    hint: `look who did that and what is in it, then \`${fix}\` or name another one by --data-dir`,
  });
}

/** The same refusal for a file in it that is about to be believed. */
export function refuseStrangersFile(host: Host, path: string, entry: Entry): void {
  const what = entry.kind === 'file' ? strangersHand(host, entry) : undefined;
  if (what === undefined) return;
  throw new Failure('HOST_UNSUITABLE', `${path} ${what}, so it is not believed`, {
    hint: 'look who did that and what is in it; nothing was changed',
  });
}

/** What is to be made for a directory in which nothing is unfinished, outermost first; undefined: something is. */
export async function missing(host: Host, named: string): Promise<readonly string[] | undefined> {
  const found = await standing(host, named);
  return isUnfinishedAt(found) ? undefined : found.absent;
}

/** True when something in it is unfinished; refuses it before that is believed. One that is not there is nobody's. */
export async function hasUnfinished(host: Host, named: string): Promise<boolean> {
  const found = await standing(host, named);
  if (found.entry?.kind === 'directory') refuseEntry(host, found.path, found.entry);
  return isUnfinishedAt(found);
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
  named: string,
): Promise<{path: string; lock: Lock; made: readonly string[]; ended: boolean}> {
  for (let attempt = 1; ; attempt++) {
    const {path, absent, left} = await standing(host, named);
    const made = left.length > 0 ? left : absent;
    const ended = await isLeaving(host, left);
    try {
      const [outermost] = made;
      const sequence = inSequence(host);
      if (absent.length > 0 && outermost !== undefined) await register(sequence.host, outermost, MAKING);
      for (const directory of absent)
        await sequence.host.makeDirectory(directory, {mode: directory === path ? 0o700 : 0o755});
      refuseEntry(host, path, await sequence.host.look(path));
      return {path, lock: await host.lock(join(path, 'lock')), made, ended};
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
  const opened = await makeAndLock(host, named);
  const {path, lock, ended} = opened;
  let {made} = opened;
  const keep = async (through: Host): Promise<void> => {
    const [outermost] = made;
    made = [];
    if (outermost !== undefined) await through.remove(markerOf(outermost));
  };
  return {
    ...dataDirectory(path),
    made,
    ended,
    keep,
    giveUp: async (through, directories) => {
      const [outermost] = directories;
      if (outermost !== undefined) await register(through, outermost, LEAVING);
      made = directories;
    },
    close: async () => {
      const [journal, empty] = await Promise.all([
        host.look(dataDirectory(path).journal),
        isEmptyButForLocks(host, path),
      ]);
      const unfinished = journal !== undefined;
      if (!unfinished && !empty) await keep(host);
      await lock.release();
      if (!unfinished) await takeAway(host, made);
    },
  };
}
