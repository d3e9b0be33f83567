// How the timer stands, for status.

import type {Host} from '../../host/host.js';
import {
  lookAtSchedulers,
  SCHEDULER_PLACES,
  type SchedulerPlaces,
  TIMER,
  type TimerState,
} from '../../host/scheduler.js';
import {timerPaths} from './plan.js';

export interface TimerReport {
  readonly kind: 'systemd' | 'cron' | 'none';
  /** As asked for, e.g. "1h"; absent where our file does not say so any more. */
  readonly every?: string;
  /** Whether it will run again by itself. */
  readonly active: boolean;
  /** Seconds until its next run and since its last; systemd only. */
  readonly next?: number;
  readonly last?: number;
  /** How the last run failed, e.g. "exit status 3". */
  readonly failure?: string;
  /** In words: "timer agentless-renew.timer, next in 41 min", "cron, every 1h", "none". */
  readonly text: string;
}

/** Looks at the host; one process at most. Changes nothing. */
export async function describeTimer(
  host: Host,
  places: SchedulerPlaces = SCHEDULER_PLACES,
): Promise<TimerReport> {
  const {timer, crontab} = timerPaths(places);
  const [unit, job] = await Promise.all([everyOf(host, timer), everyOf(host, crontab)]);
  if (unit === undefined && job === undefined) return {kind: 'none', active: false, text: 'none'};
  const {systemd, cron} = await lookAtSchedulers(host, places);
  if (unit !== undefined) return describeUnit(unit, systemd);
  const every = job?.every;
  const active = cron === 'running';
  const text = `cron${every ? `, every ${every}` : ''}${active ? '' : ', but no cron runs'}`;
  return {kind: 'cron', ...(every !== undefined && {every}), active, text};
}

/** What the second line of a file of ours says; undefined where there is no file. */
export async function everyOf(host: Host, path: string): Promise<{readonly every?: string} | undefined> {
  const entry = await host.look(path).catch(() => undefined);
  if (entry?.kind !== 'file') return undefined;
  const [, every] = /^# every (\d+[mhd]);/m.exec(Buffer.from(entry.bytes).toString('latin1')) ?? [];
  return every === undefined ? {} : {every};
}

function describeUnit({every}: {readonly every?: string}, state: TimerState | undefined): TimerReport {
  const {next, last, active = false} = state ?? {};
  const failure = state && failureOf(state);
  const when = state === undefined ? 'systemd does not run' : nextOf(state);
  return {
    kind: 'systemd',
    ...(every !== undefined && {every}),
    active,
    ...(next !== undefined && {next}),
    ...(last !== undefined && {last}),
    ...(failure !== undefined && {failure}),
    text: `timer ${TIMER}, ${when}${failure === undefined ? '' : `; the last run failed (${failure})`}`,
  };
}

function nextOf({active, enabled, next}: TimerState): string {
  if (!active) return 'not active';
  const soon = next === undefined ? 'no next run' : `next in ${span(next)}`;
  return enabled ? soon : `${soon}, gone after a reboot`;
}

function failureOf({failure, status}: TimerState): string | undefined {
  return status === undefined ? failure : `exit status ${status}`;
}

const SPANS = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
] as const;

/** "41 min", "3 h", "2 d"; less than a minute is "a moment". */
function span(seconds: number): string {
  const found = SPANS.find(([length]) => seconds >= length);
  return found === undefined ? 'a moment' : `${Math.round(seconds / found[0])} ${found[1]}`;
}
