// The ownership record: what the committed transactions have made of this host, so that it can be shown, compared
// and taken back.

import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {dataDirectory, refuseStrangersFile} from './data-directory.js';
import {type BegunPath, FORMAT, type Journal, type Settings} from './journal.js';
import {ABSENT, fingerprint, type State, sameState} from './state.js';
import type {Lasting} from './step.js';

/** One path: what others have last had there, which leaving puts back, and what the last transaction left there. */
export interface Change {
  /** The real file; `via` is the symbolic link that was named, if one was. */
  readonly path: string;
  readonly via?: string;
  readonly why: string;
  readonly before: State;
  /**
   * Name in `saved/` of the faithful copy of what was there before. Where it holds lines of ours, or others have changed
   * the mode since, it is not what `before` says: then it is a copy for people only.
   */
  readonly saved?: string;
  readonly after: State;
}

export interface OwnershipRecord {
  readonly version: number;
  /** The transaction that was merged last. */
  readonly transaction: string;
  /** The last operation and when it began; `since` is the begin of the first. ISO 8601. */
  readonly operation: string;
  readonly at: string;
  readonly since: string;
  /** Name of the host it was written on. A renamed host, or a clone of its disk, has another. */
  readonly host: string;
  /** What the caller of the last transaction wanted kept. */
  readonly settings: Settings;
  /** The data directory and those of its parents that were made for it, outermost first. */
  readonly made: readonly string[];
  /** In the order in which they were first made. */
  readonly changes: readonly Change[];
  /** Commands to run once the files are back; those that make sshd take them name its process of then. */
  readonly settle: readonly (readonly string[])[];
  /** Commands whose effect lasts, in order, with what takes them back. Absent in records that know of none. */
  readonly lasting?: readonly LastingCommand[];
}

export type LastingCommand = Lasting & {readonly argv: readonly string[]};

function isState(value: unknown): value is State {
  if (typeof value !== 'object' || value === null || !('kind' in value)) return false;
  return value.kind === 'absent' || value.kind === 'file' || value.kind === 'directory';
}

function isChange(value: unknown): value is Change {
  const {path, before, after} = Object(value) as Partial<Change>;
  return typeof path === 'string' && isState(before) && isState(after);
}

function isRecord(value: unknown): value is OwnershipRecord {
  const {
    transaction,
    changes,
    settings,
    made,
    settle,
    lasting = [],
  } = Object(value) as Partial<OwnershipRecord>;
  return (
    typeof transaction === 'string' &&
    typeof settings === 'object' &&
    settings !== null &&
    [made, settle, lasting].every(Array.isArray) &&
    Array.isArray(changes) &&
    changes.every(isChange)
  );
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** The ownership record in a data directory; undefined when nothing was ever committed. */
export async function readRecord(host: Host, dataDir: string): Promise<OwnershipRecord | undefined> {
  const {record: path, saved} = dataDirectory(dataDir);
  const entry = await host.look(path);
  if (entry === undefined) return undefined;
  refuseStrangersFile(host, path, entry);
  const value = entry.kind === 'file' ? parse(entry.bytes) : undefined;
  const {version} = Object(value) as {version?: unknown};
  if (typeof version === 'number' && version > FORMAT) {
    throw new Failure('HOST_UNSUITABLE', `the ownership record ${path} was written by a newer agentless`, {
      hint: 'use that version, or a newer one',
    });
  }
  if (version === FORMAT && isRecord(value)) return value;
  throw new Failure('HOST_UNSUITABLE', `the ownership record ${path} is damaged`, {
    hint: `put it back from a backup; the files as they were before are in ${saved}`,
  });
}

type Origin = Pick<Change, 'path' | 'via' | 'why' | 'before' | 'saved'>;

function change({path, via, why, before, saved}: Origin, after: State): Change {
  return {
    path,
    ...(via === undefined ? {} : {via}),
    why,
    before,
    ...(saved === undefined ? {} : {saved}),
    after,
  };
}

/** What a transaction has found at a path, without what is ours in it. */
function found(begun: BegunPath): Origin {
  const {theirs, before, saved: _, ...rest} = begun;
  if (theirs === null) return {...rest, before: ABSENT};
  return theirs !== undefined && before.kind === 'file' ? {...begun, before: {...before, ...theirs}} : begun;
}

/**
 * What leaving has to put back. A transaction that finds what the last one left there has nothing to add; else somebody
 * has changed the path since, and what they have made of it counts. A file that is all our own was never anybody else's.
 */
function originOf(old: Change | undefined, begun: BegunPath): Origin {
  if (old === undefined) return found(begun);
  const now = begun.before;
  const known = [old.before, old.after].some((state) => sameState(state, now));
  if (known || old.before.kind === 'absent') return old;
  const {before} = old;
  const isContentOurs =
    before.kind === 'file' && now.kind === 'file' && fingerprint(now) === fingerprint(old.after);
  if (!isContentOurs) return found(begun);
  // Mode and owner only.
  const {mode, uid, gid} = now;
  return {...old, before: {...before, mode, uid, gid}};
}

/**
 * The record with a committed transaction added: a path keeps its first `before` unless others have changed it since, and
 * one that is back to what it was is no longer ours. Merging the same transaction again changes nothing.
 */
export function mergeRecord(
  old: OwnershipRecord | undefined,
  {header, paths, commands}: Journal,
  made: readonly string[],
): OwnershipRecord {
  if (old?.transaction === header.id) return old;
  const changes = new Map(old?.changes.map((each) => [each.path, each]));
  for (const begun of paths) {
    const after = begun.after ?? begun.before;
    changes.set(begun.path, change(originOf(changes.get(begun.path), begun), after));
  }
  const settle = new Map([...(old?.settle ?? []), ...header.settle].map((argv) => [argv.join('\0'), argv]));
  const lasting = lastingAfter(old?.lasting ?? [], commands);
  return {
    version: FORMAT,
    transaction: header.id,
    operation: header.operation,
    at: header.at,
    since: old?.since ?? header.at,
    host: header.host,
    settings: header.settings,
    made: [...(old?.made ?? []), ...made],
    changes: [...changes.values()].filter(({before, after}) => !sameState(before, after)),
    settle: [...settle.values()],
    ...(lasting.length === 0 ? {} : {lasting}),
  };
}

/** What lasts once these commands were run as well: one that takes another back ends it. */
function lastingAfter(old: readonly LastingCommand[], commands: Journal['commands']): LastingCommand[] {
  const lasting = new Map(old.map((each) => [each.argv.join('\0'), each]));
  for (const step of commands) {
    const words = step.argv.join('\0');
    for (const [key, {before, after}] of lasting)
      if ((before ?? after)?.join('\0') === words) lasting.delete(key);
    if (step.kind === 'command' && step.lasting !== undefined)
      lasting.set(words, {...step.lasting, argv: step.argv});
  }
  return [...lasting.values()];
}

/** The saved copies that a record refers to. */
export function savedIn(record: OwnershipRecord | undefined): ReadonlySet<string> {
  return new Set(record?.changes.flatMap(({saved}) => saved ?? []));
}
