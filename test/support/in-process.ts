// Runs a command line from source in this very process, so that coverage sees it.

import {main} from '../../src/main.js';
import type {CliResult} from './cli.js';

export interface InProcess {
  /** The environment to add; undefined takes a name away. Put back afterwards. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called when this text has appeared on standard output or standard error. */
  readonly when?: {readonly said: string; readonly then: () => void};
}

/** What it wrote and the exit code it set. Standard input is not read by tests that run like this. */
export async function inProcess(argv: readonly string[], options: InProcess = {}): Promise<CliResult> {
  const [out, err] = [[] as string[], [] as string[]];
  const {stdout, stderr} = process;
  const writes = [stdout.write, stderr.write] as const;
  const environment = {...process.env};
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => [name, process.listeners(name)] as const);
  const status = process.exitCode;
  const catching = (into: string[]) => (text: string | Uint8Array) => {
    into.push(text.toString());
    if (options.when && text.toString().includes(options.when.said)) setImmediate(options.when.then);
    return true;
  };
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  process.exitCode = undefined;
  stdout.write = catching(out);
  stderr.write = catching(err);
  try {
    await main(argv);
    return {status: Number(process.exitCode ?? 0), stdout: out.join(''), stderr: err.join('')};
  } finally {
    [stdout.write, stderr.write] = writes;
    process.exitCode = status;
    process.env = environment;
    for (const [name, before] of listeners) {
      for (const listener of process.listeners(name)) {
        if (!before.includes(listener)) process.removeListener(name, listener);
      }
    }
  }
}
