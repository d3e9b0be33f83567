// How often, and when exactly. A calendar can keep an interval that divides the hour or the day; cron and systemd have
// the same one, and so the same intervals. Pure.

import {createHash} from 'node:crypto';
import {Failure} from '../../errors.js';

type Unit = 'm' | 'h' | 'd';

const SECONDS: Readonly<Record<Unit, number>> = {m: 60, h: 3600, d: 86_400};
/** How many of a unit are one of the next: an interval has to divide that. Days start anew with each month. */
const WHOLE: Readonly<Record<'m' | 'h', number>> = {m: 60, h: 24};
const LARGER: Readonly<Record<'m' | 'h', Unit>> = {m: 'h', h: 'd'};

const SHORTEST = 300;
const LONGEST = 30 * SECONDS.d;

export interface Interval {
  readonly count: number;
  readonly unit: Unit;
}

export const DEFAULT_INTERVAL: Interval = {count: 1, unit: 'h'};

/** "1h" */
export const textOf = ({count, unit}: Interval): string => `${count}${unit}`;
export const secondsOf = ({count, unit}: Interval): number => count * SECONDS[unit];

/**
 * Reads "30m", "1h" or "1d", from 5 minutes to 30 days; "60m" is "1h". USAGE for anything else, and for what no calendar
 * can keep, such as "45m".
 */
export function parseInterval(text: string): Interval {
  const [, count = '', unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  if (count === '') throw refused(`wants an interval, not ${JSON.stringify(text)}`);
  const interval = larger({count: Number(count), unit: unit as Unit});
  const seconds = secondsOf(interval);
  if (seconds < SHORTEST || seconds > LONGEST) throw refused(`wants 5 minutes to 30 days, not ${text}`);
  if (interval.unit !== 'd' && WHOLE[interval.unit] % interval.count !== 0) {
    const kept = keptBeside(interval).join(' or ');
    throw refused(`cannot be ${text}: no calendar has that interval`, `take ${kept}`);
  }
  return interval;
}

function refused(what: string, hint = 'write for example 30m, 1h or 1d'): Failure {
  return new Failure('USAGE', `--every ${what}`, {hint});
}

function larger({count, unit}: Interval): Interval {
  if (unit === 'd' || count % WHOLE[unit] !== 0 || count === 0) return {count, unit};
  return larger({count: count / WHOLE[unit], unit: LARGER[unit]});
}

/** Every interval that divides the hour or the day, shortest first; days are beyond. */
const DIVIDING: readonly Interval[] = (['m', 'h'] as const).flatMap((unit) =>
  Array.from({length: WHOLE[unit] - 1}, (_, index) => ({count: index + 1, unit})).filter(
    ({count}) => WHOLE[unit] % count === 0,
  ),
);

function keptBeside(wanted: Interval): string[] {
  const seconds = secondsOf(wanted);
  const days = Math.floor(seconds / SECONDS.d);
  const known = [...DIVIDING, ...[days, days + 1].map((count): Interval => ({count, unit: 'd'}))].filter(
    (one) => secondsOf(one) >= SHORTEST && secondsOf(one) <= LONGEST,
  );
  const [below, above] = [
    known.findLast((one) => secondsOf(one) < seconds),
    known.find((one) => secondsOf(one) > seconds),
  ];
  return [below, above].flatMap((one) => (one === undefined ? [] : [textOf(one)]));
}

/** Points in time: every combination of these. `undefined` is every hour, or every day. */
export interface Schedule {
  readonly seconds: number;
  readonly minutes: readonly number[];
  readonly hours: readonly number[] | undefined;
  /** Of the month. */
  readonly days: readonly number[] | undefined;
}

/** The node's id decides when within the interval: a fleet is spread evenly, and a host keeps its time. */
export function scheduleOf(interval: Interval, nodeId: string): Schedule {
  const {count, unit} = interval;
  const range = Math.min(secondsOf(interval), SECONDS.d);
  const offset = createHash('sha256').update(nodeId).digest().readUInt32BE() % range;
  const [hour, minute] = [Math.floor(offset / 3600), Math.floor(offset / 60) % 60];
  return {
    seconds: offset % 60,
    minutes: unit === 'm' ? every(count, minute, 60) : [minute],
    hours: unit === 'm' ? undefined : unit === 'h' ? hoursOf(count, hour) : [hour],
    days: unit === 'd' && count > 1 ? every(count, 1, 32) : undefined,
  };
}

function every(count: number, first: number, end: number): number[] {
  return Array.from({length: Math.ceil((end - first) / count)}, (_, index) => first + index * count);
}

function hoursOf(count: number, first: number): number[] | undefined {
  return count === 1 ? undefined : every(count, first, 24);
}

const list = (numbers: readonly number[] | undefined): string => numbers?.join(',') ?? '*';

/** For OnCalendar=, see systemd.time(7). In UTC: no hour is skipped or comes twice. */
export function calendarOf({seconds, minutes, hours, days}: Schedule): string {
  return `*-*-${list(days)} ${list(hours)}:${list(minutes)}:${seconds} UTC`;
}

/** The five fields of crontab(5). */
export function crontabOf({minutes, hours, days}: Schedule): string {
  return `${list(minutes)} ${list(hours)} ${list(days)} * *`;
}

/** Seconds by which systemd delays each run at random: made-up runs of a whole fleet after an outage spread as well. */
export function jitterOf(interval: Interval): number {
  return Math.min(secondsOf(interval) / 4, 3600);
}
