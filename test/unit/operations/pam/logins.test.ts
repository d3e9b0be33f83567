import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../../src/errors.js';
import {parseGroups, parseLogins, parseShell, parseTemplate} from '../../../../src/operations/pam/logins.js';

function usage(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure && error.code === 'USAGE') return error;
    throw error;
  }
  return expect.fail('is taken');
}

describe('names of logins', () => {
  it('come as words and between commas, each counts once, in order', () => {
    expect(parseLogins(['bob,alice', ' carl', 'alice', '_x-1'])).to.deep.equal([
      'bob',
      'alice',
      'carl',
      '_x-1',
    ]);
    expect(parseLogins(['a'.repeat(32)])).to.deep.equal(['a'.repeat(32)]);
  });

  const WRONG: readonly (readonly [string, string])[] = [
    ['..', 'no login: ".." has "." in it'],
    ['a/b', 'no login: "a/b" has "/" in it'],
    ['Alice', 'no login: "Alice" has "A" in it'],
    ['josé', 'no login: "josé" has "é" in it'],
    ['a😀', 'no login: "a😀" has "😀" in it'],
    ['a\nb', 'no login: "a\\nb" has "\\n" in it'],
    ['a$', 'no login: "a$" has "$" in it'],
    ['alice@example.com', 'no login: "alice@example.com" has "@" in it'],
    ['1234', 'no login: "1234" begins with "1"'],
    ['-x', 'no login: "-x" begins with "-"'],
    ['', 'no login: "" is empty'],
    ['alice,', 'no login: "" is empty'],
    ['a'.repeat(33), `no login: "${'a'.repeat(33)}" has more than 32 characters`],
  ];
  for (const [word, message] of WRONG)
    it(`are not ${JSON.stringify(word)}`, () => {
      expect(usage(() => parseLogins(['good', word])).message).to.equal(message);
    });

  it('are named all at once where several are none', () => {
    const {message, detail, hint} = usage(() => parseLogins(['a.b', 'good', '9']));
    expect(message).to.equal('2 names are no logins');
    expect(detail).to.equal('"a.b" has "." in it\n"9" begins with "9"');
    expect(hint).to.contain('no account was made');
    expect(usage(() => parseLogins([])).message).to.equal('no login is named');
  });

  it('are taken exactly where they are safe words of a passwd line', () => {
    fc.assert(
      fc.property(fc.string({unit: fc.constantFrom(...'ab_-9A.:/ \n$é')}), (word) => {
        const safe = /^[a-z_][a-z0-9_-]{0,31}$/.test(word.trim()) && !word.trim().includes('\n');
        if (safe) expect(parseLogins([word])).to.deep.equal([word.trim()]);
        else usage(() => parseLogins([word]));
      }),
    );
  });
});

describe('other words of a provision', () => {
  it('are groups, of which there may be none', () => {
    expect(parseGroups(['adm, sudo', 'adm'])).to.deep.equal(['adm', 'sudo']);
    expect(parseGroups([''])).to.deep.equal([]);
  });

  it('are a template that may have a name we would not give', () => {
    for (const name of ['ubuntu', 'Alice.Smith', 'EXAMPLE\\ada', 'a@b'])
      expect(parseTemplate(name)).to.equal(name);
    for (const name of ['-x', '', 'a b', 'a:b', '../x', 'a\nb']) usage(() => parseTemplate(name));
  });

  it('are a shell with a path', () => {
    expect(parseShell('/bin/sh')).to.equal('/bin/sh');
    for (const path of ['bash', '', '/bin/a:b', '/bin/a b', '-x', '/bin/sh\n/x'])
      usage(() => parseShell(path));
  });
});
