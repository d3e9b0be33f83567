// What stands at a path, without its content: small enough for a journal and free of secrets.

import {createHash} from 'node:crypto';
import {Failure} from '../errors.js';
import type {Entry, Host, Ownership} from '../host/host.js';
import {modeOfNew, type PathStep} from './step.js';

export type State =
  | {readonly kind: 'absent'}
  | ({readonly kind: 'file'; readonly size: number; readonly sha256: string} & Ownership)
  | ({readonly kind: 'directory'} & Ownership);

export const ABSENT: State = {kind: 'absent'};

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Undefined for what a plan never handles: a link, a FIFO, a socket, a device. */
export function stateOf(entry: Entry | undefined): State | undefined {
  if (entry === undefined) return ABSENT;
  if (entry.kind === 'symlink' || entry.kind === 'special') return undefined;
  const {mode, uid, gid} = entry;
  if (entry.kind === 'directory') return {kind: 'directory', mode, uid, gid};
  return {kind: 'file', mode, uid, gid, size: entry.bytes.length, sha256: sha256(entry.bytes)};
}

/** What stands at a path that a plan is about to change; HOST_UNSUITABLE when that is nothing to write over. */
export async function survey(host: Host, path: string): Promise<State> {
  return surveyed(path, await host.look(path));
}

/** The same of what was seen there. */
export function surveyed(path: string, entry: Entry | undefined): State {
  const state = stateOf(entry);
  if (state !== undefined) return state;
  const what = entry?.kind === 'symlink' ? 'a symbolic link' : 'neither a file nor a directory';
  throw new Failure('HOST_UNSUITABLE', `${path} is ${what}`, {
    hint: 'find out what put it there, move it away and run this again',
  });
}

export function sameState(a: State, b: State): boolean {
  if (a.kind === 'absent' || b.kind === 'absent') return a.kind === b.kind;
  if (a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
  return fingerprint(a) === fingerprint(b);
}

/** The kind, for a file the hash of its content: what a plan computes from. */
export function fingerprint(state: State): string {
  return state.kind === 'file' ? state.sha256 : state.kind;
}

/** True when the step has nothing left to do. A file whose step names no mode keeps the one it has. */
export function holds({to}: PathStep, state: State): boolean {
  if (to === undefined || state.kind === 'absent') return to === undefined && state.kind === 'absent';
  if (to.kind !== state.kind || (to.mode !== undefined && to.mode !== state.mode)) return false;
  if (to.kind === 'directory')
    return (to.uid ?? state.uid) === state.uid && (to.gid ?? state.gid) === state.gid;
  // A faithful copy has more to it than a state tells.
  return to.like === undefined && sha256(to.bytes) === fingerprint(state);
}

/** What the step will leave behind where `before` stood; the owner of something new is whoever runs us. */
export function stateAfter({to}: PathStep, before: State): State {
  if (to === undefined) return ABSENT;
  const {uid, gid, mode} = before.kind === 'absent' ? {uid: 0, gid: 0, mode: modeOfNew(to)} : before;
  const ownership = {uid, gid, mode: to.mode ?? mode};
  if (to.kind === 'directory') return {kind: 'directory', ...ownership};
  return {kind: 'file', size: to.bytes.length, sha256: sha256(to.bytes), ...ownership};
}
