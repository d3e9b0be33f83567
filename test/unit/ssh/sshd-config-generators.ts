// Random configurations with every freedom of the syntax: blanks, =, quotes, case, comments, CRLF, Match, Include trees.
import fc from 'fast-check';
import type {Dialect} from '../../../src/ssh/sshd-config/index.js';

/** A configuration before it is written: `%DIR%` stands for the directory it will lie in. */
export interface Generated {
  readonly main: string;
  /** By path relative to the directory. */
  readonly files: ReadonlyMap<string, string>;
  /** For -C; empty for none. */
  readonly connection: string;
}

/** The connection that Match criteria are made for. */
export const CONNECTION = 'user=bob,host=h.example,addr=10.1.2.3';

/** Criteria and whether CONNECTION meets them. */
export const CRITERIA: ReadonlyMap<string, boolean> = new Map([
  ['all', true],
  ['User bob', true],
  ['User carol', false],
  ['User alice,b*', true],
  ['Address 10.0.0.0/8', true],
  ['Address 192.0.2.0/24', false],
  ['User bob Address 10.0.0.0/8', true],
  ['User bob Host other', false],
]);

const bytes = fc.constantFrom(
  '/x',
  '/etc/ca.pub',
  '/a b',
  '/\xe9t\xe9',
  '/a=b',
  '/back\\slash',
  '/back\\ blank',
  '/tab\there',
);
const newer = fc.constantFrom("/o'brien", '/hash#tag', '/a b#c', '/two\\\\slashes', '/say"so"');

function path(dialect: Dialect) {
  return dialect.singleQuotes ? fc.oneof({weight: 3, arbitrary: bytes}, newer) : bytes;
}

const word = fc.constantFrom('LANG', 'LC_*', 'A', 'b0', 'X_?');

type Values = readonly [keyword: string, values: fc.Arbitrary<readonly string[]>];

function keywords(dialect: Dialect): readonly Values[] {
  const one = (value: fc.Arbitrary<string>) => value.map((text) => [text]);
  const number = fc.integer({min: 1, max: 99}).map(String);
  const some = (value: fc.Arbitrary<string>) => fc.array(value, {minLength: 1, maxLength: 3});
  // Inside Match, 8.4 reads SetEnv but makes no use of it.
  const setEnv = fc.uniqueArray(fc.constantFrom('P=1', 'Q=2', 'R=3 4'), {minLength: 1});
  return [
    ...(dialect.singleQuotes ? [['SetEnv', setEnv] as const] : []),
    ['MaxSessions', one(number)],
    ['TrustedUserCAKeys', one(path(dialect))],
    ['AuthorizedPrincipalsFile', one(path(dialect))],
    ['PermitRootLogin', one(fc.constantFrom('yes', 'no', 'prohibit-password', 'forced-commands-only'))],
    ['Banner', one(path(dialect))],
    ['RevokedKeys', one(path(dialect))],
    ['X11Forwarding', one(fc.constantFrom('yes', 'no'))],
    ['AuthorizedKeysFile', some(fc.constantFrom('.ssh/a', '/k/%u', '/b c'))],
    ['AcceptEnv', some(word)],
    ['AllowUsers', some(word)],
    ['DenyUsers', some(word)],
    ['UseDNS', one(fc.constantFrom('yes', 'no'))],
    ['LoginGraceTime', one(number)],
    ['Port', one(fc.integer({min: 1, max: 65535}).map(String))],
    ['HostCertificate', one(path(dialect))],
    ['HostKey', one(fc.constantFrom('%DIR%/../two', '%DIR%/../three'))],
  ];
}

/** Refused inside a Match other than `Match all`. */
export const GLOBAL_ONLY: ReadonlySet<string> = new Set([
  'usedns',
  'logingracetime',
  'port',
  'hostcertificate',
  'hostkey',
]);

