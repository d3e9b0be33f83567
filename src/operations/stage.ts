// The private directory of a rehearsal. It is not on record anywhere, so it says itself whose it is, and the next
// rehearsal takes away what a killed one has left.

import {randomBytes} from 'node:crypto';
import {join} from 'node:path/posix';
import type {Host} from '../host/host.js';

const STAGE = /^agentless-(\d+)-[0-9a-f]{12}$/;

/** Makes a directory that only this user can look into. */
export async function newStage(host: Host, uid: number): Promise<string> {
  const parent = uid === 0 ? '/run' : '/tmp';
  await sweep(host, parent, uid);
  const stage = join(parent, `agentless-${process.pid}-${randomBytes(6).toString('hex')}`);
  await host.makeDirectory(stage, {mode: 0o700});
  return stage;
}

/** Anybody may make directories in /tmp: only our own are taken away, and only when their process is gone. */
async function sweep(host: Host, parent: string, uid: number): Promise<void> {
  const entry = await host.look(parent).catch(() => undefined);
  if (entry?.kind !== 'directory' || (await host.look('/proc/self')) === undefined) return;
  for (const name of entry.names) {
    const pid = STAGE.exec(name)?.[1];
    if (pid === undefined || (await host.look(`/proc/${pid}`)) !== undefined) continue;
    const path = join(parent, name);
    const left = await host.look(path).catch(() => undefined);
    if (left?.kind !== 'directory' || left.uid !== uid) continue;
    for (const file of left.names) await host.remove(join(path, file)).catch(() => undefined);
    await host.remove(path).catch(() => undefined);
  }
}
