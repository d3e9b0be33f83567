// The program: hands the arguments to oclif with our commands, so that nothing is searched for on disk.

import {existsSync, readFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {Plugin} from '@oclif/core/config';
import {run} from '@oclif/core/run';
import {COMMANDS} from './commands/index.js';
import {showFailure} from './commands/show-failure.js';
import {Failure} from './errors.js';

/** Runs one command line; sets the process exit code and never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  const root = packageRoot(dirname(fileURLToPath(import.meta.url)));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  try {
    const plugin = new Plugin({
      root,
      pjson: manifest,
      isRoot: true,
      ignoreManifest: true,
      name: manifest.name,
    });
    // What oclif would import from a file of its own finding.
    Object.assign(plugin, {commandCache: asked(argv)});
    await plugin.load();
    // No other plugins: looking for them reads files in somebody's home, with a warning where that is not ours.
    const plugins = new Map([[plugin.name, plugin]]);
    await run([...argv], {root, pjson: manifest, plugins, userPlugins: false, devPlugins: false});
  } catch (error) {
    // Commands handle their own failures; what arrives here was thrown before a command ran (unknown command, help).
    process.exitCode = showFailure(withCommands(error), {
      json: argv.includes('--json'),
      command: wordsOf(argv).join(' '),
    });
  }
}

/** The command that is named in full, or all of them for help and for what was mistyped: oclif takes a look at each. */
function asked(argv: readonly string[]): Partial<typeof COMMANDS> {
  const flags = argv.findIndex((word) => word.startsWith('-'));
  const id = argv.slice(0, flags < 0 ? undefined : flags).join(':');
  const isHelp = argv.includes('--help');
  return id in COMMANDS && !isHelp ? {[id]: COMMANDS[id as keyof typeof COMMANDS]} : COMMANDS;
}

/** What was typed before the first flag; what comes after may be a secret. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const flag = argv.findIndex((word) => word.startsWith('-'));
  return argv.slice(0, flag < 0 ? 2 : Math.min(flag, 2));
}

/** An unknown command is answered with those there are. */
function withCommands(error: unknown): unknown {
  const typed = error instanceof Error && /^command (\S+) not found$/.exec(error.message)?.[1];
  if (!typed) return error;
  const known = Object.keys(COMMANDS);
  const longest = known.find((id) => typed.startsWith(`${id}:`));
  const message = typed.startsWith('-')
    ? 'the command is missing: flags come after it'
    : longest === undefined
      ? `there is no command "${spaced(typed)}"`
      : `"${spaced(longest)}" takes flags only, not "${spaced(typed.slice(longest.length + 1))}"`;
  const commands = known.map(spaced).join(', ');
  return new Failure('USAGE', message, {cause: error, hint: `the commands are ${commands}; each has --help`});
}

function spaced(id: string): string {
  return id.replaceAll(':', ' ');
}

function packageRoot(start: string): string {
  return existsSync(join(start, 'package.json')) ? start : packageRoot(dirname(start));
}
