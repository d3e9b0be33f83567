// The flags of every command that looks at or changes this host.

import {resolve} from 'node:path';
import {CLIError} from '@oclif/core/errors';
import * as Flags from '@oclif/core/flags';
import {Failure} from '../errors.js';

/** Absolute: it is stored, and read by jobs and by sshd, which are elsewhere. */
async function place(given: string): Promise<string> {
  if (given !== '') return resolve(given);
  throw new CLIError('expected a path but received nothing');
}

/** Where this tool keeps what it knows of the host. */
export const dataDirFlag = {
  'data-dir': Flags.string({
    summary: 'where this tool keeps its state',
    default: '/var/lib/agentless',
    helpValue: 'DIR',
    parse: place,
  }),
};

const CONFIG = {
  summary: 'configuration file of sshd',
  helpValue: 'FILE',
  parse: place,
};

export const configFlag = {
  'openssh-config': Flags.string({...CONFIG, default: '/etc/ssh/sshd_config'}),
};

/** For commands that need no join to look at sshd. */
export const joinedConfigFlag = {
  'openssh-config': Flags.string({
    ...CONFIG,
    defaultHelp: async () => 'the one that was joined, else /etc/ssh/sshd_config',
  }),
};

/** Whether and how sshd takes `what` has changed. */
export const reloadFlags = (what: string) => ({
  'restart-sshd': Flags.boolean({
    summary: `check sshd and let it take ${what} (it is reloaded, not restarted)`,
    default: true,
    allowNo: true,
  }),
  'sshd-check-command': Flags.string({
    summary: 'further check, run by /bin/sh with the file appended',
    helpValue: 'CMD',
  }),
  'sshd-restart-command': Flags.string({
    summary: 'how to make sshd take its configuration, run by /bin/sh',
    helpValue: 'CMD',
    defaultHelp: async () => 'reload of the unit that sshd runs in',
  }),
});

/** `reloadFlags` as parsed. */
export interface ReloadFlags {
  readonly 'restart-sshd': boolean;
  readonly 'sshd-check-command': string | undefined;
  readonly 'sshd-restart-command': string | undefined;
}

/** The same as operations wish it. */
export function reloadFrom(flags: ReloadFlags) {
  const [check, reload] = [flags['sshd-check-command'], flags['sshd-restart-command']];
  return {
    reload: flags['restart-sshd'],
    ...(check !== undefined && {checkCommand: check}),
    ...(reload !== undefined && {reloadCommand: reload}),
  };
}

export const exitCodeFlag = {
  'exit-code': Flags.boolean({
    summary: 'with --dry-run: exit 3 when something would change',
    default: false,
  }),
};

/**
 * USAGE where --exit-code stands alone: oclif takes the default of --dry-run for given, so its own dependsOn says nothing.
 * `done`: what happens to the host then.
 */
export function refuseExitCodeAlone(
  flags: {readonly 'exit-code': boolean; readonly 'dry-run': boolean},
  done: string,
): void {
  if (!flags['exit-code'] || flags['dry-run']) return;
  throw new Failure('USAGE', '--exit-code goes with --dry-run only', {
    hint: `without --dry-run the host is ${done}, and the exit code is 0`,
  });
}
