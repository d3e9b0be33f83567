// How sshd takes one line apart. Two splitters exist: the old one (blanks, "…" and a single =), which still finds the
// keyword today, and since 8.7 a shell-like one for the arguments. Text is latin-1: one character per byte.
import type {Dialect} from './dialect.js';

/** A directive as sshd understands it: the keyword in lower case, the arguments without their quotes. */
export interface Directive {
  readonly keyword: string;
  readonly args: readonly string[];
}

export interface Unreadable {
  readonly problem: string;
}

/** Reads one line without its end of line; undefined for a blank line, a comment, and what sshd passes over. */
export function readDirective(line: string, dialect: Dialect): Directive | Unreadable | undefined {
  const hash = dialect.hashCutsAnywhere ? line.indexOf('#') : -1;
  const text = trimEnd(trimStart(hash < 0 ? line : line.slice(0, hash), ' \t\r'));
  if (text === '') return undefined;
  let first = cut(text);
  if (first?.token === '' && first.rest !== undefined) first = cut(first.rest);
  // An unfinished quote in the keyword makes sshd skip the whole line.
  if (first === undefined || first.token === '' || first.token.startsWith('#')) return undefined;
  if (!/^[a-z0-9]+$/i.test(first.token)) return {problem: `bad configuration option: ${first.token}`};
  // Before 8.7 each keyword judges that for itself, and those that take a list are content with nothing.
  if (!first.rest && dialect.singleQuotes) return {problem: `no argument after keyword "${first.token}"`};
  return withArguments(first.token.toLowerCase(), first.rest ?? '', dialect);
}

function withArguments(keyword: string, rest: string, dialect: Dialect): Directive | Unreadable {
  const shellLike = dialect.singleQuotes ? splitLikeShell(rest) : undefined;
  if (dialect.singleQuotes && shellLike === undefined) return {problem: 'invalid quotes'};
  const byCutting = keyword === 'match' && !dialect.matchSplitsLikeArguments;
  const args = shellLike === undefined || byCutting ? splitByCutting(rest, keyword !== 'setenv') : shellLike;
  if (keyword === 'match') return readMatch(args);
  if (keyword === 'include' && !dialect.include) return {problem: 'bad configuration option: Include'};
  if (keyword === 'include' && args.length === 0) return {problem: 'Include without a file name'};
  if (keyword === 'include' && args.includes('')) return {problem: 'Include with an empty file name'};
  return {keyword, args};
}

function readMatch(args: readonly string[]): Directive | Unreadable {
  if (args.length === 0) return {problem: 'Match without criteria'};
  if (args.length > 1 && /^all$/i.test(args[0] ?? '')) return {problem: 'Match all with further criteria'};
  return {keyword: 'match', args};
}

interface Cut {
  readonly token: string;
  /** What follows, blanks skipped; undefined when the text ended with the token. */
  readonly rest: string | undefined;
}

/** Takes one token off the front; undefined when a quote is not closed. A quote may begin and ends a token anywhere. */
function cut(text: string, equals = true): Cut | undefined {
  const at = text.search(equals ? /[ \t\r\n"=]/ : /[ \t\r\n"]/);
  if (at < 0) return {token: text, rest: undefined};
  const after = text.slice(at + 1);
  if (text[at] === '"') {
    const end = after.indexOf('"');
    if (end < 0) return undefined;
    return {token: text.slice(0, at) + after.slice(0, end), rest: trimStart(after.slice(end + 1))};
  }
  const rest = trimStart(after);
  const skipsEquals = equals && text[at] !== '=' && rest.startsWith('=');
  return {token: text.slice(0, at), rest: skipsEquals ? trimStart(rest.slice(1)) : rest};
}

/** The old splitter over a whole line. A comment, an empty token and an unfinished quote end it without complaint. */
function splitByCutting(text: string, equals: boolean): string[] {
  const args: string[] = [];
  for (let rest: string | undefined = text; rest && !rest.startsWith('#'); ) {
    const next = cut(rest, equals);
    if (!next?.token) break;
    args.push(next.token);
    rest = next.rest;
  }
  return args;
}

/** The splitter of 8.7 and later; undefined when a quote is not closed. */
function splitLikeShell(text: string): string[] | undefined {
  const args: string[] = [];
  for (let i = 0; i < text.length; i += 1) {
    if (text[i] === ' ' || text[i] === '\t') continue;
    if (text[i] === '#') break;
    const word = readWord(text, i);
    if (word === undefined) return undefined;
    args.push(word.value);
    i = word.end;
  }
  return args;
}

function readWord(text: string, start: number): {value: string; end: number} | undefined {
  let quote = '';
  let value = '';
  let i = start;
  for (; i < text.length; i += 1) {
    const c = text.charAt(i);
    const next = text.charAt(i + 1);
    if (c === '\\' && next !== '' && (`'"\\`.includes(next) || (quote === '' && next === ' '))) {
      value += next;
      i += 1;
    } else if (quote === '' && (c === ' ' || c === '\t')) break;
    else if (quote === '' && (c === '"' || c === "'")) quote = c;
    else if (c === quote) quote = '';
    else value += c;
  }
  return quote === '' ? {value, end: i} : undefined;
}

function trimStart(text: string, blanks = ' \t\r\n'): string {
  let from = 0;
  while (from < text.length && blanks.includes(text.charAt(from))) from += 1;
  return text.slice(from);
}

/** Blanks and form feeds at the end do not count, but sshd never looks at the first byte of a line for this. */
function trimEnd(text: string): string {
  let to = text.length;
  while (to > 1 && ' \t\r\n\f'.includes(text.charAt(to - 1))) to -= 1;
  return text.slice(0, to);
}
