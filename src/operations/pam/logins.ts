// Names of accounts as they are typed. Judged here and not left to useradd: some versions take `..` and `a/b`, whose
// homes lie elsewhere, and none says so before it has made the accounts that were named first. Pure.

import {Failure} from '../../errors.js';

const LONGEST = 32;

/** "alice,bob" and "carl" as three logins, each once. USAGE names every one that is none, and why. */
export function parseLogins(words: readonly string[]): readonly string[] {
  const logins = [...new Set(listed(words))];
  const wrong = logins.flatMap((login) => {
    const reason = objection(login);
    return reason === undefined ? [] : [`${JSON.stringify(login)} ${reason}`];
  });
  const hint = `a login is a-z or _, then a-z, 0-9, _ and -, ${LONGEST} characters at most; no account was made`;
  if (logins.length === 0) throw new Failure('USAGE', 'no login is named', {hint});
  if (wrong.length === 1) throw new Failure('USAGE', `no login: ${wrong[0]}`, {hint});
  if (wrong.length > 1)
    throw new Failure('USAGE', `${wrong.length} names are no logins`, {detail: wrong.join('\n'), hint});
  return logins;
}

/** Names of groups, which are held against those of the host; "" is none. */
export function parseGroups(words: readonly string[]): readonly string[] {
  return [...new Set(listed(words).filter((name) => name !== ''))];
}

/** The name of an account that exists; it may be one that we would not make. */
export function parseTemplate(name: string): string {
  if (/^[^-\s:,/][^\s:,/]*$/.test(name)) return name;
  throw new Failure('USAGE', `--from-template wants the name of an account, not ${JSON.stringify(name)}`, {
    hint: '`getent passwd` lists those of this host',
  });
}

/** USAGE for what can be no shell anywhere: a passwd line ends at a colon, a program has a path. */
export function parseShell(path: string): string {
  if (/^\/[^\s:]+$/.test(path)) return path;
  throw new Failure('USAGE', `--shell wants an absolute path, not ${JSON.stringify(path)}`, {
    hint: 'for example --shell /bin/bash',
  });
}

function listed(words: readonly string[]): readonly string[] {
  return words.flatMap((word) => word.split(',')).map((name) => name.trim());
}

function objection(name: string): string | undefined {
  if (name === '') return 'is empty';
  const [odd] = /[^a-z0-9_-]/u.exec(name) ?? [];
  if (odd !== undefined) return `has ${JSON.stringify(odd)} in it`;
  if (!/^[a-z_]/.test(name)) return `begins with ${JSON.stringify(name[0])}`;
  return name.length > LONGEST ? `has more than ${LONGEST} characters` : undefined;
}