/** All ways of writing a value that mean the same. */
function spellings(value: string, dialect: Dialect): string[] {
  const quoted = dialect.singleQuotes ? value.replace(/[\\"]/g, '\\$&') : value;
  const all = [`"${quoted}"`];
  if (/^[\w/.*?%-]+$/.test(value)) all.push(value);
  if (dialect.singleQuotes) {
    all.push(`'${value.replace(/[\\']/g, '\\$&')}'`);
    if (!/[\t#]/.test(value)) all.push(value.replace(/[\\"' ]/g, '\\$&'));
    if (!/^%|[\t#"'\\ ]/.test(value)) all.push(`${value.slice(0, 1)}"${value.slice(1)}"`);
  }
  return all;
}

function keywordSpelling(keyword: string): fc.Arbitrary<string> {
  return fc.constantFrom(keyword, keyword.toLowerCase(), keyword.toUpperCase());
}

function directive([keyword, values]: Values, dialect: Dialect): fc.Arbitrary<string> {
  return fc
    .tuple(
      values.chain((list) => fc.tuple(...list.map((value) => fc.constantFrom(...spellings(value, dialect))))),
      keywordSpelling(keyword),
      fc.constantFrom(' ', '\t', ' \t ', '=', ' = ', ' =', '= '),
      fc.constantFrom('', '', '', '"'),
      fc.constantFrom(' ', '\t', '  '),
    )
    .map(([args, name, gap, quote, blank]) => {
      // Behind a quoted keyword a = belongs to the argument.
      const between = quote === '' ? gap : ' ';
      return `${quote}${name}${quote}${between}${args.join(blank)}`;
    });
}

/** What may stand around a directive without changing it. */
function framed(line: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom('', '', ' ', '\t', '\r', '   '),
      line,
      fc.constantFrom('', '', ' ', '\t ', '\f', ' # say "so'),
    )
    .map(([before, text, after]) => before + text + after);
}

const noise = fc.constantFrom(
  '',
  '# comment',
  '#Port 99',
  '   ',
  '\t# "',
  '"',
  'Ban"ner /never',
  '==',
  '\r',
  '# \xff\xfe',
);

const criteria = fc
  .tuple(
    fc.constantFrom(...CRITERIA.keys()),
    fc.constantFrom(' ', '\t', '='),
    fc.constantFrom('match', 'Match', 'MATCH'),
  )
  .map(([words, gap, name]) => `${name}${gap}${words}`);

interface Part {
  readonly line: string;
  readonly files?: ReadonlyMap<string, string>;
}

const NAMES = [
  '10.conf',
  '50-z.conf',
  '9.conf',
  'B.conf',
  '_x.conf',
  'a.conf',
  '.hidden.conf',
  'a.conf.bak',
  'b c.conf',
];

/** The text of one file and, depth permitting, of the files it includes. */
function file(
  dialect: Dialect,
  depth: number,
  place: string,
): fc.Arbitrary<{text: string; files: Map<string, string>}> {
  const plain = fc.oneof(...keywords(dialect).map((values) => framed(directive(values, dialect))));
  const part = (index: number): fc.Arbitrary<Part> =>
    fc.oneof(
      {weight: 10, arbitrary: plain.map((line) => ({line}))},
      {weight: 3, arbitrary: noise.map((line) => ({line}))},
      {weight: 2, arbitrary: framed(criteria).map((line) => ({line}))},
      ...(depth > 0 && dialect.include
        ? [{weight: 3, arbitrary: include(dialect, depth - 1, `${place}i${index}/`)}]
        : []),
    );
  return fc
    .tuple(
      fc
        .integer({min: 0, max: 7})
        .chain((count) => fc.tuple(...Array.from({length: count}, (_, i) => part(i)))),
      fc.constantFrom('\n', '\n', '\r\n'),
      fc.boolean(),
    )
    .map(([parts, end, finished]) => {
      const text = parts.map(({line}) => line).join(end) + (finished ? end : '');
      return {text, files: new Map(parts.flatMap(({files}) => [...(files ?? [])]))};
    });
}

function include(dialect: Dialect, depth: number, place: string): fc.Arbitrary<Part> {
  const patterns = fc.constantFrom(
    '*.conf',
    '[0-9]*.conf',
    '[!0-9]*.conf',
    '?.conf',
    'a.conf',
    '.*.conf',
    '*',
    'b*',
    'none/*.conf',
  );
  return fc
    .tuple(
      fc.uniqueArray(fc.constantFrom(...NAMES), {minLength: 1, maxLength: 4}),
      fc.array(patterns, {minLength: 1, maxLength: 2}),
      fc.boolean(),
    )
    .chain(([names, wanted, quoted]) =>
      fc.tuple(...names.map((_, i) => file(dialect, depth, `${place}${i}`))).map((contents) => {
        const files = contents.flatMap(({text, files: inner}, i) => [
          [`${place}${names[i]}`, text] as const,
          ...inner,
        ]);
        const args = wanted.map((pattern) => `%DIR%/${place}${pattern}`);
        return {
          line: `Include ${args.map((arg) => (quoted ? `"${arg}"` : arg)).join(' ')}`,
          files: new Map(files),
        };
      }),
    );
}

const connection = fc.constantFrom('', CONNECTION);

/** Configurations made of sound lines. */
export function soundConfig(dialect: Dialect): fc.Arbitrary<Generated> {
  return fc
    .tuple(file(dialect, 2, ''), connection)
    .map(([{text, files}, asked]) => ({main: text, files, connection: asked}));
}

/** Configurations with lines made of shreds, most of them nonsense. */
export function shreddedConfig(): fc.Arbitrary<Generated> {
  const shred = fc.constantFrom(
    ...[
      '"',
      "'",
      '\\',
      ' ',
      ' ',
      '\t',
      '=',
      '#',
      '7',
      '/x',
      '\r',
      '\f',
      '\0',
      '\xe9',
      '\xef\xbb\xbf',
      'all',
      'x',
    ],
    ...['MaxSessions ', 'Banner ', 'AcceptEnv ', 'Match ', 'Include ', 'Match all', 'Banner'],
  );
  const opening = fc.constantFrom(
    'MaxSessions 7',
    'Banner /x',
    'AcceptEnv A',
    'Match all',
    'Banner "/a b"',
    '',
  );
  const line = fc
    .tuple(opening, fc.array(shred, {maxLength: 4}))
    .map(([start, shreds]) => start + shreds.join(''));
  return fc
    .tuple(fc.array(line, {minLength: 1, maxLength: 3}), connection)
    .map(([lines, asked]) => ({main: lines.join('\n'), files: new Map(), connection: asked}));
}
