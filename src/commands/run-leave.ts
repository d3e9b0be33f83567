// From flags to the operation: opens this host and the way to the cluster, runs `leave`. Loaded only when a host is
// really left, so that help stays quick.

import {connect} from '../cluster/client.js';
import type {Departure} from '../operations/leave/report.js';
import {leave} from '../operations/leave.js';
import {confirm} from './confirm.js';
import type {Outcome} from './envelope.js';
import {type ReloadFlags, reloadFrom} from './host-flags.js';
import {readIdentity} from './identity.js';
import {atMachine, type MachineFlags} from './machine.js';
import type {TextReporter} from './reporter.js';

/** The `result` of the envelope. */
export type LeaveReport = Omit<Departure, 'changed'>;

/** The flags of `leave` as parsed. */
export interface LeaveFlags extends ReloadFlags, MachineFlags {
  readonly 'data-dir': string;
  readonly local: boolean;
  readonly identity: string | undefined;
  readonly 'dry-run': boolean;
  readonly timeout: number;
  readonly yes: boolean;
}

export async function leaveFromFlags(
  flags: LeaveFlags,
  report: Pick<TextReporter, 'heading' | 'step' | 'warn'>,
  signal: AbortSignal,
  clientVersion: string,
): Promise<Outcome<LeaveReport>> {
  const operator = flags.identity && (await readIdentity(flags.identity, (text) => report.warn(text)));
  const leaving = atMachine({...flags, signal}, (host) =>
    leave(
      {
        host,
        // Auth is verified by what this host has stored: no authority has to be named.
        connect: (proxy) => connect({proxy, clientVersion, deadline: flags.timeout * 1000, env: process.env}),
        report,
        confirm,
        signal,
      },
      {
        dataDir: flags['data-dir'],
        local: flags.local,
        ...reloadFrom(flags),
        dryRun: flags['dry-run'],
        yes: flags.yes,
        ...(operator && {operator}),
      },
    ),
  );
  const {changed, ...result} = await leaving;
  return {changed, result};
}
