// The way back from what the ownership record says: each path as others have last had it, where nobody else has had a hand
// in it since our last transaction. What somebody else has changed keeps their change.

import {basename, join} from 'node:path';
import type {Entry, Host} from '../host/host.js';
import type {DataDirectory} from './data-directory.js';
import type {Change, OwnershipRecord} from './record.js';
import {fingerprint, type State, sameState, sha256, stateOf} from './state.js';
import type {PathStep, Step, Target} from './step.js';

/** A path that is left as it is, and what a person can do about it. */
export interface Left {
  readonly path: string;
  readonly reason: string;
  readonly remedy: string;
  /** Name in `saved/` of what was there before, when it goes back nowhere. */
  readonly saved?: string;
}

export interface TakeBack {
  /** Pruned, in the order in which they are to be carried out. */
  readonly steps: readonly PathStep[];
  readonly left: readonly Left[];
}

export interface Rules {
  readonly directory: DataDirectory;
  /**
   * A file that others have changed as well, without our part of it: its new bytes, 'gone' when nothing of others is in
   * it, undefined when nobody knows which part is ours.
   */
  readonly without: (change: Change, bytes: Uint8Array) => Uint8Array | 'gone' | undefined;
  /** Why this path has to stay for now; undefined: it has not. */
  readonly needed: (path: string) => string | undefined;
  /** What goes besides these changes. */
  readonly gone: ReadonlySet<string>;
}

/** Steps that undo these changes, last first. Reads the host and changes nothing. */
export async function takeBack(host: Host, changes: readonly Change[], rules: Rules): Promise<TakeBack> {
  const [steps, left] = [[] as PathStep[], [] as Left[]];
  const gone = new Set(rules.gone);
  // Files that keep what we have put into them may name files of ours.
  const staying = new Map<string, string>();
  const needed = (path: string): string | undefined => {
    const by = [...staying].find(([, text]) => text.split(/[^\w.@+-]+/).includes(basename(path)));
    return rules.needed(path) ?? (by && `is left because ${by[0]} may need it`);
  };
  const reversed = [...changes].reverse();
  const entries = await Promise.all(reversed.map(({path}) => host.look(path)));
  for (const [index, change] of reversed.entries()) {
    const entry = entries[index];
    const back = await backFrom(host, change, entry, {...rules, gone, needed});
    if (back === undefined) continue;
    if ('kind' in back) {
      steps.push(back);
      if (back.to === undefined) gone.add(back.path);
      continue;
    }
    left.push(back);
    if (change.before.kind === 'file') staying.set(change.path, await othersText(host, change, entry, rules));
  }
  return {steps, left};
}

/** The text of a file that stays, without our part where that is known. */
async function othersText(
  host: Host,
  change: Change,
  entry: Entry | undefined,
  {without}: Rules,
): Promise<string> {
  const behind = async () => host.look(await host.resolve(change.path));
  const real = entry?.kind === 'symlink' ? await behind().catch(() => undefined) : entry;
  if (real?.kind !== 'file') return '';
  const theirs = without(change, real.bytes);
  return theirs === 'gone' ? '' : Buffer.from(theirs ?? real.bytes).toString('latin1');
}

/** Undefined where nothing is left to do. */
async function backFrom(
  host: Host,
  change: Change,
  entry: Entry | undefined,
  rules: Rules,
): Promise<PathStep | Left | undefined> {
  const {before, after} = change;
  const now = stateOf(entry);
  if (now === undefined) return leave(change, whatIs(entry));
  if (sameState(now, before)) return undefined;
  if (now.kind === 'absent' && after.kind !== 'absent') return removedByOthers(change);
  if (before.kind === 'absent') return removal(change, entry, now, rules);
  if (fingerprint(now) === fingerprint(after)) return restored(host, change, now, rules);
  return merged(change, entry, now, rules);
}

function removedByOthers(change: Change): Left | undefined {
  // A directory, or a file that was not there before: nothing is lost.
  return change.before.kind === 'file' ? leave(change, 'was removed by somebody else') : undefined;
}

const isPrivate = (path: string, {path: directory}: DataDirectory): boolean =>
  path.startsWith(`${directory}/`);

