// Our files as the last run left them, and as they are: whoever has edited, moved or replaced one is told of.

import type {Entry, Host} from '../../host/host.js';
import type {Change, OwnershipRecord} from '../../plan/record.js';
import {type State, sameState, stateOf} from '../../plan/state.js';
import {codeOf} from '../../system-error.js';
import {isSites} from './intent.js';
import {type Commands, type Problem, problem} from './problem.js';

export interface FileReport {
  readonly problems: readonly Problem[];
  /** Paths that this user may not see. */
  readonly unseen: readonly string[];
}

/** Nothing but regular files is opened. The credential in `identity` is judged elsewhere when it is gone. */
export async function compareFiles(
  host: Host,
  {changes}: OwnershipRecord,
  identity: string,
  commands: Commands,
): Promise<FileReport> {
  const ours = changes.filter((change) => change.after.kind !== 'absent' && !isSites(change));
  const compared = await Promise.all(
    ours.map(async (change) => {
      const entry = await look(host, change.path);
      if (entry === 'unseen') return {unseen: change.path};
      if (entry === undefined && change.path.startsWith(identity)) return {};
      return {problem: difference(change, entry, commands)};
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

function difference(
  {path, after, why}: Change,
  entry: Entry | undefined,
  commands: Commands,
): Problem | undefined {
  if (entry === undefined) return problem('FILE_MISSING', `${path} is gone (${why})`, commands.repair);
  const now = stateOf(entry);
  if (now === undefined || now.kind !== after.kind) {
    const text = `${path} was replaced by ${kindOf(entry)}`;
    return problem(
      'FILE_REPLACED',
      text,
      `find out what put it there, move it away, then: ${commands.repair}`,
    );
  }
  if (sameState(now, after)) return undefined;
  return problem('FILE_CHANGED', `${path} was changed since: ${changed(after, now)}`, commands.repair);
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
