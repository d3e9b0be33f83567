// Who holds a lock, seen without taking it.

import type {Host} from './host.js';
import {parseHolder, startIn} from './lock.js';

/** Process id of the living holder of a lock; undefined when there is no lock, or its holder is gone. */
export async function holderOf(host: Host, path: string): Promise<number | undefined> {
  const holder = parseHolder(await read(host, path));
  if (holder === undefined || holder.boot !== (await read(host, BOOT)).trim()) return undefined;
  const start = startIn(await read(host, `/proc/${holder.pid}/stat`));
  return start === holder.start ? holder.pid : undefined;
}

const BOOT = '/proc/sys/kernel/random/boot_id';

async function read(host: Host, path: string): Promise<string> {
  const entry = await host.look(path).catch(() => undefined);
  return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : '';
}
