// Carrying out a plan as one transaction: registered before it is made, undone in reverse if anything fails.

import {randomUUID} from 'node:crypto';
import {join} from 'node:path';
import {Failure} from '../errors.js';
import type {Host, RunResult} from '../host/host.js';
import {type OpenDirectory, openDataDirectory} from './data-directory.js';
import {afterRestore, inWords, type Problem, restoreIncomplete} from './explain.js';
import {
  begunPath,
  type Ending,
  FORMAT,
  type Header,
  type Journal,
  JournalWriter,
  type Settings,
} from './journal.js';
import {refuseOtherKind} from './prune.js';
import {readRecord} from './record.js';
import {discard, finish, recoverOpen} from './recover.js';
import {save} from './saved.js';
import {fingerprint, holds, type State, survey} from './state.js';
import {type CommandStep, modeOfNew, type PathStep, type Step, type Target} from './step.js';
import {undo} from './undo.js';
import {afterLoss, watchCommand, watchFile, watchFrom, watchIn, watchPath} from './watch.js';

export {prune} from './prune.js';
export {recover} from './recover.js';

/** Puts data into the journal that `recover` gives back if this transaction is cut off. */
export type Note = (data: Settings) => Promise<void>;

export interface ApplyOptions {
  readonly dataDir: string;
  /** What the user asked for, e.g. "join openssh"; shown when it has to be recovered. */
  readonly operation: string;
  /** Plain data to be kept in the ownership record. No secrets. */
  readonly settings?: Settings;
  /** Given: the ownership ends with this transaction. */
  readonly ends?: Ending;
  /** Given: the transaction that the plan was made after; refused when another one has come between, or an end. */
  readonly continues?: string;
  /** Aborting undoes everything; a step that is acting is finished first. */
  readonly signal?: AbortSignal;
  /**
   * Runs when every step is done: proves the result and tells the cluster. If it fails everything is undone; once it
   * has succeeded the transaction is committed, a signal or not. Note what it is about to do outside this host, and do it
   * once `confirmed` has resolved: a host that could be lost can be reached anew.
   */
  readonly beforeCommit?: (note: Note, confirmed: Promise<void>) => Promise<void>;
  /** Looks at what a check has said, which ended with 0; throws what is wrong with it. */
  readonly judge?: (check: CommandStep, result: RunResult) => void;
  /** Runs after each step: proves what it has done while the next may still be spared. If it fails everything is undone. */
  readonly afterStep?: (step: Step) => Promise<void>;
  readonly onStep?: (step: Step, milliseconds: number) => void;
  /** What does not stop us and should be known. */
  readonly warn?: (text: string) => void;
}

function refuseIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new Failure('INTERRUPTED', 'interrupted');
}

async function actOn(host: Host, {path, to}: PathStep, before: State): Promise<void> {
  if (to === undefined) return host.remove(path);
  if (to.kind === 'directory') return host.makeDirectory(path, ownershipOf(to));
  if (to.like !== undefined) return host.copy(to.like, path);
  const mode = before.kind === 'absent' ? modeOfNew(to) : to.mode;
  return host.write(path, to.bytes, mode === undefined ? {} : {mode});
}

function ownershipOf({mode, uid, gid}: Extract<Target, {kind: 'directory'}>) {
  return {mode, ...(uid !== undefined && {uid}), ...(gid !== undefined && {gid})};
}

async function change(
  host: Host,
  directory: OpenDirectory,
  step: PathStep,
  journal: JournalWriter,
): Promise<void> {
  const before = await survey(host, step.path);
  if (step.seen !== undefined && step.seen !== fingerprint(before)) {
    throw new Failure(
      'HOST_UNSUITABLE',
      `${step.path} was changed by somebody else while the plan was being made`,
      {
        hint: 'run this again',
      },
    );
  }
  refuseOtherKind(step, before);
  if (holds(step, before)) {
    if (step.theirs === undefined) return;
    // Nothing is done to it, and it is ours from here on.
    await journal.beginPath(begunPath(step, before, undefined));
    return journal.done(before);
  }
  await watchPath(host, step.path, before);
  const watched = (name: string) => watchFile(host, step.path, join(directory.saved, name));
  const saved = before.kind === 'file' ? await save(host, directory, step.path, watched) : undefined;
  await journal.beginPath(begunPath(step, before, saved));
  await actOn(host, step, before);
  journal.done(await survey(host, step.path));
}

async function runStep(host: Host, {argv, why, hint}: CommandStep): Promise<RunResult> {
  const result = await host.run(argv);
  const {status, stdout, stderr} = result;
  if (status === 0) return result;
  const ended =
    status === undefined ? 'was ended by a signal or took too long' : `ended with status ${status}`;
  throw new Failure('HOST_UNSUITABLE', `${why}: \`${argv.join(' ')}\` ${ended}`, {
    detail: (stderr.trim() === '' ? stdout : stderr).trim(),
    hint: hint ?? 'run that command by hand to see why it fails',
  });
}

async function carryOutStep(
  host: Host,
  directory: OpenDirectory,
  step: Step,
  journal: JournalWriter,
  {judge}: ApplyOptions,
): Promise<void> {
  switch (step.kind) {
    case 'path':
      return change(host, directory, step, journal);
    case 'check': {
      const result = await runStep(host, step);
      return judge?.(step, result);
    }
    case 'command':
      await journal.beginCommand(step);
      await watchCommand(host, step);
      await runStep(host, step);
      return journal.done();
  }
}

