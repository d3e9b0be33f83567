import type {Host} from '../host/host.js';
import {hasUnfinished, type OpenDirectory, openDataDirectory} from './data-directory.js';
import {inWords, type Problem, restoreIncomplete} from './explain.js';
import type {Ending, Journal, Settings} from './journal.js';
import {readJournal} from './read-journal.js';
import {mergeRecord, readRecord, savedIn} from './record.js';
import {keepSaved, namesIn, sweepSaved} from './saved.js';
import {undo} from './undo.js';

export interface Recovery {
  /** 'undone': the host is as before the interrupted run; 'finished': as that run wanted it. */
  readonly outcome: 'nothing' | 'undone' | 'finished';
  /** The interrupted operation and when it began. */
  readonly operation?: string;
  readonly at?: string;
  /** What a person should know: files left alone, commands that did not work. */
  readonly notes: readonly string[];
  /** What the interrupted run had noted for this case (see `note` in plan.ts), oldest first. */
  readonly noted: readonly Settings[];
}

const NOTHING: Recovery = {outcome: 'nothing', notes: [], noted: []};

/** Takes away what an undone transaction has in the data directory; the journal last. */
export async function discard(host: Host, directory: OpenDirectory): Promise<void> {
  // With a record that cannot be read nobody knows which copies it needs: then all of them stay.
  const record = await readRecord(host, directory.path).catch(() => 'unknown' as const);
  if (record !== 'unknown') await sweepSaved(host, directory, savedIn(record));
  await host.remove(directory.journal);
}

/** Turns a committed journal into the ownership record, or ends the ownership. The journal goes last. */
export async function finish(host: Host, directory: OpenDirectory, journal: Journal): Promise<void> {
  if (journal.header.ends !== undefined) return end(host, directory, journal.header.ends);
  const copies = namesIn(host, directory);
  copies.catch(() => undefined);
  const old = await readRecord(host, directory.path);
  const record = mergeRecord(old, journal, directory.made);
  if (record !== old) {
    await host.write(directory.record, Buffer.from(`${JSON.stringify(record, undefined, 2)}\n`), {
      mode: 0o600,
    });
  }
  await sweepSaved(host, directory, savedIn(record), copies);
  await directory.keep(host);
  await host.remove(directory.journal);
}

/** Takes away what is ours in the data directory, and has its end take away the directory itself. */
async function end(host: Host, directory: OpenDirectory, {made, keep}: Ending): Promise<void> {
  for (const name of keep) await keepSaved(host, directory, name);
  await host.remove(directory.record);
  await sweepSaved(host, directory, new Set());
  await directory.giveUp(host, made);
  await host.remove(directory.journal);
}

/** What was not done, for a person; the copy of a file that somebody else has changed outlives the transaction. */
async function noteOf(
  host: Host,
  directory: OpenDirectory,
  {reason, remedy, saved}: Problem,
): Promise<string> {
  if (saved === undefined) return `${reason} (${remedy})`;
  return `${reason}; what was there before is kept in ${await keepSaved(host, directory, saved)}`;
}

/** Undoes or finishes an interrupted transaction in a data directory that is open. */
export async function recoverOpen(host: Host, directory: OpenDirectory): Promise<Recovery> {
  const journal = await readJournal(host, directory);
  if (journal === 'absent') {
    if (directory.made.length === 0) return NOTHING;
    return {...NOTHING, outcome: directory.ended ? 'finished' : 'undone'};
  }
  if (journal === 'empty') {
    await discard(host, directory);
    return {...NOTHING, outcome: 'undone'};
  }
  const {operation, at, settle} = journal.header;
  const about = {operation, at, noted: journal.notes};
  if (journal.committed) {
    await finish(host, directory, journal);
    return {...about, outcome: 'finished', notes: []};
  }
  const begun = journal.paths.length > 0 || journal.commands.length > 0;
  const {paths, commands} = await undo(host, directory, journal, begun ? settle : []);
  if (paths.some(({foreign}) => !foreign))
    throw restoreIncomplete([...paths, ...commands], directory.journal);
  const notes: string[] = [];
  for (const problem of [...paths, ...commands]) notes.push(await noteOf(host, directory, problem));
  await discard(host, directory);
  return {...about, outcome: 'undone', notes};
}

/**
 * What every command calls first: undoes an interrupted transaction, or finishes one that was committed. Fails with
 * RESTORE_INCOMPLETE when something could not be put back (nothing is deleted then, the next call tries again), with
 * HOST_UNSUITABLE when the journal cannot be used or others may write where it lies, with HOST_LOCKED when the transaction is not interrupted at all.
 */
export async function recover(host: Host, dataDir: string): Promise<Recovery> {
  try {
    if (!(await hasUnfinished(host, dataDir))) return NOTHING;
    const directory = await openDataDirectory(host, dataDir);
    const recovery = await recoverOpen(host, directory).catch(async (error: unknown) => {
      await directory.close().catch(() => undefined);
      throw error;
    });
    await directory.close();
    return recovery;
  } catch (error) {
    throw inWords(error, `recover from an interrupted run in ${dataDir}`);
  }
}
