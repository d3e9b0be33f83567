// Runs a command line from source in this very process, so that coverage sees it.

import {stripVTControlCharacters} from 'node:util';
import {main} from '../../src/main.js';
import type {CliResult} from './cli.js';

export interface InProcess {
  /** The environment to add; undefined takes a name away. Put back afterwards. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Called with all that has been written so far, whenever something is. */
  readonly onOutput?: (text: string) => void;
}

/** What some work has written to standard output and standard error, without the colours that a terminal gets. */
export async function captured<T>(
  work: () => Promise<T>,
  onOutput: (text: string) => void = () => undefined,
): Promise<{value: T; stdout: string; stderr: string}> {
  const [out, err] = [[] as string[], [] as string[]];
  const {stdout, stderr} = process;
  const writes = [stdout.write, stderr.write] as const;
  const catching = (into: string[]) => (text: string | Uint8Array) => {
    into.push(text.toString());
    onOutput([...out, ...err].join(''));
    return true;
  };
  stdout.write = catching(out);
  stderr.write = catching(err);
  try {
    const value = await work();
    const [said, complained] = [out, err].map((texts) => stripVTControlCharacters(texts.join('')));
    return {value, stdout: said ?? '', stderr: complained ?? ''};
  } finally {
    [stdout.write, stderr.write] = writes;
  }
}

/** What it wrote and the exit code it set. Standard input is not read by tests that run like this. */
export async function inProcess(argv: readonly string[], options: InProcess = {}): Promise<CliResult> {
  const environment = {...process.env};
  const listeners = (['SIGINT', 'SIGTERM'] as const).map((name) => [name, process.listeners(name)] as const);
  const status = process.exitCode;
  for (const [name, value] of Object.entries(options.env ?? {})) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  process.exitCode = undefined;
  try {
    const {stdout, stderr} = await captured(() => main(argv), options.onOutput);
    return {status: Number(process.exitCode ?? 0), stdout, stderr};
  } finally {
    process.exitCode = status;
    process.env = environment;
    for (const [name, before] of listeners) {
      for (const listener of process.listeners(name)) {
        if (!before.includes(listener)) process.removeListener(name, listener);
      }
    }
  }
}
