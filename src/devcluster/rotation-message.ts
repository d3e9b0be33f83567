// An authority's rotation as the trust service tells it, and as a host that renews may claim to know it.

import {create, type MessageShape} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import {RotationSchema} from '../cluster/gen/types_pb.js';
import {Refusal} from './refusal.js';
import {GRACE_PERIOD, type Rotation} from './rotation.js';
import {zeroTime} from './timestamps.js';

type RotationMessage = MessageShape<typeof RotationSchema>;

/** Times that are not set are year 1; a manual rotation has no schedule. */
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
    schedule: {updateClients: zeroTime(), updateServers: zeroTime(), standby: zeroTime()},
  });
}

/** Refuses a host that believes to be in another rotation, or another phase of it, than the authority is. */
export function checkExpected(expected: RotationMessage, rotation: Rotation | undefined): void {
  const actual = rotation === undefined ? create(RotationSchema) : describeRotation(rotation);
  if (stateText(actual) === stateText(expected)) return;
  throw new Refusal(
    'bad parameter',
    `the client expected state is out of sync, server rotation state: ${stateText(actual)}, ` +
      `client rotation state: ${stateText(expected)}, re-register the client from scratch to fix the issue.`,
  );
}

/** What makes two states the same. */
const stateText = ({currentId, state, phase}: RotationMessage) =>
  `{id: ${JSON.stringify(currentId)}, state: ${JSON.stringify(state)}, phase: ${JSON.stringify(phase)}}`;
