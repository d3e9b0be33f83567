// Which machine a command works at: this one, or another that is reached through ssh.

import * as Flags from '@oclif/core/flags';
import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';

export const machineFlags = {
  host: Flags.string({
    summary: 'work at another machine, through ssh; nothing is installed there',
    description:
      "The system's ssh connects, with your configuration, agent, known hosts and jump hosts. The machine needs sshd and /bin/sh.",
    helpValue: '[USER@]HOST[:PORT]',
    helpGroup: 'REMOTE',
  }),
  sudo: Flags.boolean({
    summary: 'with --host: become root there by sudo -n',
    default: false,
    helpGroup: 'REMOTE',
  }),
  'ssh-config': Flags.string({
    summary: 'with --host: configuration of ssh in place of your own',
    helpValue: 'FILE',
    helpGroup: 'REMOTE',
  }),
};

/** `machineFlags` as parsed. */
export interface MachineFlags {
  readonly host: string | undefined;
  readonly sudo: boolean;
  readonly 'ssh-config': string | undefined;
}

/** A machine that is reached through ssh: what is to be known of it besides. */
export interface Reached {
  /** Who logs in there, before sudo. */
  readonly login: string;
  /** Where ssh dials it, without a port. */
  readonly address: string;
}

/** Does the work at that machine; the connection to it ends with the work. The signal ends the attempt to make one. */
export async function atMachine<T>(
  flags: MachineFlags & {readonly signal?: AbortSignal},
  work: (host: Host, reached?: Reached) => Promise<T>,
): Promise<T> {
  const {host: text, sudo, 'ssh-config': sshConfig, signal} = flags;
  if (text === undefined) {
    refuseWithoutHost(flags);
    const {LocalHost} = await import('../host/local.js');
    return work(new LocalHost());
  }
  const [{parseDestination}, {RemoteHost}] = await Promise.all([
    import('../host/remote/destination.js'),
    import('../host/remote/remote-host.js'),
  ]);
  const host = await RemoteHost.open({
    destination: parseDestination(text),
    sudo,
    interactive: process.stdin.isTTY === true,
    ...(sshConfig !== undefined && {sshConfig}),
    ...(signal && {signal}),
  });
  try {
    return await work(host, host);
  } finally {
    await host.close();
  }
}

function refuseWithoutHost({sudo, 'ssh-config': sshConfig}: MachineFlags): void {
  const flag = sudo ? '--sudo' : sshConfig === undefined ? undefined : '--ssh-config';
  if (flag === undefined) return;
  throw new Failure('USAGE', `${flag} goes with --host only`, {hint: 'name the machine: --host root@web1'});
}
