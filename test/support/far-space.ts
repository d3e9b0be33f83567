// Namespaces of a host that is made by far-host.sh: how to get in without its network, and how they end.

import {type ChildProcess, execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmdirSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const SCRIPT = fileURLToPath(new URL('far-host.sh', import.meta.url));
const NAMESPACES = ['--net', '--mount', '--pid', '--uts', '--ipc'];
const PATH = '/usr/sbin:/usr/bin:/sbin:/bin';

export class FarSpace {
  readonly #holder: ChildProcess;
  readonly #work: string;
  /** Process 1 in there. */
  readonly pid: number;

  /** `unit` as far-host.sh has it. */
  static async start(unit: string, root: string, name: string): Promise<FarSpace> {
    const work = mkdtempSync(join(tmpdir(), 'far-host-'));
    const words = [
      '--fork',
      '--kill-child',
      '--propagation',
      'private',
      'sh',
      SCRIPT,
      unit,
      root,
      work,
      name,
    ];
    const holder = spawn('unshare', [...NAMESPACES, ...words]);
    const said: Buffer[] = [];
    holder.stderr.on('data', (data: Buffer) => said.push(data));
    try {
      await new Promise<void>((resolve, reject) => {
        holder.stdout.once('data', () => resolve());
        holder.once('exit', (status) => reject(new Error(`the host has ended with ${status}`)));
      });
      // That of a container is one deeper.
      const depth = unit === 'none' ? 2 : 3;
      return new FarSpace(holder, work, await until(() => innermost(holder.pid ?? 0, depth)));
    } catch (error) {
      await ended(holder);
      rmdirSync(work);
      throw new Error(`${error}\n${Buffer.concat(said)}`);
    }
  }

  private constructor(holder: ChildProcess, work: string, pid: number) {
    this.#holder = holder;
    this.#work = work;
    this.pid = pid;
  }

  /** A path inside, as it is seen from outside. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside);
  }

  /** What a program inside says. */
  run(...argv: readonly string[]): string {
    const words = [
      '-t',
      String(this.pid),
      '-m',
      '-p',
      '-n',
      '-u',
      '-i',
      '--',
      'env',
      '-i',
      `PATH=${PATH}`,
      ...argv,
    ];
    return execFileSync('nsenter', words, {encoding: 'latin1', stdio: ['ignore', 'pipe', 'pipe']}).trim();
  }

  async stop(): Promise<void> {
    await ended(this.#holder);
    // Never recursively: it was a mount point, and is an empty directory again.
    rmdirSync(this.#work);
  }
}

/** It ends with its standard input. */
async function ended(holder: ChildProcess): Promise<void> {
  if (holder.exitCode !== null || holder.signalCode !== null) return;
  const gone = new Promise((resolve) => holder.once('exit', resolve));
  holder.stdin?.end();
  await gone;
}

/** Process 1 of the process namespace that is so deep, below this process; undefined until it is there. */
function innermost(pid: number, depth: number): number | undefined {
  const [ids = ''] = /(?<=^NSpid:).*$/m.exec(readProcess(`/proc/${pid}/status`)) ?? [];
  const known = ids.trim().split(/\s+/);
  if (known.length === depth && known.at(-1) === '1') return pid;
  const children = readProcess(`/proc/${pid}/task/${pid}/children`).match(/\d+/g) ?? [];
  return children.map((child) => innermost(Number(child), depth)).find((found) => found !== undefined);
}

/** Nothing of a process that has ended meanwhile. */
export function readProcess(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

/** What it gives as soon as it gives anything. */
export async function until<T>(ask: () => T | undefined, seconds = 60): Promise<T> {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(50)) {
    const answer = ask();
    if (answer !== undefined) return answer;
  }
  throw new Error(`not within ${seconds} seconds: ${ask}`);
}

export const pause = (time: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, time));
