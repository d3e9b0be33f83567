// From flags to the operation: opens this host and the way to the cluster, runs `renew`. Loaded only when it is really run.

import {LocalHost} from '../host/local.js';
import {type Renewal, renew} from '../operations/renew.js';
import {confirm} from './confirm.js';
import {type ConnectionFlags, connectionFrom} from './connection.js';
import {readIdentity} from './identity.js';
import type {TextReporter} from './reporter.js';

/** The flags of `renew` as parsed. */
export interface RenewFlags extends Omit<ConnectionFlags, 'proxy-server'> {
  readonly identity: string | undefined;
  readonly check: boolean;
  readonly repair: boolean;
  readonly 'allow-fewer-names': boolean;
  readonly 'data-dir': string;
  readonly 'restart-sshd': boolean;
  readonly 'sshd-check-command': string | undefined;
  readonly 'sshd-restart-command': string | undefined;
}

export async function renewFromFlags(
  flags: RenewFlags,
  report: Pick<TextReporter, 'heading' | 'step' | 'warn'>,
  signal: AbortSignal,
  clientVersion: string,
): Promise<{changed: boolean; result: Omit<Renewal, 'changed'>}> {
  const [check, reload] = [flags['sshd-check-command'], flags['sshd-restart-command']];
  const connect = await connectionFrom(flags, {clientVersion, warn: (text) => report.warn(text)});
  const operator = flags.identity && (await readIdentity(flags.identity, (text) => report.warn(text)));
  const {changed, ...result} = await renew(
    {host: new LocalHost(), connect, report, confirm, signal},
    {
      dataDir: flags['data-dir'],
      check: flags.check,
      repair: flags.repair,
      fewerNames: flags['allow-fewer-names'],
      ...(operator && {operator}),
      reload: flags['restart-sshd'],
      ...(check !== undefined && {checkCommand: check}),
      ...(reload !== undefined && {reloadCommand: reload}),
    },
  );
  return {changed, result};
}
