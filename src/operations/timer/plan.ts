// The timer that calls `renew`, as steps of the same journal as everything else, and the way back. systemd where it
// runs, else cron; a host with neither is told what to run.

import {dirname, join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {Daemon} from '../../host/daemon.js';
import type {Host} from '../../host/host.js';
import {
  JOB,
  type SchedulerPlaces,
  type Schedulers,
  SERVICE,
  TIMER,
  timerCommands,
} from '../../host/scheduler.js';
import {dataDirectory} from '../../plan/data-directory.js';
import {prune} from '../../plan/prune.js';
import type {OwnershipRecord} from '../../plan/record.js';
import type {PathStep, Step} from '../../plan/step.js';
import {type Left, lastingSteps, takeBack} from '../../plan/take-back.js';
import {render} from '../../templates.js';
import {calendarOf, crontabOf, type Interval, jitterOf, scheduleOf, textOf} from './interval.js';
import {cronLine, execLine, shellLine, unitWord} from './quote.js';

export interface TimerWish {
  readonly every: Interval;
  /** Words that call agentless, from `lastingProgram`. */
  readonly program: readonly string[];
  readonly dataDir: string;
  readonly nodeId: string;
}

export interface TimerScene {
  readonly places: SchedulerPlaces;
  readonly schedulers: Schedulers;
  readonly record: OwnershipRecord;
  /** The running sshd. */
  readonly daemon: Pick<Daemon, 'process'>;
}

/** Words that the timer runs. Nothing secret can be among them. */
export function renewWords({program, dataDir}: Pick<TimerWish, 'program' | 'dataDir'>): readonly string[] {
  return [...program, 'renew', '--data-dir', dataDir];
}

/** Where our files are, whichever of them there are. */
export function timerPaths({units, crontabs}: SchedulerPlaces) {
  return {service: join(units, SERVICE), timer: join(units, TIMER), crontab: join(crontabs, JOB)};
}

/** Whether a timer of ours is among the files of a joined host. */
export function hasTimer(files: readonly string[], places: SchedulerPlaces): boolean {
  return Object.values(timerPaths(places)).some((path) => files.includes(path));
}

/**
 * Steps that put the timer in place; none where it stands and runs as wished. HOST_UNSUITABLE where nothing runs jobs by
 * the clock, or where a file of that name is somebody else's. Reads the host and changes nothing.
 */
export async function planTimer(host: Host, scene: TimerScene, wish: TimerWish): Promise<readonly Step[]> {
  const {systemd, cron} = scene.schedulers;
  if (systemd !== undefined) return planUnits(host, scene, wish, systemd);
  if (cron !== undefined) return planCrontab(host, scene, wish);
  throw new Failure('HOST_UNSUITABLE', 'neither systemd nor a cron that reads /etc/cron.d runs jobs here', {
    hint: `have whatever does run this as root, every ${textOf(wish.every)}:\n${shellLine(renewWords(wish))}`,
  });
}

async function planUnits(
  host: Host,
  scene: TimerScene,
  wish: TimerWish,
  before: {readonly enabled: boolean; readonly active: boolean},
): Promise<readonly Step[]> {
  const {places} = scene;
  const {service, timer} = timerPaths(places);
  const files = await ownFiles(host, scene, [
    file(service, renderService(scene, wish), 'what the timer runs'),
    file(timer, renderTimer(wish), `runs it every ${textOf(wish.every)}`),
  ]);
  const {reload, enable, restart, off, forget, asBefore} = timerCommands(places);
  const settle = asBefore(before);
  const runs = before.enabled && before.active;
  if (files.length === 0 && runs) return [];
  const why = {before: `${TIMER} disabled`, after: 'systemctl daemon-reload'};
  // On record already where it was installed before: then undoing this is not to switch it off.
  const lasting = enabling(scene).length > 0 ? {} : {lasting: {before: off, after: forget, why}};
  return [
    ...files,
    ...(files.length > 0
      ? [{kind: 'command', argv: reload, settle, why: 'systemctl daemon-reload'} as const]
      : []),
    runs
      ? {kind: 'command', argv: restart, settle, why: `${TIMER} restarted`}
      : {kind: 'command', argv: enable, settle, ...lasting, why: `${TIMER} enabled`},
  ];
}

async function planCrontab(host: Host, scene: TimerScene, wish: TimerWish): Promise<readonly Step[]> {
  const {crontab} = timerPaths(scene.places);
  const text = render('cron/agentless-renew', {
    every: textOf(wish.every),
    schedule: crontabOf(scheduleOf(wish.every, wish.nodeId)),
    command: cronLine(renewWords(wish)),
  });
  return ownFiles(host, scene, [file(crontab, text, `renews every ${textOf(wish.every)}`)]);
}

export function renderTimer({every, nodeId}: Pick<TimerWish, 'every' | 'nodeId'>): string {
  return render('systemd/agentless-renew.timer', {
    every: textOf(every),
    calendar: calendarOf(scheduleOf(every, nodeId)),
    jitter: String(jitterOf(every)),
  });
}

export interface ServiceScene {
  readonly places: SchedulerPlaces;
  readonly record: Pick<OwnershipRecord, 'changes'>;
  readonly daemon: {readonly process?: Daemon['process']};
}

export function renderService(scene: ServiceScene, wish: TimerWish): string {
  const {daemon} = scene;
  const inUnit = daemon.process === undefined || daemon.process.unit !== undefined;
  const limits = inUnit
    ? render('systemd/limits', {writable: writable(scene, wish.dataDir).map(maybe).join(' ')})
    : render('systemd/no-limits', {});
  return render('systemd/agentless-renew.service', {
    command: execLine(renewWords(wish)),
    limits: limits.trimEnd(),
  });
}

/** A directory that is missing must not keep the job from running. */
const maybe = (path: string): string => unitWord(`-${path}`);

/** /run holds the stage of a rehearsal. A symbolic link may have led an earlier transaction anywhere. */
function writable(
  {record, places}: Pick<ServiceScene, 'record' | 'places'>,
  dataDir: string,
): readonly string[] {
  const known = ['/etc', '/run', dataDir];
  const own = new Set<string>(Object.values(timerPaths(places)));
  const isBelow = (path: string) => known.some((one) => path === one || path.startsWith(`${one}/`));
  const others = record.changes.flatMap(({path}) => (own.has(path) ? [] : [dirname(path)]));
  return [...known, ...[...new Set(others)].filter((path) => !isBelow(path)).sort()];
}

function file(path: string, text: string, why: string): PathStep {
  return {kind: 'path', path, to: {kind: 'file', bytes: Buffer.from(text), mode: 0o644}, why};
}

/** Pruned; a file that no transaction of ours has made is not gone over, whatever is in it. */
async function ownFiles(
  host: Host,
  {record, places}: TimerScene,
  steps: readonly PathStep[],
): Promise<readonly Step[]> {
  const ours = new Set(record.changes.map(({path}) => path));
  for (const {path} of steps) {
    if (ours.has(path) || (await host.look(path)) === undefined) continue;
    const off = path.startsWith(places.units) ? `\`systemctl disable --now ${TIMER}\`, then ` : '';
    throw new Failure(
      'HOST_UNSUITABLE',
      `${path} is there already, and was not put there by this installation`,
      {
        hint: `keep it, or take it away first: ${off}\`rm ${path}\``,
      },
    );
  }
  return prune(host, steps);
}

/** What the record says of the command that has enabled the timer. */
function enabling({record, places}: Pick<TimerScene, 'record' | 'places'>) {
  const {enable} = timerCommands(places);
  return (record.lasting ?? []).filter(({argv}) => argv.join('\0') === enable.join('\0'));
}

/** The way back; nothing where no timer was installed. What others have changed since is left, and said. */
export async function planNoTimer(
  host: Host,
  {record, places}: Pick<TimerScene, 'record' | 'places'>,
  dataDir: string,
): Promise<{readonly steps: readonly Step[]; readonly left: readonly Left[]}> {
  const ours = new Set<string>(Object.values(timerPaths(places)));
  const changes = record.changes.filter(({path}) => ours.has(path));
  const nothing = () => undefined;
  const rules = {
    directory: dataDirectory(dataDir),
    without: nothing,
    needed: nothing,
    gone: new Set<string>(),
  };
  const {steps, left} = await takeBack(host, changes, rules);
  const {before, after} = lastingSteps({lasting: enabling({record, places})});
  return {steps: [...before, ...steps, ...after], left};
}
