// Have `renew` called by the clock, or no longer. Both are transactions of a joined host like any other, so that
// `leave` takes the timer out.

import {Failure} from '../errors.js';
import {lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {
  lookAtSchedulers,
  SCHEDULER_PLACES,
  type SchedulerPlaces,
  type Schedulers,
} from '../host/scheduler.js';
import {describe} from '../plan/diff.js';
import {apply} from '../plan/plan.js';
import type {Step} from '../plan/step.js';
import {describeLeft} from './leave/report.js';
import {type Membership, readMembership} from './ownership.js';
import type {Reporter} from './reporter.js';
import {describeTimer, everyOf, type TimerReport} from './timer/describe.js';
import {DEFAULT_INTERVAL, type Interval, parseInterval} from './timer/interval.js';
import {planNoTimer, planTimer, timerPaths} from './timer/plan.js';
import {type Invocation, lastingProgram} from './timer/program.js';

export interface TimerTools {
  readonly host: Host;
  readonly report: Reporter;
  readonly signal: AbortSignal;
  /** Where things are on this host; tests have their own. */
  readonly places?: SchedulerPlaces;
}

export interface InstallWish {
  readonly dataDir: string;
  /** Absent: as it is installed already, else every hour. From `parseInterval`. */
  readonly every?: Interval;
  readonly invocation: Invocation;
  readonly dryRun: boolean;
}

export interface TimerOutcome {
  readonly changed: boolean;
  /** As it stands afterwards. */
  readonly timer: TimerReport;
  /** Only in a dry run: what would be done, for people. */
  readonly preview?: string;
}

/** Puts the timer in place, or makes sure that it is as wished. */
export async function installTimer(tools: TimerTools, wish: InstallWish): Promise<TimerOutcome> {
  const {host, report, places = SCHEDULER_PLACES} = tools;
  const joined = await membershipOf(tools, wish.dataDir);
  const {record, settings} = joined;
  if (settings.identity === 'discarded') throw nobodyToRenew();
  const program = await lastingProgram(host, wish.invocation);
  for (const warning of program.warnings) report.warn(warning);
  const [facts, schedulers] = await Promise.all([
    lookAt(host, settings.config, wish.dataDir),
    lookAtSchedulers(host, places),
  ]);
  for (const warning of warningsFor(schedulers, wish.invocation)) report.warn(warning);
  const steps = await planTimer(
    host,
    {places, schedulers, record, daemon: facts.daemon},
    {
      every: wish.every ?? (await installedInterval(host, places)) ?? DEFAULT_INTERVAL,
      program: program.words,
      dataDir: wish.dataDir,
      nodeId: settings.nodeId,
    },
  );
  return carryOut(tools, wish, joined, {steps, operation: 'renew --install-timer'});
}

export interface RemoveWish {
  readonly dataDir: string;
  readonly dryRun: boolean;
}

/** Takes the timer out again; `changed` is false where there is none of ours. */
export async function removeTimer(tools: TimerTools, wish: RemoveWish): Promise<TimerOutcome> {
  const {host, report, places = SCHEDULER_PLACES} = tools;
  const joined = await membershipOf(tools, wish.dataDir);
  const {steps, left} = await planNoTimer(host, {record: joined.record, places}, wish.dataDir);
  for (const one of left) report.warn(describeLeft(one, wish.dataDir));
  return carryOut(tools, wish, joined, {steps, operation: 'renew --remove-timer'});
}

export function nobodyToRenew(): Failure {
  return new Failure('USAGE', 'a timer could not renew a host that keeps no credential', {
    hint: 'call `agentless renew --identity DIR` from a timer of your own, where tbot keeps that directory fresh',
  });
}

async function membershipOf({host, report}: TimerTools, dataDir: string): Promise<Membership> {
  const joined = await readMembership(host, dataDir, report);
  if (joined !== undefined) return joined;
  throw new Failure('HOST_UNSUITABLE', 'this host is not joined, so there is nothing to renew', {
    hint: 'join it first: `agentless join openssh`',
  });
}

async function carryOut(
  {host, report, signal, places = SCHEDULER_PLACES}: TimerTools,
  {dataDir, dryRun}: RemoveWish,
  {record}: Membership,
  {steps, operation}: {readonly steps: readonly Step[]; readonly operation: string},
): Promise<TimerOutcome> {
  const changed = steps.length > 0;
  if (dryRun)
    return {changed, timer: await describeTimer(host, places), preview: await previewOf(host, steps)};
  if (changed) {
    await apply(host, steps, {
      dataDir,
      operation,
      settings: record.settings,
      signal,
      onStep: (step, milliseconds) => report.step(...told(step), milliseconds),
      warn: (text) => report.warn(text),
    });
  }
  return {changed, timer: await describeTimer(host, places)};
}

function told(step: Step): [verb: string, text: string] {
  if (step.kind !== 'path') return ['run', step.why];
  return [step.to === undefined ? 'remove' : 'write', step.path];
}

/** Each file as a diff, then what would be run. */
async function previewOf(host: Host, steps: readonly Step[]): Promise<string> {
  const shown = await describe(
    host,
    steps.filter((step) => step.kind === 'path'),
  );
  return [
    steps.length > 0 ? 'Nothing has been changed.' : 'Nothing would change.',
    '',
    ...shown.flatMap(({headline, lines}) => [headline, ...lines, '']),
    ...steps.flatMap((step) => (step.kind === 'command' ? [`run        ${step.why}`] : [])),
  ].join('\n');
}

/** A second run without --every keeps what the first has said. */
async function installedInterval(host: Host, places: SchedulerPlaces): Promise<Interval | undefined> {
  const {timer, crontab} = timerPaths(places);
  const every = (await everyOf(host, timer))?.every ?? (await everyOf(host, crontab))?.every;
  try {
    return every === undefined ? undefined : parseInterval(every);
  } catch {
    // Somebody has edited the comment.
    return undefined;
  }
}

const FOR_JOBS = '/etc/default/agentless';

function warningsFor({systemd, cron}: Schedulers, {env}: Invocation): readonly string[] {
  const warnings: string[] = [];
  const proxy = ['HTTPS_PROXY', 'https_proxy'].find((name) => env[name]);
  if (proxy !== undefined)
    warnings.push(`the timer does not see ${proxy} of this shell; put it into ${FOR_JOBS} (mode 0600)`);
  if (systemd === undefined && cron === 'stopped')
    warnings.push('cron is installed and does not run: nothing is renewed until it is started');
  return warnings;
}