async function carryOut(
  host: Host,
  directory: OpenDirectory,
  steps: readonly Step[],
  options: ApplyOptions,
  journal: JournalWriter,
): Promise<void> {
  for (const step of steps) {
    refuseIfAborted(options.signal);
    const start = performance.now();
    await carryOutStep(host, directory, step, journal, options).catch((error: unknown) => {
      throw inWords(error, step.kind === 'path' ? `change ${step.path}` : `run ${step.argv.join(' ')}`);
    });
    options.onStep?.(step, performance.now() - start);
    await options.afterStep?.(step);
  }
  refuseIfAborted(options.signal);
  const confirmed = host.watch?.confirm() ?? Promise.resolve();
  confirmed.catch(() => undefined);
  await options.beforeCommit?.((data) => journal.note(data), confirmed);
  await confirmed;
  await journal.commit().catch((error: unknown) => {
    throw inWords(error, 'commit the journal');
  });
}

function headerFor(host: Host, steps: readonly Step[], options: ApplyOptions): Header {
  return {
    version: FORMAT,
    id: randomUUID(),
    operation: options.operation,
    at: new Date().toISOString(),
    host: host.name,
    settings: options.settings ?? {},
    ...(options.ends === undefined ? {} : {ends: options.ends}),
    settle: steps.flatMap((step) =>
      step.kind === 'command' && step.settle !== undefined ? [step.settle] : [],
    ),
  };
}

const settlesOf = ({commands}: Journal): readonly (readonly string[])[] =>
  commands.flatMap((step) => (step.kind === 'command' && step.settle !== undefined ? [step.settle] : []));

/** Undoes what was done and clears up; gives the error to end with. */
async function rollBack(
  host: Host,
  directory: OpenDirectory,
  journal: Journal,
  error: unknown,
  interrupted: boolean,
): Promise<unknown> {
  const undone = await undo(host, directory, journal, settlesOf(journal));
  const problems: Problem[] = [...undone.paths, ...undone.commands];
  if (problems.length === 0) {
    try {
      await discard(host, directory);
      await directory.close();
    } catch (cause) {
      const {message} = inWords(cause, `clear up in ${directory.path}`) as Error;
      problems.push({reason: message, remedy: `to do by hand: look into ${directory.path}`, foreign: false});
    }
  }
  const changed = journal.paths.length > 0 || journal.commands.length > 0;
  if (problems.length === 0) return afterRestore(error, changed, interrupted);
  await directory.close().catch(() => undefined);
  return restoreIncomplete(problems, directory.journal, error);
}

/** Opens the data directory and clears what an earlier run has left in it. */
async function prepare(host: Host, options: ApplyOptions, watched: boolean): Promise<OpenDirectory> {
  const directory = await openDataDirectory(host, options.dataDir);
  try {
    const {outcome, operation, notes} = await recoverOpen(host, directory);
    for (const note of notes) options.warn?.(note);
    // The plan leaves out what was right when it was made, and that has just been undone.
    if (outcome === 'undone' && operation !== undefined) throw overtaken();
    // A record that could not be extended later is found out now.
    const record = await readRecord(host, directory.path);
    const expected = options.ends?.transaction ?? options.continues;
    if (expected !== undefined && expected !== record?.transaction) throw overtaken();
    if (!watched) await watchIn(host, directory);
    return directory;
  } catch (error) {
    await directory.close().catch(() => undefined);
    throw error;
  }
}

function overtaken(): Failure {
  return new Failure(
    'HOST_UNSUITABLE',
    'another agentless has changed this host while the plan was being made',
    {
      hint: 'run this again',
    },
  );
}

/** Carries out the steps and commits; or undoes them and throws what the user is to read. */
async function transact(host: Host, directory: OpenDirectory, steps: readonly Step[], options: ApplyOptions) {
  const header = headerFor(host, steps, options);
  const journal = new JournalWriter(host, directory, header);
  try {
    await journal.start().catch((error: unknown) => {
      throw inWords(error, `write ${directory.journal}`);
    });
    await carryOut(host, directory, steps, options, journal);
    return journal.journal;
  } catch (error) {
    if (host.watch?.isLost && (await afterLoss(host, directory, error))) return journal.journal;
    const ended = await rollBack(host, directory, journal.journal, error, options.signal?.aborted ?? false);
    // The host may have been lost on the way back as well.
    if (host.watch?.isLost) await afterLoss(host, directory, ended);
    throw ended;
  }
}

/**
 * Carries out a pruned plan under the lock of the data directory, as one transaction: when it resolves everything is
 * done, proven by `beforeCommit`, and in the ownership record (with `ends` there is none any more); when it rejects the
 * host is as it was before.
 *
 * Rejects with HOST_LOCKED, or the error itself, when nothing had been changed; CHANGE_FAILED (message, hint and
 * detail of the error, which is its cause) or INTERRUPTED when everything is back, `restored` being true then; and
 * RESTORE_INCOMPLETE when something is not, with what to do: journal and saved copies stay for `recover`.
 */
export async function apply(host: Host, steps: readonly Step[], options: ApplyOptions): Promise<void> {
  try {
    await applyWatched(host, steps, options);
  } finally {
    await host.watch?.end();
  }
}

async function applyWatched(host: Host, steps: readonly Step[], options: ApplyOptions): Promise<void> {
  const watched = await watchFrom(host, options.dataDir);
  const directory = await prepare(host, options, watched).catch((error: unknown) => {
    throw inWords(error, `prepare ${options.dataDir}`);
  });
  const journal = await transact(host, directory, steps, options);
  try {
    await finish(host, directory, journal);
  } catch (error) {
    // Committed is committed: the journal holds everything, and the next run makes or ends the record from it.
    const doing = options.ends === undefined ? 'write the ownership record' : `clear ${directory.path}`;
    const {message} = inWords(error, doing) as Error;
    options.warn?.(`${message}; the next run does it`);
  }
  await directory.close().catch(() => undefined);
}
