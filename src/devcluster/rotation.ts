// Rotation of an authority: the phases of a manual rotation, which may follow which, and what each does to the keys.
// Rules and refusals as measured on 18.0.0.

import {randomUUID} from 'node:crypto';
import {ROTATION_PHASES, type RotationPhase, type SignatureSuite} from '../cluster/cluster.js';

import {AUTHORITY_TYPES, type Authority, type AuthorityType, newKeySet, type TlsKey} from './authority.js';
import {Refusal} from './refusal.js';

export interface Rotation {
  readonly phase: RotationPhase;
  /** New with each rotation; stays when the rotation has ended. */
  readonly currentId: string;
  /** Milliseconds since 1970; absent when no rotation is under way. */
  readonly started?: number;
  /** When a rotation has last ended, also one that was rolled back; milliseconds since 1970. */
  readonly lastRotated?: number;
}

/** Told with every rotation, which has its schedule from it. 30 hours, in nanoseconds. */
export const GRACE_PERIOD = 30n * 3600n * 1_000_000_000n;

const NEXT: Readonly<Record<RotationPhase, readonly RotationPhase[]>> = {
  standby: ['init'],
  init: ['update_clients', 'rollback'],
  update_clients: ['update_servers', 'rollback'],
  update_servers: ['standby', 'rollback'],
  rollback: ['standby'],
};

/** Phases that may follow. */
export const nextPhases = (from: RotationPhase): readonly RotationPhase[] => NEXT[from];

export const phaseOf = ({rotation}: Authority): RotationPhase => rotation?.phase ?? 'standby';

/** An authority type by its name, which may be anything. */
export function authorityType(name: string): AuthorityType {
  const type = AUTHORITY_TYPES.find((known) => known === name);
  if (type !== undefined) return type;
  throw new Refusal('bad parameter', `${JSON.stringify(name)} authority type is not supported`);
}

/** The authority in its next phase, or a refusal. `wanted` may be anything; "" means init. */
export async function advance(
  authority: Authority,
  wanted: string,
  suite: SignatureSuite,
  now = Date.now(),
): Promise<Authority> {
  const to = ROTATION_PHASES.find((phase) => phase === (wanted || 'init'));
  if (to === undefined) throw new Refusal('bad parameter', `unsupported phase: ${JSON.stringify(wanted)}`);
  if (!nextPhases(phaseOf(authority)).includes(to)) throw notFrom(authority.rotation?.phase ?? '', to);
  return {
    ...authority,
    revision: randomUUID(),
    ...(await keysIn(to, authority, suite)),
    rotation: stateIn(to, authority.rotation, now),
  };
}

/** `from` is empty where there has never been a rotation, and so is the blank's other side in the text. */
function notFrom(from: RotationPhase | '', to: RotationPhase): Refusal {
  return new Refusal('bad parameter', REFUSALS[to](from));
}

const REFUSALS: Readonly<Record<RotationPhase, (from: string) => string>> = {
  init: () => 'can not initiate rotation while another is in progress',
  update_clients: (from) => `can only switch to phase update_clients from init, current phase is ${from}`,
  update_servers: (from) =>
    `can only switch to phase update_servers from update_clients, current phase is ${from}`,
  standby: (from) => `can not transition to phase "standby" from "${from}" phase.`,
  rollback: (from) => `can not transition to phase "rollback" from "${from}" phase.`,
};

type Keys = Pick<Authority, 'active' | 'additional'>;

async function keysIn(to: RotationPhase, authority: Authority, suite: SignatureSuite): Promise<Keys> {
  const {type, cluster, active, additional} = authority;
  switch (to) {
    case 'init':
      return {active, additional: [await newKeySet(type, cluster, suite)]};
    case 'update_clients':
      return swapped(authority);
    case 'update_servers':
      return {active, additional};
    case 'standby':
      return {active, additional: []};
    case 'rollback':
      // From init the old keys are the active ones still.
      return phaseOf(authority) === 'init' ? {active, additional} : swapped(authority);
  }
}

function swapped({active, additional}: Authority): Keys {
  const [other, ...rest] = additional;
  if (other === undefined) throw new Error('an authority in rotation has a second set of keys');
  return {active: other, additional: [active, ...rest]};
}

function stateIn(to: RotationPhase, before: Rotation | undefined, now: number): Rotation {
  const {lastRotated} = before ?? {};
  const last = lastRotated === undefined ? {} : {lastRotated};
  if (to === 'init') return {phase: to, currentId: randomUUID(), started: now, ...last};
  const currentId = before?.currentId ?? '';
  if (to === 'standby') return {phase: to, currentId, lastRotated: now};
  return {phase: to, currentId, started: before?.started ?? now, ...last};
}

/** Who signs what the cluster's own servers present: clients are given time to learn of new keys first. */
export function serverIssuer(authority: Authority): TlsKey {
  const keys = phaseOf(authority) === 'update_clients' ? authority.additional[0] : authority.active;
  if (keys?.tls === undefined) throw new Error(`the ${authority.type} authority has no TLS key for servers`);
  return keys.tls;
}
