// The steps of a transaction, one after the other. On a host that is far away they are sent ahead of their answers, and a
// command waits for all before it.

import {Failure} from '../errors.js';
import type {Host, RunResult} from '../host/host.js';
import {inSequence, type Sequence} from '../host/sequence.js';
import type {OpenDirectory} from './data-directory.js';
import {inWords} from './explain.js';
import {begunPath, type Ending, type Header, JournalWriter, type Settings} from './journal.js';
import {refuseOtherKind} from './prune.js';
import {type Save, savingIn} from './saved.js';
import {fingerprint, holds, type State, survey} from './state.js';
import {type CommandStep, modeOfNew, type PathStep, type Step, type Target} from './step.js';
import {watchCommand, watchFile, watchPath} from './watch.js';

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
  /**
   * Given: the transaction that the plan was made after, null where there was none; refused when another one has come
   * between, or an end.
   */
  readonly continues?: string | null;
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
  /** Runs after each command: proves what it has done while the next step may still be spared. If it fails everything is undone. */
  readonly afterCommand?: (step: Step) => Promise<void>;
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

/** A transaction that is being carried out. */
export interface Work {
  /** Makes the changes, one after the other, none after one that failed. */
  readonly sequence: Sequence;
  readonly journal: JournalWriter;
  readonly save: Save;
  /** What stood at a path that no step has come to yet, where it was looked at in advance. */
  readonly before: Map<string, Promise<State>>;
  readonly options: ApplyOptions;
  /** Waits for what is being done, in words for an error, or where that takes long leaves it to `settled`. */
  eventually(doing: string, part: Promise<void>): Promise<void>;
  /** Resolves once everything so far is done; rejects for the first that was not. */
  settled(): Promise<void>;
}

export function workOn(
  host: Host,
  directory: OpenDirectory,
  steps: readonly Step[],
  header: Header,
  options: ApplyOptions,
): Work {
  const sequence = inSequence(host);
  const paths = sequence.isAhead ? steps.flatMap((step) => (step.kind === 'path' ? step.path : [])) : [];
  const pending: Promise<void>[] = [];
  return {
    sequence,
    options,
    journal: new JournalWriter(sequence.host, directory, header),
    save: savingIn(sequence.host, directory),
    before: new Map(paths.map((path) => [path, quietly(survey(sequence.host, path))])),
    eventually: async (doing, part) => {
      const told = part.catch((error: unknown) => {
        throw inWords(error, doing);
      });
      if (!sequence.isAhead) return told;
      pending.push(quietly(told));
    },
    settled: async () => {
      for (const part of pending.splice(0)) await part;
    },
  };
}

async function change(work: Work, step: PathStep): Promise<void> {
  const {sequence, journal} = work;
  const {host} = sequence;
  const before = await (work.before.get(step.path) ?? survey(host, step.path));
  work.before.delete(step.path);
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
    return journal.done(await journal.beginPath(begunPath(step, before, undefined)), before);
  }
  await watchPath(host, step.path, before);
  const watched = (copy: string) => watchFile(host, step.path, copy);
  const saved = before.kind === 'file' ? await work.save(step.path, watched) : undefined;
  const index = await journal.beginPath(begunPath(step, before, saved));
  await actOn(host, step, before);
  const seen = survey(host, step.path).then((after) => journal.done(index, after));
  await work.eventually(doingOf(step), seen);
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

async function carryOutStep(work: Work, step: Step): Promise<void> {
  const {sequence, journal, options} = work;
  switch (step.kind) {
    case 'path':
      return change(work, step);
    case 'check': {
      const result = await runStep(sequence.host, step);
      return options.judge?.(step, result);
    }
    case 'command': {
      // One that is never run is nothing to take back.
      await sequence.reached();
      const index = await journal.beginCommand(step);
      await watchCommand(sequence.host, step);
      await runStep(sequence.host, step);
      return journal.done(index);
    }
  }
}

const doingOf = (step: Step): string =>
  step.kind === 'path' ? `change ${step.path}` : `run ${step.argv.join(' ')}`;

/** The steps, then what the caller has to do before the commit, and the commit. Rejects for the first that failed. */
export async function carryOut(work: Work, steps: readonly Step[]): Promise<void> {
  const {sequence, journal, options} = work;
  const started = journal.start().then(() => sequence.reached());
  await work.eventually(`write ${journal.file}`, started);
  for (const step of steps) {
    refuseIfAborted(options.signal);
    const start = performance.now();
    await carryOutStep(work, step).catch(async (error: unknown) => {
      // It may be an earlier one that has failed.
      await work.settled();
      throw inWords(error, doingOf(step));
    });
    const done = sequence.reached().then(() => options.onStep?.(step, performance.now() - start));
    await work.eventually(doingOf(step), done);
    if (step.kind !== 'command') continue;
    await work.settled();
    await options.afterCommand?.(step);
  }
  refuseIfAborted(options.signal);
  await work.settled();
  const {watch} = sequence.host;
  const confirmed = quietly(watch?.confirm() ?? Promise.resolve());
  const note: Note = async (data) => {
    await journal.note(data);
    await sequence.reached();
  };
  await options.beforeCommit?.(note, confirmed);
  await confirmed;
  const committed = journal.commit().then(() => sequence.reached());
  await committed.catch((error: unknown) => {
    throw inWords(error, 'commit the journal');
  });
}

/** Who waits for it later hears of it later. */
function quietly<T>(work: Promise<T>): Promise<T> {
  work.catch(() => undefined);
  return work;
}
