// Our files as the last run left them, and as they are: whoever has edited, moved or replaced one is told of.

import type {Entry, Host} from '../../host/host.js';
import {SCHEDULER_PLACES, type SchedulerPlaces} from '../../host/scheduler.js';
import type {Change, OwnershipRecord} from '../../plan/record.js';
import {type State, sameState, stateOf} from '../../plan/state.js';
import {codeOf} from '../../system-error.js';
import {timerPaths} from '../timer/plan.js';
import {isSites} from './intent.js';
import {type Commands, type Problem, problem} from './problem.js';

export interface FileReport {
  readonly problems: readonly Problem[];
  /** Paths that this user may not see. */
  readonly unseen: readonly string[];
}

export interface Judged {
  /** Where the credential lies. */
  readonly identity: string;
  /** It is known to be of no use, and what to do about that: its files are not told of one by one. */
  readonly lost: boolean;
}

/** Nothing but regular files is opened. A file of the credential is judged elsewhere when it is gone. */
export async function compareFiles(
  host: Host,
  {changes}: OwnershipRecord,
  {identity, lost}: Judged,
  commands: Commands,
  places: SchedulerPlaces = SCHEDULER_PLACES,
): Promise<FileReport> {
  const timer = new Set<string>(Object.values(timerPaths(places)));
  const ours = changes.filter((change) => change.after.kind !== 'absent' && !isSites(change));
  const compared = await Promise.all(
    ours.map(async (change) => {
      const entry = await look(host, change.path);
      if (entry === 'unseen') return {unseen: change.path};
      const ofIdentity = change.path.startsWith(`${identity}/`);
      if (ofIdentity && (entry === undefined || lost)) return {};
      // What makes a host renew is no part of what a renewal repairs.
      const fix = timer.has(change.path) ? commands.timer : commands.repair;
      return {problem: difference(change, entry, fix)};
    }),
  );
  return {
    problems: compared.flatMap((one) => one.problem ?? []),
    unseen: compared.flatMap((one) => one.unseen ?? []),
  };
}

async function look(host: Host, path: string): Promise<Entry | undefined | 'unseen'> {
  try {
    return await host.look(path);
  } catch (error) {
    if (codeOf(error) === 'EACCES') return 'unseen';
    throw error;
  }
}

function difference({path, after, why}: Change, entry: Entry | undefined, fix: string): Problem | undefined {
  if (entry === undefined) return problem('FILE_MISSING', `${path} is gone (${why})`, fix);
  const now = stateOf(entry);
  if (now === undefined || now.kind !== after.kind) {
    const text = `${path} was replaced by ${kindOf(entry)}`;
    return problem('FILE_REPLACED', text, `find out what put it there, move it away, then: ${fix}`);
  }
  if (sameState(now, after)) return undefined;
  return problem('FILE_CHANGED', `${path} was changed since: ${changed(after, now)}`, fix);
}

function kindOf(entry: Entry): string {
  if (entry.kind === 'symlink') return `a symbolic link to ${entry.target}`;
  return entry.kind === 'special' ? 'a pipe, socket or device' : `a ${entry.kind}`;
}

function changed(was: State, is: State): string {
  if (was.kind === 'absent' || is.kind === 'absent') return 'it is there or not';
  const octal = (mode: number) => mode.toString(8).padStart(4, '0');
  const [before, now] = [`${was.uid}:${was.gid}`, `${is.uid}:${is.gid}`];
  const content = was.kind === 'file' && is.kind === 'file' && was.sha256 !== is.sha256;
  return [
    ...(content ? ['its content'] : []),
    ...(was.mode === is.mode ? [] : [`its mode, from ${octal(was.mode)} to ${octal(is.mode)}`]),
    ...(before === now ? [] : [`its owner, from ${before} to ${now}`]),
  ].join(', ');
}
