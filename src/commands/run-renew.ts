// From flags to the operation: opens this host and the way to the cluster, runs `renew`. Loaded only when it is really run.

import {type Renewal, renew} from '../operations/renew.js';
import {installationOn} from '../operations/timer/installation.js';
import {parseInterval} from '../operations/timer/interval.js';
import type {Invocation} from '../operations/timer/program.js';
import {installTimer, removeTimer, type TimerOutcome, type TimerTools} from '../operations/timer.js';
import {confirm} from './confirm.js';
import {type ConnectionFlags, connectionFrom} from './connection.js';
import type {Outcome} from './envelope.js';
import {type ReloadFlags, reloadFrom} from './host-flags.js';
import {readIdentity} from './identity.js';
import {atMachine, type MachineFlags} from './machine.js';
import type {TextReporter} from './reporter.js';

/** The flags of `renew` as parsed. */
export interface RenewFlags extends Omit<ConnectionFlags, 'proxy-server'>, ReloadFlags, MachineFlags {
  readonly identity: string | undefined;
  readonly check: boolean;
  readonly repair: boolean;
  readonly 'allow-fewer-names': boolean;
  readonly 'install-timer': boolean;
  readonly 'remove-timer': boolean;
  readonly every: string | undefined;
  readonly 'data-dir': string;
}

/** The `result` of the envelope. */
export type RenewReport = Omit<Renewal, 'changed'> & {
  /** How the timer stands, in words; only when it was to be set. */
  readonly timer?: string;
};

export async function renewFromFlags(
  flags: RenewFlags,
  report: Pick<TextReporter, 'heading' | 'step' | 'warn'>,
  signal: AbortSignal,
  clientVersion: string,
): Promise<Outcome<RenewReport>> {
  const connect = await connectionFrom(flags, {clientVersion, warn: (text) => report.warn(text)});
  const operator = flags.identity && (await readIdentity(flags.identity, (text) => report.warn(text)));
  return atMachine(flags, async (host) => {
    const tools = {host, connect, report, confirm, signal};
    const {changed, ...result} = await renew(tools, {
      dataDir: flags['data-dir'],
      check: flags.check,
      repair: flags.repair,
      fewerNames: flags['allow-fewer-names'],
      ...(operator && {operator}),
      ...reloadFrom(flags),
    });
    const set = await setTimer(tools, flags);
    if (set === undefined) return {changed, result};
    return {changed: changed || set.changed, result: {...result, timer: set.timer.text}};
  });
}

/** Once the host is known to be joined, and renewed. */
async function setTimer(tools: TimerTools, flags: RenewFlags): Promise<TimerOutcome | undefined> {
  const wish = {dataDir: flags['data-dir'], dryRun: false};
  if (flags['remove-timer']) return removeTimer(tools, wish);
  if (!flags['install-timer']) return undefined;
  const invocation = flags.host === undefined ? thisInvocation() : await installationOn(tools.host);
  const every = flags.every === undefined ? {} : {every: parseInterval(flags.every)};
  return installTimer(tools, {...wish, ...every, invocation});
}

function thisInvocation(): Invocation {
  const {execPath: node, execArgv: options, argv, env} = process;
  return {node, options, script: argv[1] ?? '', env};
}
