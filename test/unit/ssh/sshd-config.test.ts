import {readdirSync, readFileSync} from 'node:fs';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../src/errors.js';
import {
  accumulates,
  dialectOf,
  matchesGlob,
  parseConfig,
  parseEffective,
  quotePath,
  serialize,
  textOf,
} from '../../../src/ssh/sshd-config/index.js';

const NEW = dialectOf([9, 2]);
const OLD = dialectOf([8, 4]);
const OLDEST = dialectOf([7, 4]);
const ALL = [NEW, OLD, OLDEST, dialectOf([8, 2]), dialectOf([10, 0])];

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

/** What each line says: "keyword|arg|arg", "! problem", or "" for nothing. */
function said(text: string, dialect = NEW): string[] {
  return parseConfig(bytes(text), dialect).lines.map(({keyword, args, problem}) =>
    problem === undefined ? (keyword === undefined ? '' : [keyword, ...args].join('|')) : `! ${problem}`,
  );
}

/** Bytes with a fair chance of looking like a configuration. */
const anyBytes = fc.oneof(
  fc.uint8Array({maxLength: 200}),
  fc
    .array(
      fc.constantFrom(
        'Match all',
        'Include',
        '"',
        "'",
        '\\',
        '\n',
        '\r\n',
        '\r',
        '\0',
        '#',
        ' ',
        '=',
        '\xef\xbb\xbf',
        '\xff',
        '\t',
        'a',
      ),
    )
    .map((shreds) => bytes(shreds.join(''))),
);

