// The ownership record, and the journal of a run that was cut off, as they lie there.

import {join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import {holderOf} from '../../host/holder.js';
import type {Host} from '../../host/host.js';
import {dataDirectory, isUnfinished} from '../../plan/data-directory.js';
import type {Journal} from '../../plan/journal.js';
import {readJournal} from '../../plan/read-journal.js';
import {type OwnershipRecord, readRecord} from '../../plan/record.js';
import {readSettings} from '../settings.js';
import {type Commands, commandsFor, type Place, type Problem, problem} from './problem.js';

export interface Stored {
  readonly record?: OwnershipRecord;
  readonly problems: readonly Problem[];
}

/** A record that is damaged, or newer than this program, is a problem; one that is not there is none yet. */
export async function readStored(host: Host, dataDir: string): Promise<Stored> {
  try {
    const record = await readRecord(host, dataDir);
    return {problems: [], ...(record && {record})};
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const code = /newer/.test(error.message) ? 'RECORD_NEWER' : 'RECORD_DAMAGED';
    return {problems: [problem(code, error.message, error.hint ?? '')]};
  }
}

export interface Unfinished {
  readonly journal?: Journal;
  readonly problems: readonly Problem[];
}

/** What a run has left that did not come to its end, or that is still at work. */
export async function readUnfinished(host: Host, place: Place): Promise<Unfinished> {
  const {dataDir} = place;
  if (!(await isUnfinished(host, dataDir))) return {problems: []};
  const pid = await holderOf(host, join(dataDir, 'lock'));
  if (pid !== undefined) {
    const text = `another agentless is at work on this host (pid ${pid}), so this is a picture of a moment`;
    return {problems: [problem('BUSY', text, 'wait until it has finished and ask again')]};
  }
  try {
    const journal = await readJournal(host, dataDirectory(dataDir));
    if (journal === 'absent') return {problems: []};
    if (journal === 'empty') return {problems: [cutOff(commandsFor(place))]};
    const commands = commandsFor(place, readSettings(journal.header.settings));
    return {journal, problems: [interrupted(journal, commands)]};
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return {problems: [problem('JOURNAL_UNUSABLE', error.message, error.hint ?? '')]};
  }
}

function cutOff(commands: Commands): Problem {
  const text = 'a run was interrupted before it had changed anything';
  return problem(
    'INTERRUPTED',
    text,
    `the next command that changes something clears that away: ${commands.repair}`,
  );
}

function interrupted({header, committed, paths, commands: run, notes}: Journal, commands: Commands): Problem {
  const outcome = committed ? 'finishes' : 'undoes';
  const next = header.operation.startsWith('join') && !committed ? commands.join : commands.repair;
  const touched = [
    ...paths.map(({path, after}) => `${after === undefined ? 'was about to change' : 'has changed'} ${path}`),
    ...run.map(({argv}) => `has run ${argv.join(' ')}`),
    ...notes.flatMap(({registering}) =>
      typeof registering === 'string' ? [`may have registered node ${registering}`] : [],
    ),
  ];
  return problem(
    'INTERRUPTED',
    `${header.operation}, begun at ${header.at}, was interrupted ${committed ? 'at its very end' : 'half-way'}`,
    `the next command that changes something ${outcome} it: ${next}`,
    touched.join('\n'),
  );
}
