// Words as systemd and cron read them. Pure.

import {Failure} from '../../errors.js';

const PLAIN = /^[A-Za-z0-9_@+=:,./-]+$/;

/** HOST_UNSUITABLE for what no line of a unit or a crontab can hold. */
function refuseControls(word: string): void {
  if (!/\p{Cc}|\p{Cs}/u.test(word)) return;
  const shown = word.replace(/\p{Cc}|\p{Cs}/gu, '?');
  throw new Failure('HOST_UNSUITABLE', `${shown} has a control character in its name`, {
    hint: 'give it another name: no timer can call it',
  });
}

/** One word of a list of paths in a unit file: systemd.syntax(7), with % as in systemd.unit(5), SPECIFIERS. */
export function unitWord(word: string): string {
  refuseControls(word);
  const text = word.replaceAll('%', '%%');
  return PLAIN.test(word) ? text : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

/**
 * The words of ExecStart=: systemd.service(5), COMMAND LINES. A dollar begins a variable in every word but the first,
 * where nothing stands for it; so a program with one in its path cannot be called.
 */
export function execLine([program = '', ...words]: readonly string[]): string {
  if (program.includes('$')) {
    throw new Failure('HOST_UNSUITABLE', `systemd cannot call ${program}, for there is a $ in its path`, {
      hint: 'install it under another path',
    });
  }
  return [unitWord(program), ...words.map((word) => unitWord(word).replaceAll('$', '$$$$'))].join(' ');
}

/** The longest command that every cron takes: MAX_COMMAND of Vixie's. */
const LONGEST_COMMAND = 900;

/** Words as they are typed into a shell. */
export function shellLine(words: readonly string[]): string {
  return words.map((word) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(' ');
}

/**
 * Words for the shell of a crontab line: crontab(5). A % ends the command there unless a backslash stands before it, and
 * some make one of two backslashes; so those of a word are kept apart from what follows.
 */
export function cronLine(words: readonly string[]): string {
  for (const word of words) refuseControls(word);
  const line = shellLine(words)
    .replace(/\\(?=[\\%])/g, "\\''")
    .replaceAll('%', '\\%');
  if (line.length <= LONGEST_COMMAND) return line;
  throw new Failure('HOST_UNSUITABLE', 'the command to renew is too long for cron', {
    hint: 'install agentless, or its data directory, under a shorter path',
  });
}
