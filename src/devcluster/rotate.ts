// Rotating an authority of a cluster, whether it runs or not: the change is written into its directory, where a running
// cluster looks before it uses its authorities.

import type {RotationPhase} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {fingerprint, publicBlob} from '../ssh/key.js';
import type {Authority, AuthorityType, KeySet} from './authority.js';
import {writeChange} from './authority-files.js';
import {Refusal} from './refusal.js';
import {advance, authorityType, nextPhases, phaseOf} from './rotation.js';
import {StateDirectory} from './state-directory.js';

/** An authority after a change of its phase. Keys are SHA256 fingerprints of the SSH keys. */
export interface Rotated {
  readonly cluster: string;
  readonly type: AuthorityType;
  readonly phase: RotationPhase;
  readonly currentId: string;
  readonly active: readonly string[];
  readonly additional: readonly string[];
}

/**
 * Takes an authority to another phase. `type` and `phase` may be any text: the refusal is USAGE, with the words of the
 * real cluster in its detail, and the phases that may follow in its hint.
 */
export async function rotate(dir: string, type: string, phase: string): Promise<Rotated> {
  const state = new StateDirectory(dir);
  for (;;) {
    const {authorities, changes, suite} = state.requireCluster();
    const before = authorities[readType(type)];
    const after = await advance(before, phase, suite).catch((error: unknown) => {
      throw error instanceof Refusal ? refused(before, phase, error) : error;
    });
    // False when somebody else has rotated meanwhile: the phase to start from may be another one now.
    if (writeChange(state, changes + 1, {...authorities, [after.type]: after})) return describe(after);
  }
}

function readType(name: string): AuthorityType {
  try {
    return authorityType(name);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Failure('USAGE', `there is no ${JSON.stringify(name)} authority to rotate`, {
      detail: error.message,
      hint: 'host and openssh are the ones that a host with OpenSSH has to do with',
      cause: error,
    });
  }
}

function refused(authority: Authority, phase: string, cause: Refusal): Failure {
  const from = phaseOf(authority);
  const message = `the ${authority.type} authority is at ${from}; it cannot go to ${JSON.stringify(phase)}`;
  const hint = `from ${from} it goes to ${nextPhases(from).join(' or ')}`;
  return new Failure('USAGE', message, {detail: cause.message, hint, cause});
}

function describe(authority: Authority): Rotated {
  const {cluster, type, active, additional, rotation} = authority;
  const name = ({ssh}: KeySet) => fingerprint(publicBlob(ssh));
  return {
    cluster,
    type,
    phase: phaseOf(authority),
    currentId: rotation?.currentId ?? '',
    active: [name(active)],
    additional: additional.map(name),
  };
}
