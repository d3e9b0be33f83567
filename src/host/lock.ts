// An exclusive file that names its holder. A holder that is gone (killed, power cut, reboot) loses the lock to the
// next comer, and exactly one comer wins it.

import {createHash, randomBytes} from 'node:crypto';
import {readFileSync, unlinkSync} from 'node:fs';
import {link, readdir, readFile, rename, rm, writeFile} from 'node:fs/promises';
import {basename, dirname, join} from 'node:path';
import {Failure} from '../errors.js';
import {codeOf} from '../system-error.js';
import type {Lock} from './host.js';

interface Holder {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process: tells a reused pid from the holder. */
  readonly start: string;
  readonly boot: string;
}

const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
const bootId = async (): Promise<string> => (await read('/proc/sys/kernel/random/boot_id')).trim();

/** Start time of a running process, field 22 of /proc/PID/stat (see proc(5)); undefined when it has ended. */
async function startOf(pid: number): Promise<string | undefined> {
  return startIn(await read(`/proc/${pid}/stat`));
}

/** The same from the text of /proc/PID/stat. */
export function startIn(stat: string): string | undefined {
  // The second field, the name in parentheses, may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? undefined : fields[19];
}

export function parseHolder(text: string): Holder | undefined {
  try {
    const {pid, start, boot} = JSON.parse(text) as Partial<Holder>;
    if (typeof pid === 'number' && typeof start === 'string' && typeof boot === 'string')
      return {pid, start, boot};
  } catch {
    // Cut off by a power cut: nobody can hold it.
  }
  return undefined;
}

async function livingHolder(text: string): Promise<Holder | undefined> {
  const holder = parseHolder(text);
  if (holder === undefined || holder.boot !== (await bootId())) return undefined;
  return (await startOf(holder.pid)) === holder.start ? holder : undefined;
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

function locked(holder: Holder, path: string): Failure {
  return new Failure('HOST_LOCKED', `another agentless is at work on this host (pid ${holder.pid})`, {
    hint: `wait until it has finished and run this again; the lock is ${path}`,
  });
}

/**
 * Puts our claim at `path`. Whoever finds a dead holder's claim must first hold a lock named after that very claim;
 * with it in hand nobody else can replace the claim, so looking again and renaming over it is safe.
 */
async function acquire(path: string, claim: string): Promise<void> {
  const mine = `${path}.${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await writeFile(mine, claim, {flag: 'wx', mode: 0o600});
    while (!(await linked(mine, path))) {
      const found = await readFile(path, 'utf8').catch(() => undefined);
      if (found === undefined) continue;
      const holder = await livingHolder(found);
      if (holder !== undefined) throw locked(holder, path);
      const guard = `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 12)}`;
      await acquire(guard, claim);
      try {
        if ((await read(path)) === found) return await rename(mine, path);
      } finally {
        await rm(guard, {force: true});
      }
    }
  } finally {
    await rm(mine, {force: true});
  }
}

/** Claims that never became locks, of processes that died in `acquire`. */
async function sweepDeadClaims(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const other = join(dirname(path), name);
    if (name.startsWith(prefix) && !(await livingHolder(await read(other)))) await rm(other, {force: true});
  }
}

/** Takes the lock, or fails with HOST_LOCKED naming the living holder's pid. It is let go at the latest on exit. */
export async function takeLock(path: string): Promise<Lock> {
  const claim = JSON.stringify({
    pid: process.pid,
    start: (await startOf(process.pid)) ?? '',
    boot: await bootId(),
    nonce: randomBytes(8).toString('hex'),
  });
  await acquire(path, claim);
  await sweepDeadClaims(path);
  const letGo = (): void => {
    process.off('exit', letGo);
    try {
      if (readFileSync(path, 'utf8') === claim) unlinkSync(path);
    } catch {
      // Gone already, or no longer removable: it is dead with this process anyway.
    }
  };
  process.on('exit', letGo);
  return {release: async () => letGo()};
}
