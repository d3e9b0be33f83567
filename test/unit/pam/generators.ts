// Random service files with every freedom of the syntax: blanks, case, brackets, comments, continuations, includes.
import fc from 'fast-check';
import {RESULTS, type Result} from '../../../src/pam/control.js';

/** What is written in place of the folder that the included files lie in. */
export const DIRECTORY = '%DIR%';

/** A file and all it includes, by name relative to the folder. */
export interface Generated {
  readonly main: string;
  readonly files: ReadonlyMap<string, string>;
}

// libpam ends the call with `incomplete` and starts it again from there: no module of a login does that.
export const POSSIBLE: readonly Result[] = RESULTS.filter((result) => result !== 'incomplete');

const often = fc.constantFrom<Result>('success', 'success', 'ignore', 'perm_denied', 'new_authtok_reqd');

export const result = fc.oneof({weight: 4, arbitrary: often}, fc.constantFrom(...POSSIBLE));

const named = fc.constantFrom('success', 'ignore', 'perm_denied', 'new_authtok_reqd', 'default', 'auth_err');

const action = fc.constantFrom('ignore', 'ok', 'done', 'bad', 'die', 'reset', '1', '2', '3', '02');

const pairs = fc
  .tuple(
    fc.array(fc.tuple(named, action), {maxLength: 4}),
    fc.constantFrom(' ', '  ', '\t'),
    fc.constantFrom('=', ' = '),
  )
  .map(([list, blank, equals]) => `[${list.map(([name, what]) => name + equals + what).join(blank)}]`);

const control = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('required', 'requisite', 'sufficient', 'optional', 'Required', '[SUFFICIENT]'),
  },
  {weight: 3, arbitrary: pairs},
);

const TYPES = ['account', 'session', 'auth', 'password'] as const;

const type = fc.constantFrom(
  'account',
  'account',
  'session',
  'session',
  'auth',
  'password',
  '-session',
  'ACCOUNT',
);

/** pam_debug says what it returns, so that libpam's way through the file can be followed. */
function debugRule(): fc.Arbitrary<string[]> {
  return fc
    .tuple(
      type,
      control,
      result,
      fc.constantFrom('pam_debug.so', 'pam_debug.so', 'pam_permit.so', 'pam_deny.so'),
    )
    .map(([kind, how, what, module]) => [kind, how, module, `acct=${what}`, `open_session=${what}`]);
}

/** Words as a line: what may stand between and around them changes nothing. */
function line(words: fc.Arbitrary<readonly string[]>): fc.Arbitrary<string> {
  return fc
    .tuple(
      words,
      fc.constantFrom('', '', ' ', '\t '),
      fc.constantFrom(' ', ' ', '\t', '   ', ' \\\n', ' \\ \t\n  '),
      fc.constantFrom('', '', ' ', ' \t', ' # [1]', '#account required pam_deny.so'),
    )
    .map(([list, before, between, after]) => before + list.join(between) + after);
}

const noise = fc.constantFrom(
  '',
  '#%PAM-1.0',
  '# account required pam_deny.so',
  '   ',
  '\t#session optional x \\',
  '#@include common-account',
);

const INCLUDED = ['one', 'two', 'three'];

function include(from: number): fc.Arbitrary<string[]> {
  return fc
    .tuple(
      type,
      fc.constantFrom('include', 'substack', 'substack', '@include', 'Include'),
      fc.constantFrom(...INCLUDED.slice(from)),
    )
    .map(([kind, how, name]) =>
      how === '@include' ? [how, `${DIRECTORY}/${name}`] : [kind, how, `${DIRECTORY}/${name}`],
    );
}

/** `from` keeps includes from going round: a file includes later ones only. */
function file(from: number, maxLength: number): fc.Arbitrary<string> {
  const lines = fc.oneof(
    {weight: 8, arbitrary: line(debugRule())},
    {weight: 2, arbitrary: noise},
    ...(from < INCLUDED.length ? [{weight: 3, arbitrary: line(include(from))}] : []),
  );
  return fc
    .tuple(fc.array(lines, {maxLength}), fc.boolean())
    .map(([list, ended]) => list.join('\n') + (ended && list.length > 0 ? '\n' : ''));
}

/** Files that PAM reads without complaint. */
export function soundFiles(): fc.Arbitrary<Generated> {
  return fc
    .tuple(file(0, 10), ...INCLUDED.map((_, index) => file(index + 1, 4)))
    .map(([main, ...others]) => ({
      main,
      files: new Map(others.map((text, index) => [`${DIRECTORY}/${INCLUDED[index]}`, text])),
    }));
}

/** Lines made of shreds, most of them nonsense. */
export function shreds(): fc.Arbitrary<string> {
  const shred = fc.constantFrom(
    ...TYPES,
    '-account',
    'account required pam_debug.so acct=success\n',
    'account optional pam_debug.so acct=ignore\n',
    'required',
    'optional',
    'sufficient',
    'include',
    'substack',
    '@include',
    '[success=1 default=ignore]',
    '[success=ok',
    'default=bad]',
    '[success=0]',
    '[successes=ok]',
    '[success=okdefault=ignore]',
    '[]',
    'pam_debug.so',
    'acct=auth_err',
    `${DIRECTORY}/one`,
    `${DIRECTORY}/none`,
    ' ',
    ' ',
    '\t',
    '\n',
    '\n',
    '\r\n',
    '\\\n',
    '\\',
    '\\]',
    ']',
    '[',
    '#',
    '-',
    '\v',
    '\xe9',
  );
  return fc.array(shred, {maxLength: 14}).map((list) => list.join(''));
}
