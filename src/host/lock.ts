// An exclusive file that names its holder. A holder that is gone (killed, power cut, reboot) loses the lock to the
// next comer, and exactly one comer wins it.

import {createHash, randomBytes} from 'node:crypto';
import {basename, dirname, join} from 'node:path';
import {Failure} from '../errors.js';
import type {Lock} from './host.js';

/** What a host has to be able to do for its locks; each is one system call there. */
export interface LockGround {
  /** Of the process that works for us on that host. */
  readonly pid: number;
  /** Undefined when nothing is there. */
  read(path: string): Promise<string | undefined>;
  /** Makes a file that must not be there yet. */
  create(path: string, text: string): Promise<void>;
  /** False when `to` is there already. */
  link(from: string, to: string): Promise<boolean>;
  rename(from: string, to: string): Promise<void>;
  /** An absent path is fine. */
  remove(path: string): Promise<void>;
  names(directory: string): Promise<readonly string[]>;
}

interface Holder {
  readonly pid: number;
  /** Clock ticks from boot to the start of the process: tells a reused pid from the holder. */
  readonly start: string;
  readonly boot: string;
}

const BOOT_ID = '/proc/sys/kernel/random/boot_id';
const bootId = async (ground: LockGround): Promise<string> => ((await ground.read(BOOT_ID)) ?? '').trim();

/** Start time of a running process, field 22 of /proc/PID/stat (see proc(5)); undefined when it has ended. */
async function startOf(ground: LockGround, pid: number): Promise<string | undefined> {
  return startIn((await ground.read(`/proc/${pid}/stat`)) ?? '');
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

async function livingHolder(ground: LockGround, text: string): Promise<Holder | undefined> {
  const holder = parseHolder(text);
  if (holder === undefined || holder.boot !== (await bootId(ground))) return undefined;
  return (await startOf(ground, holder.pid)) === holder.start ? holder : undefined;
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
async function acquire(ground: LockGround, path: string, claim: string): Promise<void> {
  const mine = `${path}.${ground.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await ground.create(mine, claim);
    while (!(await ground.link(mine, path))) {
      const found = await ground.read(path);
      if (found === undefined) continue;
      const holder = await livingHolder(ground, found);
      if (holder !== undefined) throw locked(holder, path);
      const guard = `${path}.${createHash('sha256').update(found).digest('hex').slice(0, 12)}`;
      await acquire(ground, guard, claim);
      try {
        if ((await ground.read(path)) === found) return await ground.rename(mine, path);
      } finally {
        await ground.remove(guard);
      }
    }
  } finally {
    await ground.remove(mine);
  }
}

/** Claims that never became locks, of processes that died in `acquire`. */
async function sweepDeadClaims(ground: LockGround, path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await ground.names(dirname(path))) {
    const other = join(dirname(path), name);
    if (name.startsWith(prefix) && !(await livingHolder(ground, (await ground.read(other)) ?? '')))
      await ground.remove(other);
  }
}

/** Takes the lock, or fails with HOST_LOCKED naming the living holder's pid. Its claim is what stands in the file. */
export async function takeLock(ground: LockGround, path: string): Promise<Lock & {readonly claim: string}> {
  const [start = '', boot] = await Promise.all([startOf(ground, ground.pid), bootId(ground)]);
  const claim = JSON.stringify({
    pid: ground.pid,
    start,
    boot,
    nonce: randomBytes(8).toString('hex'),
  });
  await acquire(ground, path, claim);
  await sweepDeadClaims(ground, path);
  return {
    claim,
    release: async () => {
      if ((await ground.read(path)) === claim) await ground.remove(path);
    },
  };
}
