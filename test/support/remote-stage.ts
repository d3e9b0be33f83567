// A Stage whose host is reached through ssh alone.

import {mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {admitting, writeSshConfig} from './remote-target.js';
import {patientConfig} from './sshd-version.js';
import {Stage} from './stage.js';

export interface RemoteStage {
  readonly stage: Stage;
  /** Words that make a command work at the host of the stage. */
  readonly there: readonly string[];
  readonly sshConfig: string;
  stop(): Promise<void>;
}

/** `lines`: further ones of its sshd_config; `cluster`: what is special about its cluster. */
export async function startRemoteStage(
  lines: readonly string[] = [],
  cluster: Partial<ClusterOptions> = {},
): Promise<RemoteStage> {
  const root = mkdtempSync('/tmp/agentless-remote-');
  const stock = [...lines, ...admitting(root), patientConfig()].join('\n');
  const stage = await Stage.quick({sshd: {stock}, cluster});
  const sshConfig = writeSshConfig(root, stage.sshd);
  return {
    stage,
    sshConfig: join(root, 'client', 'config'),
    there: ['--host', 'web1', '--ssh-config', sshConfig],
    stop: async () => {
      await stage.stop();
      rmSync(root, {recursive: true, force: true});
    },
  };
}
