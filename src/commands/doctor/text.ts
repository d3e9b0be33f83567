// How a diagnosis reads: a line for each finding, its verdict first; what was seen and what to do under what is not ok.

import {styleText} from 'node:util';
import {count} from '../../operations/describe.js';
import type {Explanation} from '../../operations/doctor/explain.js';
import type {Finding} from '../../operations/doctor/finding.js';
import type {Diagnosis} from '../../operations/doctor.js';

const NAME_WIDTH = 10;
const INDENT = ' '.repeat(NAME_WIDTH + 9);
const COLOURS = {ok: 'green', warn: 'yellow', fail: 'red', skip: 'dim'} as const;

/** Ends in a newline. Colour only where the stream is a terminal. */
export function diagnosisText({findings}: Diagnosis, out: NodeJS.WriteStream): string {
  const [failed, warned] = (['fail', 'warn'] as const).map(
    (status) => findings.filter((one) => one.status === status).length,
  );
  const lines = findings.flatMap((one) => findingLines(one, out));
  const warnings = warned ? `, ${count(warned, 'warning')}` : '';
  return `${[...lines, `${failed === 0 ? 'no problem' : count(failed ?? 0, 'problem')}${warnings}`].join('\n')}\n`;
}

function findingLines(finding: Finding, out: NodeJS.WriteStream): string[] {
  const {check, status, text, login, proof, cause, fix} = finding;
  const verdict = styleText(COLOURS[status], status.padEnd(5), {stream: out});
  // The name of the login stands in front, so the text need not say it again.
  const words = login !== undefined && text.startsWith(`${login} `) ? text.slice(login.length + 1) : text;
  const first = `  ${verdict} ${(login ?? check).padEnd(NAME_WIDTH)} ${words}`;
  if (status === 'ok') return [first];
  return [first, ...block(proof), ...block(cause), ...block(fix, 'fix: ')];
}

function block(text: string | undefined, label = ''): string[] {
  const lines = (text ?? '').split('\n').filter((line) => line.trim() !== '');
  return lines.map((line, index) => INDENT + (index === 0 ? label : ' '.repeat(label.length)) + line.trim());
}

export function explanationText(explanations: readonly Explanation[], out: NodeJS.WriteStream): string {
  if (explanations.length === 0) {
    return 'that text is not known; sudo agentless doctor --login LOGIN on the host looks at every layer\n';
  }
  const told = explanations.map(({where, meaning, fix, seen}) => {
    const name = styleText('bold', where, {stream: out});
    return `${name}\n  seen     ${seen}\n  meaning  ${meaning}\n  fix      ${fix}\n`;
  });
  return told.join('\n');
}
