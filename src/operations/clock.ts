// The clock of a host that is reached through ssh, beside ours. sshd there compares the dates of certificates by its own.

import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';

/** Seconds. Certificates are dated back by a minute, those of the cluster as ours. */
const TOLERATED = 60;

type Clocked = Pick<Host, 'name' | 'clockAhead'>;

/** What to say about a clock that is not ours. */
export function clockWarning(host: Clocked): string | undefined {
  const clocks = bothClocks(host);
  return clocks && `${clocks}: its sshd goes by its own, and refuses who has a certificate of another time`;
}

/** Why a rehearsed login was refused, where it was for that. */
export function refusedForTime(host: Clocked, login: string, reason: string): Failure | undefined {
  const clocks = bothClocks(host);
  if (clocks === undefined || !/Certificate invalid: (not yet valid|expired)/.test(reason)) return undefined;
  return new Failure('REHEARSAL_FAILED', `${login} would be refused`, {
    detail: `sshd says: ${reason}`,
    hint: `${clocks}: set the one that is wrong (see \`timedatectl\`)\nseen in a rehearsal, nothing was changed`,
  });
}

function bothClocks({name, clockAhead = 0}: Clocked): string | undefined {
  if (Math.abs(clockAhead) <= TOLERATED) return undefined;
  const [ours, theirs] = [Date.now(), Date.now() + clockAhead * 1000].map(inSeconds);
  return `the clock of ${name} says ${theirs} and ours ${ours}`;
}

const inSeconds = (time: number): string => new Date(time).toISOString().replace(/\.\d+Z$/, 'Z');
