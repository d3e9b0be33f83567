// Runs a program and measures it; shared by the benchmarks.

import {spawn} from 'node:child_process';
import {readFileSync} from 'node:fs';

export interface Run {
  /** Milliseconds. */
  readonly wall: number;
  /** User and system time of the process and what it waited for, milliseconds. */
  readonly cpu: number;
  /** Peak resident memory of the process itself, MiB. */
  readonly memory: number;
}

export const node = process.execPath;
const {NODE_EXTRA_CA_CERTS: _, ...env} = process.env;

/** Clock ticks are 1/100 s on every Linux that Node runs on. */
const TICK = 10;

/** Rejects when it does not end with 0. */
export function run(argv: readonly string[], input = ''): Promise<Run> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(argv[0] ?? '', argv.slice(1), {env, stdio: ['pipe', 'ignore', 'pipe']});
    const said: Buffer[] = [];
    let memory = 0;
    let cpu = 0;
    const look = () => {
      try {
        const status = readFileSync(`/proc/${child.pid}/status`, 'latin1');
        memory = Math.max(memory, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
        const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
        const times = stat
          .slice(stat.lastIndexOf(')') + 2)
          .split(' ')
          .slice(11, 15);
        cpu = Math.max(cpu, times.reduce((sum, ticks) => sum + Number(ticks), 0) * TICK);
      } catch {
        // It has ended.
      }
    };
    const timer = setInterval(look, 10);
    child.stderr.on('data', (data: Buffer) => said.push(data));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
    child.once('error', reject);
    child.once('exit', (status) => {
      clearInterval(timer);
      const wall = performance.now() - start;
      if (status === 0) resolve({wall, cpu, memory});
      else reject(new Error(`${argv.join(' ')}: exit ${status}\n${Buffer.concat(said).toString()}`));
    });
  });
}

export const middle = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;
export const median = (runs: readonly Run[]): Run => ({
  wall: middle(runs.map((one) => one.wall)),
  cpu: middle(runs.map((one) => one.cpu)),
  memory: middle(runs.map((one) => one.memory)),
});