describe('a configuration file as lines', () => {
  it('gives back every byte of anything at all', () => {
    fc.assert(
      fc.property(anyBytes, fc.constantFrom(...ALL), (input, dialect) => {
        expect(Buffer.from(serialize(parseConfig(input, dialect))).equals(input)).to.equal(true);
      }),
      {numRuns: 1000},
    );
  });

  for (const name of readdirSync('test/golden/sshd_config')) {
    it(`reads ${name} without a problem and gives it back`, () => {
      const stock = readFileSync(`test/golden/sshd_config/${name}`);
      const file = parseConfig(stock, NEW);
      expect(file.lines.filter(({problem}) => problem !== undefined)).to.deep.equal([]);
      expect(file.lines.some(({keyword}) => keyword !== undefined)).to.equal(true);
      expect(Buffer.from(serialize(file)).equals(stock)).to.equal(true);
    });
  }

  it('numbers lines from 1 and keeps the end of each', () => {
    const {lines} = parseConfig(bytes('# a\r\n\nPort 22'), NEW);
    expect(lines.map(({number, raw}) => [number, raw])).to.deep.equal([
      [1, '# a\r\n'],
      [2, '\n'],
      [3, 'Port 22'],
    ]);
  });

  it('reads keywords in any case, with = or blanks, quoted or not', () => {
    for (const line of [
      'Port 22',
      'port=22',
      'PORT = 22',
      '\t Port\t22 \t',
      'Port "22"',
      '"Port" 22',
      '=Port 22',
      'Port 22\f',
      'Port 22\r',
    ]) {
      for (const dialect of ALL) expect(said(line, dialect), line).to.deep.equal(['port|22']);
    }
  });

  it('passes over comments, blank lines and lines with an unfinished quote in the keyword', () => {
    const text = '# Port 1\n\n \t\r\n=#x\n==\n"\nBan"ner /x\n"" # y\n';
    for (const dialect of ALL) expect(said(text, dialect)).to.deep.equal(Array(8).fill(''));
  });

  it('lets a # begin a comment where an argument begins, or anywhere before 8.7', () => {
    const text = 'Banner /a#b #c\nBanner "/a#b"\nBanner /a # say "so';
    expect(said(text)).to.deep.equal(['banner|/a#b', 'banner|/a#b', 'banner|/a']);
    expect(said(text, OLD)).to.deep.equal(['banner|/a', 'banner', 'banner|/a']);
  });

  it('knows single quotes and backslashes from 8.7 on', () => {
    const text = `Banner '/a b'\n${String.raw`Banner /a\ b`}\n${String.raw`Banner "/a\"b\\c\d"`}`;
    expect(said(text)).to.deep.equal(['banner|/a b', 'banner|/a b', String.raw`banner|/a"b\c\d`]);
    expect(said(text, OLD).slice(0, 2)).to.deep.equal([`banner|'/a|b'`, String.raw`banner|/a\|b`]);
  });

  it('keeps a backslash before a blank inside quotes, and a second =', () => {
    expect(said(`${String.raw`Banner "/a\ b"`}\nBanner==/x\nBanner = =/x\n"Banner"=/x`)).to.deep.equal([
      String.raw`banner|/a\ b`,
      'banner|=/x',
      'banner|=/x',
      'banner|=/x',
    ]);
  });

  it('splits arguments at = and at closing quotes before 8.7, but not those of SetEnv', () => {
    const text = 'AcceptEnv A=B "C"D\nSetEnv A=B "C=D"';
    expect(said(text, OLD)).to.deep.equal(['acceptenv|A|B|C|D', 'setenv|A=B|C=D']);
    expect(said(text)).to.deep.equal(['acceptenv|A=B|CD', 'setenv|A=B|C=D']);
  });

  it('reports what sshd refuses to read', () => {
    expect(
      said('Port\nPort "22\nPo\u00a0rt 22\n\f\nMatch #\nMatch all User a\nInclude #\nInclude ""'),
    ).to.deep.equal([
      '! no argument after keyword "Port"',
      '! invalid quotes',
      '! bad configuration option: Po\u00a0rt',
      '! bad configuration option: \f',
      '! Match without criteria',
      '! Match all with further criteria',
      '! Include without a file name',
      '! Include with an empty file name',
    ]);
  });

  it('leaves missing values to each keyword before 8.7', () => {
    expect(said('AcceptEnv\nAcceptEnv A "B\nMatch "all', OLD)).to.deep.equal([
      'acceptenv',
      'acceptenv|A',
      '! Match without criteria',
    ]);
  });

  it('does not know Include before 8.2', () => {
    expect(said('Include /x', OLDEST)).to.deep.equal(['! bad configuration option: Include']);
  });

  it('reads the criteria of Match by the rules of the release', () => {
    expect(said('Match User=bob # x\nMatch "all"\nMatch \'all\'')).to.deep.equal([
      'match|User|bob',
      'match|all',
      "match|'all'",
    ]);
    expect(said("Match User=bob # x\nMatch 'all'", dialectOf([9, 9]))).to.deep.equal([
      'match|User=bob',
      'match|all',
    ]);
  });

  it('glues the next line to one with a NUL byte, as sshd does', () => {
    expect(said('Banner /a\0junk\n  b\nPort 1\0')).to.deep.equal(['', 'banner|/ab', 'port|1']);
    expect(said('# x\0\nPort 22\nPort 23')).to.deep.equal(['', '', 'port|23']);
    expect(said('# x\0\nPort 22', OLD)).to.deep.equal(['', 'port|22']);
  });

  it('passes a line with a byte order mark over where sshd does: a quote in its keyword is not closed', () => {
    const [line] = parseConfig(Buffer.from('\xef\xbb\xbfBanner"\t', 'latin1'), dialectOf([9, 2])).lines;
    expect([line?.keyword, line?.problem]).to.deep.equal([undefined, undefined]);
  });

  it('reports a byte order mark, and a lone CR as no end of line', () => {
    expect(said('\xef\xbb\xbf# x\nPort 22')).to.deep.equal([
      '! the file begins with a byte order mark',
      'port|22',
    ]);
    expect(said('Port 22\rPort 23\r')).to.deep.equal(['port|22\rPort|23']);
  });

  it('takes lines of any length from 7.8 on, and up to 4094 bytes before', () => {
    const line = (length: number) => `# ${'x'.repeat(length - 3)}\n`;
    expect(said(line(4094) + line(4095), OLDEST)).to.deep.equal(['', '! line too long']);
    const huge = `AcceptEnv ${'A '.repeat(500_000)}${' '.repeat(500_000)}`;
    expect(said(huge)[0]).to.have.lengthOf(9 + 1_000_000);
    expect(said(huge, OLD)[0]).to.have.lengthOf(9 + 1_000_000);
  }).timeout(10_000);

  it('keeps arguments as bytes, to be read as UTF-8 where they are shown', () => {
    const [line] = parseConfig(new Uint8Array(Buffer.from('Banner /é')), NEW).lines;
    expect(line?.args[0]).to.equal('/\xc3\xa9');
    expect(textOf(line?.args[0] ?? '')).to.equal('/é');
  });
});

