// From flags to the operation: opens this host and the ways to the cluster. Loaded only when it is really run.

import {connect} from '../../cluster/client.js';
import {wayTo} from '../../cluster/examine.js';
import {LocalHost} from '../../host/local.js';
import {type Diagnosis, doctor} from '../../operations/doctor.js';
import {readAuthorities} from '../connection.js';

/** The flags of `doctor` as parsed. */
export interface DoctorFlags {
  readonly login: readonly string[];
  readonly 'proxy-server': string | undefined;
  readonly 'ca-file': readonly string[] | undefined;
  readonly 'openssh-config': string | undefined;
  readonly 'data-dir': string;
  readonly timeout: number;
}

export async function diagnose(flags: DoctorFlags, clientVersion: string): Promise<Diagnosis> {
  const caFile = await Promise.all((flags['ca-file'] ?? []).map(readAuthorities));
  const [patience, env] = [flags.timeout * 1000, process.env];
  const config = flags['openssh-config'];
  const proxy = flags['proxy-server'];
  return doctor(
    {
      host: new LocalHost(),
      connect: (address) => connect({proxy: address, caFile, clientVersion, deadline: patience, env}),
      wayTo: (address) => wayTo({proxy: address, caFile, env, patience}),
    },
    {
      dataDir: flags['data-dir'],
      logins: flags.login,
      ...(config !== undefined && {config}),
      ...(proxy !== undefined && {proxy}),
    },
  );
}
