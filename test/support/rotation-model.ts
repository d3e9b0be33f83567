// What a rotation does to a joined host, from the measured tables alone (rotation reference A.1 and A.3): generations of
// keys are counted, nothing is signed. Tests hold the program against it.

import type {RotationPhase} from '../../src/cluster/cluster.js';

export type RotatedType = 'host' | 'openssh';

export interface Change {
  readonly type: RotatedType;
  readonly phase: RotationPhase;
}

/** Generations of an authority's keys: `active` signs, all of `trusted` are believed. */
export interface Keys {
  readonly phase: RotationPhase;
  readonly active: number;
  readonly trusted: readonly number[];
}

export type Rotating = Readonly<Record<RotatedType, Keys>>;

const AT_FIRST: Keys = {phase: 'standby', active: 0, trusted: [0]};

export const NEVER_ROTATED: Rotating = {host: AT_FIRST, openssh: AT_FIRST};

/** What a host holds: who has signed its certificates, and whom its sshd believes about users. */
export interface Held {
  readonly signer: number;
  readonly users: readonly number[];
}

export const JUST_JOINED: Held = {signer: 0, users: [0]};

/** Table A.6. */
const FOLLOWS: Readonly<Record<RotationPhase, readonly RotationPhase[]>> = {
  standby: ['init'],
  init: ['update_clients', 'rollback'],
  update_clients: ['update_servers', 'rollback'],
  update_servers: ['standby', 'rollback'],
  rollback: ['standby'],
};

/** `fresh`: the generation that the authority gets with init. */
export function rotated({phase, active, trusted}: Keys, to: RotationPhase, fresh: number): Keys {
  const [one = active, other = active] = [...trusted].sort((a, b) => a - b);
  switch (to) {
    case 'init':
      return {phase: to, active, trusted: [active, fresh]};
    case 'update_clients':
      return {phase: to, active: other, trusted};
    case 'update_servers':
      return {phase: to, active, trusted};
    case 'rollback':
      return {phase: to, active: one, trusted};
    case 'standby':
      return {phase: to, active: phase === 'rollback' ? one : other, trusted: [active]};
  }
}

export function changed(rotating: Rotating, {type, phase}: Change, fresh: number): Rotating {
  return {...rotating, [type]: rotated(rotating[type], phase, fresh)};
}

/** Auth takes a node by any key that is trusted now; what is signed now is signed by the active one. */
export function renewed(held: Held, {host, openssh}: Rotating): Held | 'finished' {
  if (!host.trusted.includes(held.signer)) return 'finished';
  return {signer: host.active, users: [...openssh.trusted].sort((a, b) => a - b)};
}

/** A login through the proxy works: it believes the host's certificate, and sshd the user's. */
export function isAccepted({signer, users}: Held, {host, openssh}: Rotating): boolean {
  return host.trusted.includes(signer) && users.includes(openssh.active);
}

/** Every order of that many changes that Auth allows, of the two authorities separately and mixed. */
export function orders(
  length: number,
  phases: Readonly<Record<RotatedType, RotationPhase>> = {host: 'standby', openssh: 'standby'},
): readonly (readonly Change[])[] {
  if (length === 0) return [[]];
  return possible(phases).flatMap((change) =>
    orders(length - 1, {...phases, [change.type]: change.phase}).map((rest) => [change, ...rest]),
  );
}

/** What Auth allows next. */
export function possible(phases: Readonly<Record<RotatedType, RotationPhase>>): readonly Change[] {
  return (['host', 'openssh'] as const).flatMap((type) =>
    FOLLOWS[phases[type]].map((phase) => ({type, phase})),
  );
}
