// Which phase each authority is in, and by when a host must have been renewed (rotation reference A.1, A.3, A.7). Pure.

import type {Authority, Rotation, RotationPhase} from '../cluster/cluster.js';
import type {Authorities} from './speaker.js';

export interface PhaseOf {
  readonly phase: RotationPhase;
  readonly id: string;
  /** What must be done by when; absent outside a rotation. */
  readonly advice?: string;
}

export function phases({hosts, users}: Authorities): {readonly host: PhaseOf; readonly openssh: PhaseOf} {
  return {host: phaseOf(hosts, hostAdvice), openssh: phaseOf(users, usersAdvice)};
}

/**
 * A line for each authority that is being rotated; with what has to be done by when, where something is `due`, and in
 * `init` of the host authority, where it is yet to come.
 */
export function rotationLines(rotation: ReturnType<typeof phases>, due: boolean): readonly string[] {
  return (['host', 'openssh'] as const).flatMap((type) => {
    const {phase, advice} = rotation[type];
    if (phase === 'standby') return [];
    const told = advice !== undefined && (due || isToCome(type, phase)) ? `: ${advice}` : '';
    return [`the ${type} authority is being rotated (${phase})${told}`];
  });
}

const isToCome = (type: 'host' | 'openssh', phase: RotationPhase) => type === 'host' && phase === 'init';

function phaseOf({rotation}: Authority, advise: (rotation: Rotation) => string | undefined): PhaseOf {
  const advice = advise(rotation);
  return {phase: rotation.phase, id: rotation.id, ...(advice !== undefined && {advice})};
}

/** Certificates of the old key are refused from standby on. */
function hostAdvice({phase, mode, schedule}: Rotation): string | undefined {
  const end = planned(mode, schedule?.standby);
  switch (phase) {
    case 'init':
      return `renew after update_clients and before standby${end}`;
    case 'update_clients':
    case 'update_servers':
      return `renew before standby${end}: certificates of the old key are refused from then on`;
    case 'rollback':
      return 'renew before standby: certificates of the new key are refused from then on';
    default:
      return undefined;
  }
}

/** Users come with certificates of the new key from update_clients on, at once. */
function usersAdvice({phase, mode, schedule}: Rotation): string | undefined {
  if (phase !== 'init') return undefined;
  const end = planned(mode, schedule?.updateClients);
  return `the user CA file must hold both keys before update_clients${end}: all logins fail from then on without`;
}

/** A rotation that goes on by hand has a schedule as well, which is void. */
function planned(mode: string, date: Date | undefined): string {
  return mode === 'auto' && date !== undefined ? ` (planned for ${date.toISOString()})` : '';
}
