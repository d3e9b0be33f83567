// Putting back what a transaction has changed. It decides by what stands there now, so it can be cut off at any
// point and begun again.

import {join} from 'node:path';
import type {Host} from '../host/host.js';
import {temporaryName} from '../host/temporary.js';
import {wordsOf} from '../system-error.js';
import type {DataDirectory} from './data-directory.js';
import type {Problem} from './explain.js';
import type {BegunPath, Journal} from './journal.js';
import {fingerprint, type State, sameState, stateOf} from './state.js';

const octal = (mode: number): string => mode.toString(8).padStart(4, '0');

/** Everything that the transaction knows to have stood at each path, before and after its steps. */
function fingerprintsByPath(paths: readonly BegunPath[]): ReadonlyMap<string, ReadonlySet<string>> {
  const known = new Map<string, Set<string>>();
  for (const {path, before, to} of paths) {
    const after = to === null ? 'absent' : to.kind === 'file' ? to.sha256 : to.kind;
    known.set(path, new Set([...(known.get(path) ?? []), fingerprint(before), after]));
  }
  return known;
}

function remedyFor({path, before, saved}: BegunPath, directory: DataDirectory): string {
  if (before.kind === 'absent') return `to do by hand: remove ${path}, which was not there before`;
  if (before.kind === 'directory')
    return `to do by hand: mkdir -p ${path}; chmod ${octal(before.mode)} ${path}`;
  return `to do by hand: cp --preserve=all ${join(directory.saved, saved ?? '')} ${path}`;
}

async function putBack(host: Host, directory: DataDirectory, begun: BegunPath, now: State): Promise<void> {
  const {path, before, saved} = begun;
  // Without a copy it was only taken over, and nothing was done to it.
  if (before.kind === 'file' && saved === undefined) return;
  if (before.kind === 'file') await host.copy(join(directory.saved, saved ?? ''), path);
  else if (before.kind === 'directory') await host.makeDirectory(path, before);
  else if (now.kind !== 'absent') await host.remove(path);
}

/** Undoes one step; a Problem when that could not or should not be done. */
async function undoPath(
  host: Host,
  directory: DataDirectory,
  begun: BegunPath,
  known: ReadonlySet<string>,
): Promise<Problem | undefined> {
  const remedy = remedyFor(begun, directory);
  const saved = begun.saved === undefined ? {} : {saved: begun.saved};
  const leave = (why: string): Problem => ({reason: `${begun.path} ${why}`, remedy, foreign: true, ...saved});
  try {
    await host.remove(temporaryName(begun.path));
    const entry = await host.look(begun.path);
    const now = stateOf(entry);
    if (now !== undefined && sameState(now, begun.before)) return undefined;
    if (now === undefined || !known.has(fingerprint(now)))
      return leave('was changed by somebody else and is left alone');
    if (begun.before.kind === 'absent' && entry?.kind === 'directory' && entry.names.length > 0) {
      return leave(`is left because it holds ${entry.names.join(', ')}`);
    }
    await putBack(host, directory, begun, now);
    return undefined;
  } catch (error) {
    return {reason: `${begun.path}: ${wordsOf(error)}`, remedy, foreign: false};
  }
}

/**
 * Undoes the paths, last first, and then once more what did not work: undoing the others may have made room on a
 * full disk, or emptied a directory.
 */
async function undoPaths(
  host: Host,
  directory: DataDirectory,
  journal: Journal,
): Promise<readonly Problem[]> {
  const known = fingerprintsByPath(journal.paths);
  let pending = [...journal.paths].reverse();
  let problems: Problem[] = [];
  for (let pass = 0; pass < 2; pass++) {
    const failed: BegunPath[] = [];
    problems = [];
    for (const begun of pending) {
      const problem = await undoPath(host, directory, begun, known.get(begun.path) ?? new Set());
      if (problem === undefined) continue;
      problems.push(problem);
      failed.push(begun);
    }
    pending = failed;
  }
  return problems;
}

async function settle(host: Host, argv: readonly string[]): Promise<Problem | undefined> {
  const command = argv.join(' ');
  const remedy = `to do by hand: ${command}`;
  try {
    const {status, stderr} = await host.run(argv);
    if (status === 0) return undefined;
    const ended =
      status === undefined ? 'was ended by a signal or took too long' : `ended with status ${status}`;
    return {reason: `${command} ${ended}: ${stderr.trim()}`, remedy, foreign: false};
  } catch (error) {
    return {reason: `${command}: ${wordsOf(error)}`, remedy, foreign: false};
  }
}

export interface Undone {
  readonly paths: readonly Problem[];
  readonly commands: readonly Problem[];
}

/** What has to be taken back while the files it needs are still there: last begun, first undone. */
async function release(host: Host, {commands}: Journal): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const step of [...commands].reverse()) {
    const argv = step.kind === 'command' ? step.lasting?.before : undefined;
    const problem = argv === undefined ? undefined : await settle(host, argv);
    if (problem !== undefined) problems.push(problem);
  }
  return problems;
}

/**
 * Puts every path back as it was and then runs the given `settle` commands. They are left out, and said, when a path
 * could not be put back: to load half-restored files may end the very service they belong to.
 */
export async function undo(
  host: Host,
  directory: DataDirectory,
  journal: Journal,
  commands: readonly (readonly string[])[],
): Promise<Undone> {
  const released = await release(host, journal);
  const paths = await undoPaths(host, directory, journal);
  const unique = new Map([...commands].reverse().map((argv) => [argv.join('\0'), argv]));
  const problems: Problem[] = [...released];
  for (const argv of unique.values()) {
    const problem = paths.some(({foreign}) => !foreign)
      ? {
          reason: `${argv.join(' ')} was not run`,
          remedy: `to do by hand afterwards: ${argv.join(' ')}`,
          foreign: false,
        }
      : await settle(host, argv);
    if (problem !== undefined) problems.push(problem);
  }
  return {paths, commands: problems};
}
