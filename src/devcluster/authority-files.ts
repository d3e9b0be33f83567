// What rotations have made of the authorities: one file for each change, numbered, next to the cluster's own file. A
// file is linked into its place whole, and only where there is none yet. So nobody needs a lock: of two who rotate at
// the same moment the second one has to look again, and a running cluster sees every change as soon as it asks.

import {linkSync, rmSync, statSync} from 'node:fs';
import {codeOf} from '../system-error.js';
import type {Authorities} from './authority.js';
import {
  type ClusterState,
  restoreAuthorities,
  type StoredAuthorities,
  storeAuthorities,
} from './cluster-state.js';
import type {StateDirectory} from './state-directory.js';

export interface AuthorityChange {
  /** Counted from 1; 0 are the authorities that the cluster began with. */
  readonly number: number;
  readonly authorities: Authorities;
  /** When it was written, milliseconds since 1970. */
  readonly since: number;
}

const fileOf = (number: number) => `authorities.${number}.json`;

/** The change of that number, when there has been one. */
export function readChange(
  state: StateDirectory,
  cluster: string,
  number: number,
): AuthorityChange | undefined {
  const name = fileOf(number);
  const since = statSync(state.file(name), {throwIfNoEntry: false})?.mtimeMs;
  const stored = since === undefined ? undefined : state.read<StoredAuthorities>(name);
  if (since === undefined || stored === undefined) return undefined;
  return {number, authorities: restoreAuthorities(stored, cluster), since};
}

/** The cluster with the authorities that it has now. */
export function withChanges(state: StateDirectory, first: ClusterState): ClusterState {
  let cluster = first;
  for (;;) {
    const next = readChange(state, cluster.name, cluster.changes + 1);
    if (next === undefined) return cluster;
    cluster = {...cluster, authorities: next.authorities, changes: next.number};
  }
}

/** Writes the change of that number; false when somebody else was faster. */
export function writeChange(state: StateDirectory, number: number, authorities: Authorities): boolean {
  const temporary = state.writeTemporary(fileOf(number), storeAuthorities(authorities));
  try {
    linkSync(temporary, state.file(fileOf(number)));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, {force: true});
  }
}