describe('the words of sshd', () => {
  it('know which keywords add up', () => {
    const adding = ['HostCertificate', 'HostDSAKey', 'AllowUsers', 'port'];
    const first = ['TrustedUserCAKeys', 'SetEnv', 'AuthorizedKeysFile', 'PermitRootLogin', 'toString'];
    expect([...adding, ...first].filter(accumulates)).to.deep.equal(adding);
  });

  it('are read from sshd -T in any case, lists as lists', () => {
    const effective = parseEffective('Port 22\nport 2222\nBanner /a b\r\nAuthorizedKeysFile\n\n?x y\n');
    expect(effective.all('PORT')).to.deep.equal(['22', '2222']);
    expect(effective.one('banner')).to.equal('/a b\r');
    expect(effective.one('authorizedkeysfile')).to.equal('');
    expect(effective.one('hostkey')).to.equal(undefined);
    expect(effective.all('hostkey')).to.deep.equal([]);
    expect([...effective.keys()]).to.deep.equal(['port', 'banner', 'authorizedkeysfile']);
  });
});

describe('quoting a path', () => {
  const printable = fc.string({unit: fc.constantFrom(...`/ab.-é '\\=*~#[ \u00a0`)}).map((text) => `/${text}`);

  it('is undone by reading it, in every dialect', () => {
    fc.assert(
      fc.property(printable, fc.constantFrom(...ALL), (path, dialect) => {
        fc.pre(!dialect.hashCutsAnywhere || !path.includes('#'));
        const line = Buffer.from(`Banner ${quotePath(path, dialect)} "next"`);
        const args = parseConfig(new Uint8Array(line), dialect).lines[0]?.args ?? [];
        expect(args.map(textOf)).to.deep.equal([path, 'next']);
      }),
    );
  });

  it('leaves plain paths bare', () => {
    expect(quotePath('/etc/ssh/agentless/ssh_host_rsa_key-cert.pub', NEW)).to.equal(
      '/etc/ssh/agentless/ssh_host_rsa_key-cert.pub',
    );
    expect(quotePath('/etc/my ssh/x', OLD)).to.equal('"/etc/my ssh/x"');
  });

  it('fails for what no quoting can express', () => {
    const refused = (path: string, dialect = NEW) =>
      expect(() => quotePath(path, dialect), path)
        .to.throw(Failure)
        .with.property('code', 'HOST_UNSUITABLE');
    for (const path of ['', '/a"b', '/a\nb', '/a\0b']) refused(path);
    refused('/a#b', OLD);
    expect(quotePath('/a#b', NEW)).to.equal('"/a#b"');
  });
});

describe('file name patterns of Include', () => {
  const cases: readonly [pattern: string, matching: string[], others: string[]][] = [
    [
      '/d/*.conf',
      ['/d/a.conf', '/d/é.conf', '/d/a b.conf', '/d//a.conf'],
      ['/d/.a.conf', '/d/a.conf.bak', '/d/s/a.conf', '/a.conf'],
    ],
    ['/d/*', ['/d/a', '/d/x.bak'], ['/d/.a', '/d', '/d/s/a']],
    ['/d/.*', ['/d/.a'], ['/d/a']],
    ['/d/\\.*', ['/d/.a'], ['/d/a']],
    ['/d/?', ['/d/a'], ['/d/é', '/d/ab', '/d/']],
    ['/*/a', ['/d/a'], ['/.d/a', '/d/b']],
    ['/d/[0-9]*', ['/d/00-a', '/d/9'], ['/d/a0']],
    ['/d/[!0-9]*', ['/d/a0'], ['/d/00-a']],
    ['/d/[^a]', ['/d/a', '/d/^'], ['/d/b']],
    ['/d/[]a]', ['/d/]', '/d/a'], ['/d/b']],
    ['/d/[\\]x]', ['/d/]', '/d/x'], ['/d/\\']],
    ['/d/[a-]', ['/d/a', '/d/-'], ['/d/b']],
    ['/d/[[:digit:]x]', ['/d/7', '/d/x'], ['/d/a', '/d/:']],
    ['/d/[[:nonsense:]]', [], ['/d/a', '/d/n']],
    ['/d/[', ['/d/['], ['/d/a']],
    ['/d/[a-', ['/d/[a-'], ['/d/a']],
    ['/d/a\\*', ['/d/a*'], ['/d/ab']],
    ['/d/a\\', ['/d/a\\'], ['/d/a']],
    ['/d/{a,b}', ['/d/{a,b}'], ['/d/a']],
    ['/d/*a*b*', ['/d/ab', '/d/xaxbx'], ['/d/ba', '/d/a']],
    ['/d/../e/x', ['/e/x'], ['/d/x']],
  ];
  for (const [pattern, matching, others] of cases) {
    it(pattern, () => {
      const hits = [...matching, ...others].filter((path) => matchesGlob(pattern, path));
      expect(hits).to.deep.equal(matching);
    });
  }

  it('do not take long over many stars', () => {
    expect(matchesGlob(`/${'*a'.repeat(50)}b`, `/${'a'.repeat(2000)}`)).to.equal(false);
  });
});
