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
function checkName(name: string): string {
  if (/^[a-zA-Z0-9/._:*-]+$/.test(name)) return name;
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
