import {resolve} from 'node:path';
import * as Flags from '@oclif/core/flags';
import {Failure} from '../../errors.js';
import type {LabelSource} from '../../operations/labels/source.js';
import {splitWords} from '../words.js';

/** Where labels come from that are not typed. */
export const labelsFromFlag = {
  'labels-from': Flags.string({
    summary: 'take labels also from tags of the cloud, a file, or what a command prints; repeatable',
    description:
      'A file or a command gives a line name=value for each label, or a JSON object. The command is run without a shell. ' +
      'Later ones win, and --labels wins over all. Asked again by each later join and by renew; none: no longer.',
    helpValue: "cloud|file:PATH|'command:WORDS'|none",
    multiple: true,
  }),
};

/** `labelsFromFlag` as parsed. */
export interface LabelFlags {
  readonly 'labels-from': readonly string[] | undefined;
}

/** Undefined: as before. Empty: no longer from anywhere. */
export function labelSourcesFrom(flags: LabelFlags): readonly LabelSource[] | undefined {
  const given = flags['labels-from'];
  if (given === undefined || !given.includes('none')) return given?.map(sourceOf);
  if (given.length === 1) return [];
  throw new Failure('USAGE', '--labels-from none goes with no other --labels-from', {hint: HINT});
}

const HINT = "give cloud, file:/etc/agentless/labels, or 'command:/usr/local/bin/labels --of this-host'";

function sourceOf(text: string): LabelSource {
  const [, from, rest = ''] = /^(\w+):(.*)$/s.exec(text) ?? [];
  if (text === 'cloud') return {from: 'cloud'};
  // It is stored, and read by jobs, which are elsewhere.
  if (from === 'file' && rest !== '') return {from, path: resolve(rest)};
  if (from === 'command') {
    const [program = '', ...words] = splitWords(rest, '--labels-from command:');
    const argv = [program.includes('/') ? resolve(program) : program, ...words];
    if (program !== '' && !argv.some((word) => word.includes('\0'))) return {from, argv};
  }
  throw new Failure('USAGE', `--labels-from does not know ${JSON.stringify(text.slice(0, 64))}`, {
    hint: HINT,
  });
}
