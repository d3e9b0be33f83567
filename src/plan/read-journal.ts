import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {type DataDirectory, refuseStrangersFile} from './data-directory.js';
import {type BegunPath, FORMAT, type Header, type Journal, type Settings} from './journal.js';
import type {State} from './state.js';
import type {CommandStep} from './step.js';

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null;

function unreadable(directory: DataDirectory, why: string): Failure {
  return new Failure('HOST_UNSUITABLE', `the journal of an interrupted run cannot be used: ${why}`, {
    hint:
      `nothing was touched; the files as they were before are in ${directory.saved}. ` +
      `Put them back by hand as ${directory.journal} tells, then remove that journal`,
  });
}

/** The whole lines. What follows the last newline was being written when the power went, and was never acted on. */
function wholeLines(text: string, directory: DataDirectory): readonly Fields[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line, index) => {
    try {
      const value: unknown = JSON.parse(line);
      if (isFields(value) && typeof value['line'] === 'string') return value;
    } catch {
      // Said below.
    }
    throw unreadable(directory, `line ${index + 1} is not one of ours`);
  });
}

function headerOf(first: Fields, host: Host, directory: DataDirectory): Header {
  if (first['line'] !== 'header') throw unreadable(directory, 'it has no header');
  // The fields of every version up to ours; a newer one is recognised before anything else in it is believed.
  const header = first as unknown as Header;
  if (typeof header.version !== 'number' || !(header.version <= FORMAT)) {
    throw new Failure('HOST_UNSUITABLE', 'a newer agentless was interrupted on this host', {
      hint: `run that version again to finish or undo what it began (${directory.journal})`,
    });
  }
  if (header.host !== host.name) {
    throw unreadable(directory, `it was written on ${header.host}, and this is ${host.name}`);
  }
  return header;
}

/** The two shapes of a begin line: see `Line` in journal.ts. */
interface Lists {
  readonly paths: Map<number, BegunPath>;
  readonly commands: CommandStep[];
  readonly notes: Settings[];
  committed: boolean;
}

function collect(lists: Lists, {line, index, ...rest}: Fields): boolean {
  const number = Number(index);
  const path = lists.paths.get(number);
  if (line === 'begin' && isFields(rest['step'])) lists.commands.push(rest['step'] as unknown as CommandStep);
  else if (line === 'begin' && isFields(rest['before']))
    lists.paths.set(number, rest as unknown as BegunPath);
  else if (line === 'done' && path !== undefined)
    lists.paths.set(number, {...path, after: rest['after'] as State});
  else if (line === 'note') lists.notes.push(rest['data'] as Settings);
  else if (line === 'commit') lists.committed = true;
  else return line === 'done';
  return true;
}

/**
 * The journal that an interrupted run has left. 'absent': none; 'empty': not even its first line was finished, so
 * nothing had been begun. HOST_UNSUITABLE when it cannot be read, is of a newer version or of another host.
 */
export async function readJournal(
  host: Host,
  directory: DataDirectory,
): Promise<Journal | 'absent' | 'empty'> {
  const entry = await host.look(directory.journal);
  if (entry !== undefined) refuseStrangersFile(host, directory.journal, entry);
  if (entry === undefined) return 'absent';
  if (entry.kind !== 'file') throw unreadable(directory, 'it is not a file');
  const [first, ...rest] = wholeLines(Buffer.from(entry.bytes).toString('utf8'), directory);
  if (first === undefined) return 'empty';
  const header = headerOf(first, host, directory);
  const lists: Lists = {paths: new Map(), commands: [], notes: [], committed: false};
  for (const [number, line] of rest.entries()) {
    if (!collect(lists, line)) throw unreadable(directory, `line ${number + 2} is not one of ours`);
  }
  return {header, ...lists, paths: [...lists.paths.values()]};
}
