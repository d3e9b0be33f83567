// What a transaction tells a host that can be lost: enough to undo it without us.

import {join} from 'node:path';
import {Failure} from '../errors.js';
import type {Host, Traces, Undo} from '../host/host.js';
import {type DataDirectory, dataDirectory, isUnfinished, markerOf, missing} from './data-directory.js';
import type {BegunPath} from './journal.js';
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
  if (host.watch === undefined || (await isUnfinished(host, dataDir))) return false;
  await host.watch.begin(tracesOf(dataDirectory(dataDir), await missing(host, dataDir)));
  return true;
}

/** The same once the data directory is open. */
export async function watchIn(
  host: Host,
  directory: DataDirectory & {readonly made: readonly string[]},
): Promise<void> {
  await host.watch?.begin(tracesOf(directory, directory.made));
}

/** Before the path is touched. */
export async function watchPath(
  {watch}: Host,
  {saved: directory}: DataDirectory,
  {path, before, saved}: BegunPath,
): Promise<void> {
  if (watch === undefined) return;
  const undo: Undo | undefined =
    before.kind === 'absent'
      ? {kind: 'absent', path}
      : before.kind === 'directory'
        ? {kind: 'directory', path, mode: before.mode, uid: before.uid, gid: before.gid}
        : before.kind === 'file' && saved !== undefined
          ? {kind: 'file', path, copy: join(directory, saved)}
          : undefined;
  if (undo !== undefined) await watch.note(undo);
}

/** Before the command is run. */
export async function watchCommand({watch}: Host, step: CommandStep): Promise<void> {
  if (watch === undefined || step.kind !== 'command') return;
  if (step.lasting?.before !== undefined) await watch.note({kind: 'release', argv: step.lasting.before});
  if (step.settle !== undefined) await watch.note({kind: 'settle', argv: step.settle});
}

/**
 * After the connection was lost in the middle. Nothing to throw when the transaction was committed before; else
 * CHANGE_FAILED, `restored` being true, or RESTORE_INCOMPLETE where nobody could see what has become of it.
 */
export async function afterLoss(host: Host, {journal}: DataDirectory, lost: Failure): Promise<void> {
  const outcome = await host.watch?.settled(journal);
  if (outcome === 'kept') return;
  const {detail} = lost;
  if (outcome === 'undone') {
    throw new Failure(
      'CHANGE_FAILED',
      'the connection was lost; the host has put everything back by itself',
      {
        ...(detail !== undefined && {detail}),
        hint: 'run this again once the connection is good',
        restored: true,
        cause: lost,
      },
    );
  }
  throw new Failure('RESTORE_INCOMPLETE', 'the connection was lost and the host cannot be reached', {
    ...(detail !== undefined && {detail}),
    hint: 'it puts everything back by itself as soon as it sees that, within two minutes; look with `agentless status --host`',
    cause: lost,
  });
}
