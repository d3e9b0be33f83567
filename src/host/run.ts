import {execa} from 'execa';
import type {RunOptions, RunResult} from './host.js';

const SYSTEM_PATH = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const DEFAULT_TIMEOUT = 30_000;

/** How long output is still read after a program has ended, when something it started holds the pipe open. */
const LINGER = 250;

// Statuses of a shell for a program that is not there, or that cannot be executed.
const STATUS_OF_SPAWN_ERROR: Readonly<Record<string, number>> = {ENOENT: 127, EACCES: 126, ENOEXEC: 126};

/** A child sees nothing of our environment but PATH: AGENTLESS_TOKEN and the like stay here. */
function environment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const path = [...(process.env['PATH'] ?? '').split(':'), ...SYSTEM_PATH].filter(
    (directory) => directory !== '',
  );
  return {LC_ALL: 'C', PATH: [...new Set(path)].join(':'), ...extra};
}

/**
 * Runs a program of this machine. It gets a process group of its own, so that Ctrl-C on our terminal does not kill
 * a reload half-way, and no terminal to prompt on.
 */
export async function runLocally(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...rest] = argv;
  if (program === undefined) throw new TypeError('a command needs a program');
  const child = execa(program, rest, {
    reject: false,
    extendEnv: false,
    env: environment(options.env),
    cwd: '/',
    detached: true,
    // The last newline belongs to the output.
    stripFinalNewline: false,
    ...(options.input === undefined ? {stdin: 'ignore' as const} : {input: options.input}),
  });
  const timer = setTimeout(() => killGroup(child.pid), options.timeout ?? DEFAULT_TIMEOUT);
  child.once('exit', () => {
    setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, LINGER).unref();
  });
  const {exitCode, code, stdout, stderr} = await child;
  clearTimeout(timer);
  return {status: exitCode ?? STATUS_OF_SPAWN_ERROR[code ?? ''], stdout: stdout ?? '', stderr: stderr ?? ''};
}

/** With all that it has started and that is no daemon yet. */
function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
