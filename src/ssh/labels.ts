// Static labels of a node as they are typed: env=prod,team="data base".

import {Failure} from '../errors.js';

// One label: a name and a value, each in double quotes (no escapes) or free of quotes and separators.
const LABEL = /(?:\s*"([^"]*)"\s*|([^",;=]*))=(?:\s*"([^"]*)"\s*|([^",;=]*))([,;]|$)/y;

const HINT = 'write env=prod,team="data base": pairs separated by commas, quotes around blanks, commas and =';

/** Reads one list of labels, separated by commas or semicolons; the last of the same name wins. USAGE if malformed. */
export function parseLabels(text: string): Record<string, string> {
  const entries: [string, string][] = [];
  const pattern = new RegExp(LABEL);
  let more = text.trim() !== '';
  while (more) {
    const start = pattern.lastIndex;
    const label = pattern.exec(text);
    if (label === null) throw malformed(text.slice(start));
    const [, quotedName, name = '', quotedValue, value = '', separator] = label;
    entries.push([checkName(quotedName ?? name.trim()), quotedValue ?? value.trim()]);
    more = separator !== '';
  }
  return Object.fromEntries(entries);
}

/** The characters Auth allows in the name of a label. */
export function isLabelName(name: string): boolean {
  return /^[a-zA-Z0-9/._:*-]+$/.test(name);
}

const LONGEST_NAME = 256;
const LONGEST_VALUE = 1024;

/**
 * Why a label that nobody has typed is not taken; undefined when it is. The cluster takes any value, and any length: what
 * no terminal should show, and what comes back as something else, is kept out here.
 */
export function labelProblem(name: string, value: string): string | undefined {
  if (name === '') return 'a label has no name';
  if (!isLabelName(name)) return 'the cluster refuses the name of a label';
  if (name.length > LONGEST_NAME) return `a name is longer than ${LONGEST_NAME} characters`;
  if (/[\p{Cc}\p{Cs}]/u.test(value)) return 'a value has a control character';
  return value.length > LONGEST_VALUE ? `a value is longer than ${LONGEST_VALUE} characters` : undefined;
}

function checkName(name: string): string {
  if (isLabelName(name)) return name;
  const what =
    name === '' ? 'a label has no name' : `the cluster refuses the label name ${JSON.stringify(name)}`;
  const hint = name === '' ? HINT : 'names may have letters, digits and / . _ : * -';
  throw new Failure('USAGE', what, {hint});
}

function malformed(rest: string): Failure {
  if (rest.trim() === '') return new Failure('USAGE', 'the labels end with a separator', {hint: HINT});
  return new Failure('USAGE', `the label ${JSON.stringify(rest.slice(0, 64))} is not name=value`, {
    hint: HINT,
  });
}
