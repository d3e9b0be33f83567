// Carrying out a plan as one transaction: registered before it is made, undone in reverse if anything fails.

import {randomUUID} from 'node:crypto';
import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {inSequence} from '../host/sequence.js';
import {type ApplyOptions, carryOut, workOn} from './carry-out.js';
import {type OpenDirectory, openDataDirectory} from './data-directory.js';
import {afterRestore, inWords, type Problem, restoreIncomplete} from './explain.js';
import {FORMAT, type Header, type Journal} from './journal.js';
import {readRecord} from './record.js';
import {discard, finish, recoverOpen} from './recover.js';
import type {Step} from './step.js';
import {undo} from './undo.js';
import {afterLoss, watchFrom, watchIn} from './watch.js';

export type {ApplyOptions} from './carry-out.js';
export {prune} from './prune.js';
export {recover} from './recover.js';

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
    const reading = readRecord(host, directory.path);
    reading.catch(() => undefined);
    const {outcome, operation, notes} = await recoverOpen(host, directory);
    for (const note of notes) options.warn?.(note);
    // The plan leaves out what was right when it was made, and that has just been undone.
    if (outcome === 'undone' && operation !== undefined) throw overtaken();
    // A record that could not be extended later is found out now. Only a recovery may have changed it meanwhile.
    const record = await (operation === undefined ? reading : readRecord(host, directory.path));
    const expected = options.ends?.transaction ?? options.continues;
    if (expected !== undefined && expected !== (record?.transaction ?? null)) throw overtaken();
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
async function transact(
  host: Host,
  directory: OpenDirectory,
  steps: readonly Step[],
  options: ApplyOptions,
): Promise<Journal> {
  const work = workOn(host, directory, steps, headerFor(host, steps, options), options);
  try {
    await carryOut(work, steps);
    return work.journal.journal;
  } catch (error) {
    const {journal} = work.journal;
    if (host.watch?.isLost && (await afterLoss(host, directory, error))) return journal;
    const ended = await rollBack(host, directory, journal, error, options.signal?.aborted ?? false);
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
    const sequence = inSequence(host);
    await finish(sequence.host, directory, journal);
    await sequence.reached();
  } catch (error) {
    // Committed is committed: the journal holds everything, and the next run makes or ends the record from it.
    const doing = options.ends === undefined ? 'write the ownership record' : `clear ${directory.path}`;
    const {message} = inWords(error, doing) as Error;
    options.warn?.(`${message}; the next run does it`);
  }
  await directory.close().catch(() => undefined);
}
