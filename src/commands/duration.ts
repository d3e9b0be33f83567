// Durations as they are typed.

import {Failure} from '../errors.js';

const UNITS: Readonly<Record<string, number>> = {s: 1, m: 60, h: 3600};

// What is longer has no date.
const LONGEST = 100 * 365 * 24 * 3600;

/** Seconds of "90s", "10m", "1h30m", as the value of a flag. */
export function parseTtl(text: string, flag = '--ttl'): number {
  const parts = [...text.matchAll(/(\d+)([smh])/g)];
  const seconds = parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNITS[unit ?? ''] ?? 0), 0);
  const complete = parts.map(([part]) => part).join('') === text;
  if (complete && seconds > 0 && seconds <= LONGEST) return seconds;
  throw new Failure('USAGE', `${flag} wants a duration, not ${JSON.stringify(text)}`, {
    hint: 'write 90s, 10m or 1h30m',
  });
}
