// A stage whose sshd is ended, brought back and left in the lurch, on this machine or behind ssh.

import {existsSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {startRemoteStage} from './remote-stage.js';
import {servedKeys} from './served-keys.js';
import {Stage} from './stage.js';
import {snapshot} from './tree.js';

export interface ReloadStage {
  readonly stage: Stage;
  /** Words that have a command done through ssh. */
  readonly there: readonly string[];
}

/** A new one for each test of the suite that calls this; what its cluster was told to do by `hooks` ends with the test. */
export function useReloadStage(far: boolean, hooks: Partial<ClusterOptions> = {}): () => ReloadStage {
  let started: ReloadStage & {stop(): Promise<void>};
  beforeEach(async () => {
    started = far ? await startRemoteStage([], hooks) : await startHere(hooks);
  });
  afterEach(async () => {
    hooks.testOnlyCall = undefined;
    const pid = join(started.stage.root, 'etc/sshd.pid');
    const running = existsSync(pid) ? Number(readFileSync(pid, 'utf8')) : undefined;
    await started.stop();
    // One that was brought back is not our child.
    if (running !== undefined) end(running);
  });
  return () => started;
}

async function startHere(cluster: Partial<ClusterOptions>) {
  const stage = await Stage.quick({cluster});
  return {stage, there: [], stop: () => stage.stop()};
}

function end(pid: number): void {
  try {
    process.kill(pid);
  } catch {
    // Gone with the stage.
  }
}

export type Seen = Awaited<ReturnType<typeof lookAt>>;

/** All of it: a new process has another pid, and that is all that may differ after it was brought back. */
export async function lookAt(stage: Stage) {
  const {'sshd.pid': _, ...etc} = await stage.host();
  const served = [...(await servedKeys(stage.sshd.port))].sort();
  return {etc, data: await snapshot(stage.dataDir), served};
}
