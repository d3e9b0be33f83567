// A join of another host in this very process, as the program does it, so that something can happen at each of its steps.

import {Secret} from '../../src/errors.js';
import type {Host} from '../../src/host/host.js';
import {join} from '../../src/operations/join.js';
import type {Joined} from '../../src/operations/joined.js';
import {clientOf} from './cluster-client.js';
import type {TemporaryCluster} from './dev-cluster.js';
import type {FarHost} from './far-host.js';

/** `host`: how it is reached. */
export function joinFrom(cluster: TemporaryCluster, {link}: FarHost, host: Host): Promise<Joined> {
  const report = {heading: () => undefined, step: () => undefined, warn: () => undefined};
  return join(
    {
      host,
      connect: async () => clientOf(cluster, {deadline: 30_000}),
      report,
      confirm: async () => false,
      signal: new AbortController().signal,
    },
    {
      proxy: cluster.proxy,
      admission: {by: 'token', token: new Secret(cluster.token)},
      config: '/etc/ssh/sshd_config',
      dataDir: '/var/lib/agentless',
      register: true,
      reload: true,
      proveLogins: [],
      dryRun: false,
      replace: true,
      invoker: 'root',
      reachedAt: link.address,
    },
  );
}
