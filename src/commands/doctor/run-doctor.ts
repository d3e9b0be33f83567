// From flags to the operation: opens this host and the ways to the cluster. Loaded only when it is really run.

import {wayTo} from '../../cluster/examine.js';
import {type Diagnosis, doctor} from '../../operations/doctor.js';
import {connectionFrom, trustFrom} from '../connection.js';
import {atMachine, type MachineFlags} from '../machine.js';

/** The flags of `doctor` as parsed. */
export interface DoctorFlags extends MachineFlags {
  readonly login: readonly string[];
  readonly 'proxy-server': string | undefined;
  readonly 'ca-file': readonly string[] | undefined;
  readonly 'openssh-config': string | undefined;
  readonly 'data-dir': string;
  readonly timeout: number;
}

export async function diagnose(flags: DoctorFlags, clientVersion: string): Promise<Diagnosis> {
  const trusted = {...flags, 'ca-pin': undefined, insecure: false};
  const [connect, {webAuthorities}] = await Promise.all([
    connectionFrom(trusted, {clientVersion, warn: () => undefined}),
    trustFrom(trusted),
  ]);
  const [patience, env] = [flags.timeout * 1000, process.env];
  const config = flags['openssh-config'];
  const proxy = flags['proxy-server'];
  return atMachine(flags, (host) =>
    doctor(
      {
        host,
        connect,
        wayTo: (address, stored) => {
          const caFile = [...webAuthorities, ...(stored?.webAuthorities ?? [])];
          return wayTo({proxy: address, caFile, env, patience});
        },
      },
      {
        dataDir: flags['data-dir'],
        logins: flags.login,
        ...(config !== undefined && {config}),
        ...(proxy !== undefined && {proxy}),
      },
    ),
  );
}
