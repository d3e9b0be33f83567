// The units that `renew --install-timer` would put on this host, for whatever else is to put them there.

import {lookAt} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {SCHEDULER_PLACES, type SchedulerPlaces} from '../../host/scheduler.js';
import type {Reporter} from '../reporter.js';
import type {Interval} from '../timer/interval.js';
import {renderService, renderTimer, timerPaths} from '../timer/plan.js';
import {type Invocation, lastingProgram} from '../timer/program.js';
import {nobodyToRenew} from '../timer.js';
import {thisHost} from './this-host.js';

export interface UnitsWish {
  readonly dataDir: string;
  readonly every: Interval;
  /** Words that call agentless on the host; absent: as it runs now, if that lasts. */
  readonly program?: readonly string[];
  readonly invocation: Invocation;
  /** Of a host that is not this one. */
  readonly nodeId?: string;
}

export interface UnitFile {
  readonly path: string;
  readonly text: string;
}

export interface UnitsTools {
  readonly host: Host;
  readonly report: Reporter;
  /** Where things are on that host; tests have their own. */
  readonly places?: SchedulerPlaces;
}

/** NOT_JOINED where this host has not joined and no other is named. Reads the host and changes nothing. */
export async function timerUnits(
  {host, report, places = SCHEDULER_PLACES}: UnitsTools,
  wish: UnitsWish,
): Promise<readonly UnitFile[]> {
  const {service, timer} = timerPaths(places);
  const program = wish.program ?? (await programOf(host, report, wish.invocation));
  const {nodeId, ...scene} =
    wish.nodeId === undefined
      ? await ofThisHost(host, wish.dataDir)
      : {nodeId: wish.nodeId, record: {changes: []}, daemon: {}};
  const {every, dataDir} = wish;
  const units = {every, dataDir, nodeId, program};
  return [
    {path: service, text: renderService({places, ...scene}, units)},
    {path: timer, text: renderTimer(units)},
  ];
}

async function programOf(host: Host, report: Reporter, invocation: Invocation): Promise<readonly string[]> {
  const {words, warnings} = await lastingProgram(host, invocation);
  for (const warning of warnings) report.warn(warning);
  return words;
}

async function ofThisHost(host: Host, dataDir: string) {
  const hint = 'for another host give its --node-id, which spreads the hosts of a fleet over the hour';
  const {record, settings} = await thisHost(host, dataDir, hint);
  if (settings.identity === 'discarded') throw nobodyToRenew();
  const {daemon} = await lookAt(host, settings.config, dataDir);
  return {nodeId: settings.nodeId, record, daemon};
}
