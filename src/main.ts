// The program: hands the arguments to oclif with our own manifest, so that nothing is searched for on disk.

import {existsSync, readFileSync} from 'node:fs';
import {dirname, extname, join, relative} from 'node:path';
import {fileURLToPath} from 'node:url';
import {run} from '@oclif/core/run';
import {showFailure} from './commands/show-failure.js';
import {Failure} from './errors.js';

/** Runs one command line; sets the process exit code and never throws. */
export async function main(argv: readonly string[]): Promise<void> {
  const here = fileURLToPath(import.meta.url);
  const root = packageRoot(dirname(here));
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  // The registry lies beside this file, bundled or not.
  manifest.oclif.commands.target = `./${relative(root, join(dirname(here), `commands/index${extname(here)}`))}`;
  try {
    // No plugins: looking for them reads files in somebody's home, with a warning where that is not ours.
    await run([...argv], {root, pjson: manifest, userPlugins: false, devPlugins: false});
  } catch (error) {
    // Commands handle their own failures; what arrives here was thrown before a command ran (unknown command, help).
    process.exitCode = showFailure(await withCommands(error), {
      json: argv.includes('--json'),
      command: wordsOf(argv).join(' '),
    });
  }
}

/** What was typed before the first flag; what comes after may be a secret. */
function wordsOf(argv: readonly string[]): readonly string[] {
  const flag = argv.findIndex((word) => word.startsWith('-'));
  return argv.slice(0, flag < 0 ? 2 : Math.min(flag, 2));
}

/** An unknown command is answered with those there are. */
async function withCommands(error: unknown): Promise<unknown> {
  const typed = error instanceof Error && /^command (\S+) not found$/.exec(error.message)?.[1];
  if (!typed) return error;
  const {COMMANDS} = await import('./commands/index.js');
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
