// The rotation of an authority, as the trust service tells it.

import type {Timestamp} from '@bufbuild/protobuf/wkt';
import {ROTATION_PHASES, type Rotation} from './cluster.js';
import type {Rotation as RotationMessage} from './gen/types_pb.js';

/** Undefined for a phase that is none of Teleport's. No message, and one that says nothing, mean: never rotated. */
export function readRotation(message: RotationMessage | undefined): Rotation | undefined {
  const phase = ROTATION_PHASES.find((known) => known === (message?.phase || 'standby'));
  if (phase === undefined) return undefined;
  const {currentId: id = '', mode = '', gracePeriod = 0n, schedule} = message ?? {};
  const started = readTime(message?.started);
  const times = present({
    updateClients: readTime(schedule?.updateClients),
    updateServers: readTime(schedule?.updateServers),
    standby: readTime(schedule?.standby),
  });
  return {
    phase,
    id,
    mode,
    ...(started && {started}),
    ...(gracePeriod > 0n && {graceSeconds: Number(gracePeriod) / 1e9}),
    ...(Object.keys(times).length > 0 && {schedule: times}),
  };
}

const YEAR_ONE = -62_135_596_800n;

/** Go writes the year 1 where there is no time. */
function readTime(time: Timestamp | undefined): Date | undefined {
  if (time === undefined || time.seconds <= YEAR_ONE) return undefined;
  return new Date(Number(time.seconds) * 1000 + time.nanos / 1e6);
}

type Present<T> = {[K in keyof T]?: NonNullable<T[K]>};

function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
