// What earlier runs have left in the data directory, read without taking the lock and without recovering: a report
// changes nothing.

import type {Host} from '../../host/host.js';
import {mergeRecord, type OwnershipRecord} from '../../plan/record.js';
import {codeOf} from '../../system-error.js';
import {type JoinSettings, readSettings} from '../settings.js';
import {type IdentityValidity, judgeIdentity} from './identity.js';
import {type Commands, commandsFor, type Place, type Problem, problem} from './problem.js';
import {readStored, readUnfinished} from './stored.js';

export interface Past {
  /** 'unknown': this user may not look, or what is there cannot be understood. */
  readonly state: 'joined' | 'not joined' | 'unknown';
  readonly record?: OwnershipRecord;
  readonly settings?: JoinSettings;
  readonly identity?: IdentityValidity | 'discarded';
  readonly problems: readonly Problem[];
}

/** Whether this host has a credential that it cannot use, which is a problem of its own. */
export function isIdentityLost({problems}: Past): boolean {
  return problems.some(({code}) => code === 'IDENTITY_MISSING' || code === 'IDENTITY_DAMAGED');
}

/** Never fails for what it finds: that is a problem to report. */
export async function readPast(host: Host, place: Place): Promise<Past> {
  try {
    return await read(host, place);
  } catch (error) {
    if (codeOf(error) !== 'EACCES') throw error;
    const text = `${place.dataDir} is for root only`;
    const {asRoot, status} = commandsFor(place);
    return {
      state: 'unknown',
      problems: [problem('UNREADABLE', text, `${asRoot} to see it: ${status}`)],
    };
  }
}

async function read(host: Host, place: Place): Promise<Past> {
  const {dataDir} = place;
  const [open, unfinished, stored] = await Promise.all([
    openToOthers(host, dataDir),
    readUnfinished(host, place),
    readStored(host, dataDir),
  ]);
  const problems = [...open, ...unfinished.problems, ...stored.problems];
  if (stored.problems.length > 0) return {state: 'unknown', problems};
  const {journal} = unfinished;
  // Committed is committed: the record is only not written down yet.
  const record = journal?.committed ? mergeRecord(stored.record, journal, []) : stored.record;
  if (record === undefined) {
    const text = 'this host is not joined to a cluster';
    return {
      state: 'not joined',
      problems: [...problems, problem('NOT_JOINED', text, commandsFor(place).join)],
    };
  }
  const settings = readSettings(record.settings);
  if (settings === undefined) {
    const text = `the ownership record in ${dataDir} says nothing about a join`;
    const fix = 'it was written by another version, or by hand: put it back from a backup';
    return {state: 'unknown', record, problems: [...problems, problem('RECORD_DAMAGED', text, fix)]};
  }
  const commands = commandsFor(place, settings);
  const identity = await judgeIdentity(host, dataDir, settings, commands);
  const found = [...problems, ...otherHost(host, record, commands), ...identity.problems];
  return {
    state: 'joined',
    record,
    settings,
    problems: found,
    ...(identity.value && {identity: identity.value}),
  };
}

/** A renamed host, or a copy of another one's disk: the two cannot be told apart from here. */
function otherHost(host: Host, record: OwnershipRecord, commands: Commands): Problem[] {
  if (record.host === host.name) return [];
  const text = `the ownership record was written on ${record.host}, and this is ${host.name}`;
  const fix = `if this host was renamed: ${commands.repair}; if its disk was copied from ${record.host}: leave with --local and join again, for the node and its credential belong to that host`;
  return [problem('RECORD_OF_OTHER_HOST', text, fix)];
}

/** Whoever may write there may have any file of this host replaced by the next recovery. */
async function openToOthers(host: Host, dataDir: string): Promise<Problem[]> {
  const real = await host.resolve(dataDir).catch(() => dataDir);
  const entry = await host.look(real);
  if (entry?.kind !== 'directory') return [];
  if (entry.uid !== 0 && entry.uid !== host.uid) {
    const text = `${dataDir} belongs to another user (uid ${entry.uid}): nothing in it can be believed`;
    return [problem('DATA_DIRECTORY_OPEN', text, `look what is in it, then: sudo chown -R root ${dataDir}`)];
  }
  if ((entry.mode & 0o077) === 0) return [];
  const mode = entry.mode.toString(8).padStart(4, '0');
  const who = (entry.mode & 0o022) === 0 ? 'read' : 'written';
  return [
    problem(
      'DATA_DIRECTORY_OPEN',
      `${dataDir} can be ${who} by others (mode ${mode}): the key of this node is in it`,
      `look who did that and what is in it, then: sudo chmod 0700 ${dataDir}`,
    ),
  ];
}
