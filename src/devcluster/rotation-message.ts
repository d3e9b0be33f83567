// An authority's rotation as the trust service tells it, and as a host that renews may claim to know it.

import {create, type MessageShape} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import {RotationScheduleSchema, RotationSchema} from '../cluster/gen/types_pb.js';
import {Refusal} from './refusal.js';
import {GRACE_PERIOD, type Rotation} from './rotation.js';
import {recordText, sentence} from './rotation-text.js';
import {zeroTime} from './timestamps.js';

type RotationMessage = MessageShape<typeof RotationSchema>;

/** Times that are not set are year 1. A manual rotation has a schedule as well, which nobody follows. */
export function describeRotation({phase, currentId, started, lastRotated}: Rotation): RotationMessage {
  const time = (at: number | undefined) => (at === undefined ? zeroTime() : timestampFromMs(at));
  return create(RotationSchema, {
    state: phase === 'standby' ? 'standby' : 'in_progress',
    phase,
    mode: phase === 'standby' ? '' : 'manual',
    currentId,
    started: time(started),
    gracePeriod: GRACE_PERIOD,
    lastRotated: time(lastRotated),
    schedule: describeSchedule(started),
  });
}

/** The grace period in thirds, from the start of a rotation that is under way. */
function describeSchedule(started: number | undefined) {
  const third = Number(GRACE_PERIOD / 3_000_000n);
  const after = (thirds: number) =>
    started === undefined ? zeroTime() : timestampFromMs(started + thirds * third);
  return create(RotationScheduleSchema, {
    updateClients: after(1),
    updateServers: after(2),
    standby: after(3),
  });
}

/**
 * Refuses a host that believes to be in another rotation, or another phase of it, than the authority is. One that says
 * neither is not asked.
 */
export function checkExpected(expected: RotationMessage, rotation: Rotation | undefined): void {
  const actual = rotation === undefined ? create(RotationSchema) : describeRotation(rotation);
  if (identity(expected) === identity(create(RotationSchema))) return;
  if (identity(actual) === identity(expected)) return;
  throw new Refusal(
    'bad parameter',
    `the client expected state is out of sync, server rotation state: ${recordText(actual)}, ` +
      `client rotation state: ${sentence(expected)}, re-register the client from scratch to fix the issue.`,
  );
}

/** What makes two states the same. */
const identity = ({currentId, state, phase}: RotationMessage) => JSON.stringify([currentId, state, phase]);
