// File name patterns as sshd's own glob (it never uses the C library's): bytes, `*`, `?`, `[a-z]`, `[!a]`, `[[:alpha:]]`,
// backslash; no braces, no tilde; a name with a leading dot matches only a pattern with a leading dot.
import {posix} from 'node:path';
import {rawOf} from './file.js';

/** Whether an absolute pattern names this absolute path. */
export function matchesGlob(pattern: string, path: string): boolean {
  const patterns = posix.normalize(pattern).split('/');
  const names = posix.normalize(path).split('/');
  return (
    patterns.length === names.length &&
    patterns.every((part, i) => matchesName(rawOf(part), rawOf(names[i] ?? '')))
  );
}

/** The order in which sshd reads the files of one pattern: by the bytes of the whole path. */
export function byPath(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A path as a pattern that matches nothing else. */
export function escapeGlob(path: string): string {
  return path.replace(/[*?[\\]/g, '\\$&');
}

type Test = (char: string) => boolean;
type Token = Test | '*';

/** Whether one name, latin-1 and without slashes, fits one part of a pattern. */
export function matchesName(pattern: string, name: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.') && !pattern.startsWith('\\.')) return false;
  const tokens = tokensOf(pattern);
  let at = 0;
  let next = 0;
  // On a mismatch only the last star has to give: that keeps it at length times length.
  let star: {token: number; at: number} | undefined;
  while (at < name.length || next < tokens.length) {
    const token = tokens[next];
    if (token === '*') {
      star = {token: next, at};
      next += 1;
    } else if (at < name.length && token?.(name.charAt(at))) {
      at += 1;
      next += 1;
    } else if (star !== undefined && star.at < name.length) {
      star.at += 1;
      at = star.at;
      next = star.token + 1;
    } else return false;
  }
  return true;
}

function tokensOf(pattern: string): Token[] {
  const tokens: Token[] = [];
  for (let i = 0; i < pattern.length; i += 1) {
    const c = pattern.charAt(i);
    const set = c === '[' ? readSet(pattern, i + 1) : undefined;
    if (set !== undefined) {
      tokens.push(set.test);
      i = set.end;
    } else if (c === '*') tokens.push('*');
    else if (c === '?') tokens.push(() => true);
    else {
      if (c === '\\' && i + 1 < pattern.length) i += 1;
      const literal = pattern.charAt(i);
      tokens.push((char) => char === literal);
    }
  }
  return tokens;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** A set from behind its `[`, its first member literal even if it is `]`; undefined when it is not closed. */
function readSet(pattern: string, start: number): {test: Test; end: number} | undefined {
  const negated = pattern[start] === '!';
  const from = negated ? start + 1 : start;
  const tests: Test[] = [];
  for (let i = from; i < pattern.length; i += 1) {
    const c = pattern.charAt(i);
    if (c === ']' && i > from) return {test: (char) => tests.some((test) => test(char)) !== negated, end: i};
    const named = c === '[' ? /^\[:([a-z]+):\]/.exec(pattern.slice(i))?.[1] : undefined;
    const last = pattern.charAt(i + 2);
    if (named !== undefined) {
      tests.push((char) => CLASSES[named]?.test(char) ?? false);
      i += named.length + 3;
    } else if (pattern[i + 1] === '-' && last !== ']' && last !== '') {
      tests.push((char) => c <= char && char <= last);
      i += 2;
    } else {
      if (c === '\\') i += 1;
      const literal = pattern.charAt(i);
      tests.push((char) => char === literal);
    }
  }
  return undefined;
}
