// Signals that reach the program at a stage of its work.

import type {CliOptions, CliResult} from './cli.js';

/** Runs it, and sends the signal as soon as the stage has been told of; twice where there is time for it. */
export function signalled(
  run: (options: CliOptions) => Promise<CliResult>,
  signal: NodeJS.Signals,
  after: string,
): Promise<CliResult> {
  let send = (_: NodeJS.Signals): void => undefined;
  let text = '';
  return run({
    started: (_, kill) => {
      send = kill;
    },
    onStderr: (piece) => {
      const known = text.length;
      text += piece;
      const told = new RegExp(`^  ${after} .*$`, 'm').exec(text);
      if (told === null || told.index + told[0].length < known) return;
      send(signal);
      if (after === 'reload') setTimeout(() => send(signal), 20);
    },
  });
}
