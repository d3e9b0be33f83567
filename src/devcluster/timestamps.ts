// Go's zero time (year 1) stands for "none" in fields that cannot be left out.

import {create} from '@bufbuild/protobuf';
import {type Timestamp, TimestampSchema} from '@bufbuild/protobuf/wkt';

const YEAR_ONE = -62_135_596_800n;

export function zeroTime(): Timestamp {
  return create(TimestampSchema, {seconds: YEAR_ONE});
}

/** Milliseconds since 1970; an empty Timestamp is 1970 itself. */
export function milliseconds(timestamp: Timestamp): number {
  return Number(timestamp.seconds) * 1000 + timestamp.nanos / 1e6;
}
