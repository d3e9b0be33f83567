import {spawn} from 'node:child_process';
import {fileURLToPath} from 'node:url';

export interface CliResult {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Words before the command, e.g. nsenter … */
  readonly prefix?: readonly string[];
  /** Called with the running process, e.g. to send it a signal. */
  readonly started?: (pid: number, kill: (signal: NodeJS.Signals) => void) => void;
  /** Called with each piece of standard error. */
  readonly onStderr?: (text: string) => void;
}

export const PROGRAM = fileURLToPath(new URL('../../bin/run.cjs', import.meta.url));

/** Runs the built program as a user would. */
export function agentless(argv: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const {NODE_EXTRA_CA_CERTS: _, NODE_V8_COVERAGE: coverage, ...inherited} = process.env;
  const env = {...inherited, ...(coverage !== undefined && {NODE_V8_COVERAGE: coverage}), ...options.env};
  const [program = '', ...words] = [...(options.prefix ?? []), process.execPath, PROGRAM, ...argv];
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {
      env,
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(options.cwd && {cwd: options.cwd}),
    });
    const out: string[] = [];
    const err: string[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data.toString()));
    child.stderr.on('data', (data: Buffer) => {
      err.push(data.toString());
      options.onStderr?.(data.toString());
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({status, stdout: out.join(''), stderr: err.join('')}));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    if (child.pid !== undefined) options.started?.(child.pid, (signal) => child.kill(signal));
  });
}
