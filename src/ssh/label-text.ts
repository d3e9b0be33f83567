// Labels as a file holds them or a command prints them: a line name=value each, or one JSON object. All of it is data:
// nothing in a value means anything. What is wrong is told by its place only, for the wrong file may be a secret one.

import {Failure} from '../errors.js';
import {labelProblem} from './labels.js';

export type LabelPair = readonly [name: string, value: string];

const LONGEST_TEXT = 64 * 1024;
const HINT =
  'write a line name=value for each label (# begins a comment), or one JSON object of texts: {"env": "prod"}';

/** `source` begins the message of the USAGE failure for a text that is not such a thing: "the file /etc/labels". */
export function readLabelText(text: string, source: string): readonly LabelPair[] {
  const refuse = (what: string): never => {
    throw new Failure('USAGE', `${source} ${what}`, {hint: HINT});
  };
  if (text.length > LONGEST_TEXT) refuse(`is longer than ${LONGEST_TEXT / 1024} KiB`);
  const whole = text.replace(/^\uFEFF/, '');
  return whole.trimStart().startsWith('{') ? readObject(whole, refuse) : readLines(whole, refuse);
}

type Refuse = (what: string) => never;

function readLines(text: string, refuse: Refuse): readonly LabelPair[] {
  const pairs: LabelPair[] = [];
  for (const [index, whole] of text.split(/\r?\n/).entries()) {
    const line = whole.trim();
    if (line === '' || line.startsWith('#')) continue;
    const where = `line ${index + 1}`;
    const [, name = '', value = ''] =
      /^([^=]*)=(.*)$/s.exec(line) ?? refuse(`is no list of labels: ${where} is not name=value`);
    pairs.push(checked([name.trim(), unquoted(value.trim())], where, refuse));
  }
  return pairs;
}

/** One pair of quotes around a value keeps its blanks. */
function unquoted(value: string): string {
  return /^"[^"]*"$/.test(value) ? value.slice(1, -1) : value;
}

function readObject(text: string, refuse: Refuse): readonly LabelPair[] {
  let object: unknown;
  try {
    object = JSON.parse(text);
  } catch {
    return refuse('is no JSON object');
  }
  return Object.entries(object as object).map(([name, value], index) => {
    const where = `entry ${index + 1}`;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean')
      return refuse(`is no list of labels: ${where} is neither text nor number`);
    return checked([name, String(value)], where, refuse);
  });
}

function checked([name, value]: LabelPair, where: string, refuse: Refuse): LabelPair {
  const problem = labelProblem(name, value);
  return problem === undefined ? [name, value] : refuse(`is no list of labels: ${where}: ${problem}`);
}
