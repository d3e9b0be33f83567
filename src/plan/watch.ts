// What a transaction tells a host that can be lost: enough to undo it without us.

import {join} from 'node:path';
import {Failure} from '../errors.js';
import type {Host, Traces} from '../host/host.js';
import {type DataDirectory, dataDirectory, markerOf, missing} from './data-directory.js';
import type {State} from './state.js';
import type {CommandStep} from './step.js';

function tracesOf(directory: DataDirectory, made: readonly string[]): Traces {
  const [outermost] = made;
  return {
    journal: directory.journal,
    saved: directory.saved,
    lock: join(directory.path, 'lock'),
    made,
    marker: outermost === undefined ? undefined : markerOf(outermost),
  };
}

/** Before anything is made; false where an earlier run has left something that comes first. */
export async function watchFrom(host: Host, dataDir: string): Promise<boolean> {
  const made = host.watch && (await missing(host, dataDir));
  if (made === undefined) return false;
  await host.watch?.begin(tracesOf(dataDirectory(dataDir), made));
  return true;
}

/** The same once the data directory is open. */
export async function watchIn(
  host: Host,
  directory: DataDirectory & {readonly made: readonly string[]},
): Promise<void> {
  await host.watch?.begin(tracesOf(directory, directory.made));
}

/** Before the path is touched; of a file more has to be known. */
export async function watchPath({watch}: Host, path: string, before: State): Promise<void> {
  if (before.kind === 'absent') await watch?.note({kind: 'absent', path});
  if (before.kind !== 'directory') return;
  const {mode, uid, gid} = before;
  await watch?.note({kind: 'directory', path, mode, uid, gid});
}

/** Before there is a copy: where there is none, nothing has been done to the file. */
export async function watchFile({watch}: Host, path: string, copy: string): Promise<void> {
  await watch?.note({kind: 'file', path, copy});
}

/** Before the command is run. */
export async function watchCommand({watch}: Host, step: CommandStep): Promise<void> {
  if (watch === undefined || step.kind !== 'command') return;
  if (step.lasting?.before !== undefined) await watch.note({kind: 'release', argv: step.lasting.before});
  if (step.settle !== undefined) await watch.note({kind: 'settle', argv: step.settle});
}

/**
 * After the connection was lost in the middle. True when the transaction was committed before; else it throws CHANGE_FAILED,
 * `restored` being true, or RESTORE_INCOMPLETE where nobody could see what has become of it.
 */
export async function afterLoss(host: Host, {journal}: DataDirectory, lost: unknown): Promise<boolean> {
  const outcome = await host.watch?.settled(journal);
  if (outcome === 'kept') return true;
  const detail = lost instanceof Failure ? lost.detail : undefined;
  const words = detail === undefined ? {} : {detail};
  if (outcome === 'undone') {
    throw new Failure(
      'CHANGE_FAILED',
      'the connection was lost; the host has put everything back by itself',
      {
        ...words,
        hint: 'run this again once the connection is good',
        restored: true,
        cause: lost,
      },
    );
  }
  if (outcome === 'stuck') {
    throw new Failure(
      'RESTORE_INCOMPLETE',
      'the connection was lost; the host could not put everything back',
      {
        ...words,
        hint: 'remove the cause and run any agentless command at that host: it goes on restoring',
        cause: lost,
      },
    );
  }
  throw new Failure('RESTORE_INCOMPLETE', 'the connection was lost and the host cannot be reached', {
    ...words,
    hint: 'it puts everything back by itself as soon as it sees that, within two minutes; look with `agentless status --host`',
    cause: lost,
  });
}
