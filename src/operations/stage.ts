// The private directory of a rehearsal. It is not on record anywhere, so its name says whose it is, and the next
// rehearsal takes away what a killed one has left.

import {randomBytes} from 'node:crypto';
import {join} from 'node:path/posix';
import type {Host} from '../host/host.js';

/** Writes a file on the stage, by its name or absolute path, latin-1 or bytes; gives its path. */
export type Put = (name: string, content: string | Uint8Array, mode?: number) => Promise<string>;

/** Work in a private directory that is gone afterwards, however the work ends. */
export async function onStage<T>(
  host: Host,
  uid: number,
  work: (stage: string, put: Put) => Promise<T>,
): Promise<T> {
  const stage = await newStage(host, uid);
  const written = new Map<string, Promise<void>>();
  const put: Put = async (name, content, mode = 0o600) => {
    const path = name.startsWith('/') ? name : join(stage, name);
    const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
    const writing = host.write(path, bytes, {mode});
    written.set(path, writing);
    await writing;
    return path;
  };
  try {
    return await work(stage, put);
  } finally {
    // Where one has failed, the others are still being written.
    await Promise.allSettled(written.values());
    await Promise.all([...written.keys()].map((path) => host.remove(path)));
    await host.remove(stage);
  }
}

/** Makes a directory that only this user can look into. */
async function newStage(host: Host, uid: number): Promise<string> {
  const parent = uid === 0 ? '/run' : '/tmp';
  const space = await processSpace(host);
  if (space !== undefined) await sweep(host, parent, uid, space);
  const owner = [process.pid, space ?? 'here', randomBytes(6).toString('hex')].join('-');
  const stage = join(parent, `agentless-${owner}`);
  await host.makeDirectory(stage, {mode: 0o700});
  return stage;
}

/** The namespace in which process ids count: containers may share /tmp and not their processes. */
async function processSpace(host: Host): Promise<string | undefined> {
  const entry = await host.look('/proc/self/ns/pid').catch(() => undefined);
  return entry?.kind === 'symlink' ? /\d+/.exec(entry.target)?.[0] : undefined;
}

/** Anybody may make directories in /tmp: only our own are taken away, and only when their process is gone. */
async function sweep(host: Host, parent: string, uid: number, space: string): Promise<void> {
  const entry = await host.look(parent).catch(() => undefined);
  const names = entry?.kind === 'directory' ? entry.names : [];
  for (const name of names) {
    const [, pid] = new RegExp(`^agentless-(\\d+)-${space}-[0-9a-f]{12}$`).exec(name) ?? [];
    if (pid === undefined || (await host.look(`/proc/${pid}`)) !== undefined) continue;
    const path = join(parent, name);
    const left = await host.look(path).catch(() => undefined);
    if (left?.kind !== 'directory' || left.uid !== uid) continue;
    for (const file of left.names) await host.remove(join(path, file)).catch(() => undefined);
    await host.remove(path).catch(() => undefined);
  }
}
