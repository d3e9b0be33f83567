// Starts embedded clusters for tests and clears them away.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type ClusterOptions, type DevCluster, startCluster} from '../../src/devcluster/index.js';

export interface TemporaryCluster extends DevCluster, AsyncDisposable {
  stop(): Promise<void>;
}

/** A cluster in a directory of its own, without lag and limits unless asked for; `stop` or `await using` remove both. */
export async function temporaryCluster(options: Partial<ClusterOptions> = {}): Promise<TemporaryCluster> {
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'devcluster-'));
  // Object.assign: the hooks are read from this very object as long as the cluster runs.
  const cluster = await startCluster(Object.assign(options, {lag: false, limits: false, ...options, dir}));
  const stop = async () => {
    await cluster.close();
    rmSync(dir, {recursive: true, force: true});
  };
  return {...cluster, stop, [Symbol.asyncDispose]: stop};
}
