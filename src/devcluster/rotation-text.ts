// How the real cluster words two states of a rotation that are not the same: its own as its language prints the record, the
// caller's as a sentence. Measured on 18.0.0.

import type {MessageShape} from '@bufbuild/protobuf';
import type {Timestamp} from '@bufbuild/protobuf/wkt';
import type {RotationSchema} from '../cluster/gen/types_pb.js';
import {milliseconds, zeroTime} from './timestamps.js';

type RotationMessage = MessageShape<typeof RotationSchema>;

/** What Go prints of fields that are for the decoder only. */
const REST = '{} [] 0';

/** "{in_progress init manual ID 2026-… +0000 UTC 108000000000000 … {…} …}"; what is empty leaves its blank. */
export function recordText(rotation: RotationMessage): string {
  const {state, phase, mode, currentId, started, gracePeriod, lastRotated, schedule} = rotation;
  const times = [schedule?.updateClients, schedule?.updateServers, schedule?.standby].map(goTime);
  const planned = `{${[...times, REST].join(' ')}}`;
  const fields = [state, phase, mode, currentId, goTime(started), gracePeriod, goTime(lastRotated)];
  return `{${[...fields, planned, REST].join(' ')}}`;
}

/** "in progress (mode: manual, phase: init)", "standby (never rotated)" … */
export function sentence(rotation: RotationMessage): string {
  const {state, phase, mode, started, gracePeriod, lastRotated = zeroTime()} = rotation;
  if (state !== 'in_progress') {
    return isZero(lastRotated) ? 'standby (never rotated)' : `standby (last rotated: ${day(lastRotated)})`;
  }
  if (mode === 'manual') return `in progress (mode: manual, phase: ${phase})`;
  const from = started ?? zeroTime();
  const to = {...from, seconds: from.seconds + gracePeriod / 1_000_000_000n};
  return `in progress (mode: automatic, phase: ${phase}, started: ${day(from)}, ending: ${day(to)})`;
}

const isZero = ({seconds}: Timestamp) => seconds === zeroTime().seconds;

/** "2026-11-25 19:28:43.295 +0000 UTC" */
function goTime(time: Timestamp = zeroTime()): string {
  const [date, clock = ''] = new Date(milliseconds({...time, nanos: 0})).toISOString().split('T');
  const fraction = time.nanos === 0 ? '' : `.${String(time.nanos).padStart(9, '0').replace(/0+$/, '')}`;
  return `${date} ${clock.slice(0, 8)}${fraction} +0000 UTC`;
}

/** "Nov 25 2026 19:28:51 UTC" */
function day(time: Timestamp): string {
  const date = new Date(milliseconds(time));
  const [, dayOfMonth, month, year, clock] = date.toUTCString().split(' ');
  return `${month} ${Number(dayOfMonth)} ${year} ${clock} UTC`;
}