function whatIs(entry: Entry | undefined): string {
  return entry?.kind === 'symlink'
    ? `is a symbolic link to ${entry.target} now`
    : 'is neither a file nor a directory now';
}

function leave({path, before, saved}: Change, reason: string): Left {
  const remedy =
    before.kind === 'absent'
      ? `remove ${path} when nothing needs it any more`
      : `look at ${path}, and make of it what you want`;
  return {path, reason: `${path} ${reason}`, remedy, ...(saved === undefined ? {} : {saved})};
}

function step({path, via, why}: Change, now: State, to: Target | undefined): PathStep {
  return {kind: 'path', path, to, why, seen: fingerprint(now), ...(via === undefined ? {} : {via})};
}

/** Of what was not there before. In the data directory everything is ours, whatever has become of it. */
function removal(
  change: Change,
  entry: Entry | undefined,
  now: State,
  rules: Rules,
): PathStep | Left | undefined {
  const staying = rules.needed(change.path);
  if (staying !== undefined) return leave(change, staying);
  if (entry?.kind === 'directory' && change.after.kind === 'directory')
    return emptied(change, entry.names, rules.gone);
  const ours = fingerprint(now) === fingerprint(change.after);
  if (ours || (entry?.kind === 'file' && isPrivate(change.path, rules.directory)))
    return step(change, now, undefined);
  return merged(change, entry, now, rules);
}

function emptied(change: Change, names: readonly string[], gone: ReadonlySet<string>): PathStep | Left {
  const others = names.filter((name) => !gone.has(join(change.path, name)));
  if (others.length === 0) return step(change, change.after, undefined);
  return leave(change, `is left because it holds ${others.join(', ')}`);
}

/** The content is the one that we have left there; mode and owner may be somebody else's by now. */
async function restored(
  host: Host,
  change: Change,
  now: State,
  {directory, without}: Rules,
): Promise<PathStep | Left | undefined> {
  const {before, after, saved} = change;
  // The mode of a directory is all that was changed; where that is another one now, it is theirs.
  if (before.kind !== 'file') {
    const to = before.kind === 'directory' ? before : undefined;
    return sameState(now, after) ? step(change, now, to) : undefined;
  }
  const like = join(directory.saved, saved ?? '');
  const copy = await host.look(like);
  if (copy?.kind === 'file' && sha256(copy.bytes) === before.sha256) {
    const {bytes} = copy;
    // Else mode or owner are somebody else's by now, or were when one of our transactions came by.
    const faithful = sameState(now, after) && sameState(stateOf(copy) ?? now, before);
    return step(
      change,
      now,
      faithful ? {kind: 'file', bytes, mode: before.mode, like} : {kind: 'file', bytes},
    );
  }
  const entry = await host.look(change.path);
  const bytes = entry?.kind === 'file' ? without(change, entry.bytes) : undefined;
  if (bytes !== undefined && bytes !== 'gone') return step(change, now, {kind: 'file', bytes});
  const {saved: _, ...copyless} = change;
  return leave(copyless, `cannot be put back: its copy ${like} is missing or damaged`);
}

/** Somebody else has changed it since: their part stays. */
function merged(
  change: Change,
  entry: Entry | undefined,
  now: State,
  {without}: Rules,
): PathStep | Left | undefined {
  const foreign = 'was changed by somebody else and is left alone';
  if (entry?.kind !== 'file' || change.after.kind !== 'file') return leave(change, foreign);
  const bytes = without(change, entry.bytes);
  if (bytes === undefined) return leave(change, foreign);
  if (bytes === 'gone') return step(change, now, undefined);
  return sha256(bytes) === fingerprint(now) ? undefined : step(change, now, {kind: 'file', bytes});
}

/** Commands whose effect lasts are taken back, last first; if that is undone they are given again. */
export function lastingSteps({
  lasting = [],
}: Pick<OwnershipRecord, 'lasting'>): Readonly<Record<'before' | 'after', Step[]>> {
  const steps = (when: 'before' | 'after') =>
    [...lasting].reverse().flatMap((command): Step[] => {
      const argv = command[when];
      if (argv === undefined) return [];
      const settle = when === 'before' ? command.argv : argv;
      return [{kind: 'command', argv, settle, why: command.why?.[when] ?? argv.join(' ')}];
    });
  return {before: steps('before'), after: steps('after')};
}
