import {expect} from 'chai';
import {
  allOf,
  appliesToAll,
  type Dialect,
  dialectOf,
  firstGlobal,
  includePatterns,
  inMatches,
  problems,
  settings,
  type Tree,
  winning,
} from '../../../src/ssh/sshd-config/index.js';

const NEW = dialectOf([9, 2]);
const MAIN = '/etc/ssh/sshd_config';
const bytes = (text: string) => new Uint8Array(Buffer.from(text));

function tree(files: Readonly<Record<string, string>>): Tree {
  return {main: MAIN, files: new Map(Object.entries(files).map(([path, text]) => [path, bytes(text)]))};
}

/** "file:line keyword args [criteria]" for each setting, files by their last name. */
function told(files: Readonly<Record<string, string>>, dialect: Dialect = NEW): string[] {
  return settings(tree(files), dialect).map(({keyword, args, file, line, scope}) => {
    const blocks: string[] = [];
    for (let block = scope; block !== undefined; block = block.within) blocks.push(`[${block.criteria}]`);
    return [`${file.split('/').at(-1)}:${line}`, keyword, ...args, ...blocks].join(' ');
  });
}

function faults(files: Readonly<Record<string, string>>, dialect: Dialect = NEW): string[] {
  return problems(tree(files), dialect).map(({file, line, message}) => `${file}:${line} ${message}`);
}

describe('a tree of included files', () => {
  it('is read in the order of the bytes of the paths, each file where its Include stands', () => {
    const names = ['B', 'a', '9', '10', '50-z', '_x'];
    const drops = names.map((name) => [`/etc/ssh/d/${name}.conf`, `AcceptEnv ${name}`] as const);
    expect(told({[MAIN]: 'Port 1\nInclude d/*.conf\nPort 2', ...Object.fromEntries(drops)})).to.deep.equal([
      'sshd_config:1 port 1',
      ...['10', '50-z', '9', 'B', '_x', 'a'].map((name) => `${name}.conf:1 acceptenv ${name}`),
      'sshd_config:3 port 2',
    ]);
  });

  it('takes several patterns in their order, quoted and with blanks', () => {
    const files = {
      [MAIN]: 'Include "/b c/x" /a/*',
      '/a/1': 'Port 1',
      '/b c/x': 'Port 2',
      '/a/.hidden': 'Port 3',
    };
    expect(told(files)).to.deep.equal(['x:1 port 2', '1:1 port 1']);
  });

  it('ends a Match with its file and puts included lines in the Match of their Include', () => {
    const files = {
      [MAIN]: 'Include /x\nBanner /1\nMatch User bob\nInclude /x\nMaxSessions 2\nMatch all\nMaxSessions 3',
      '/x': 'UseDNS no\nMatch Address 10.0.0.0/8\nBanner /2',
    };
    expect(told(files)).to.deep.equal([
      'x:1 usedns no',
      'x:3 banner /2 [Address 10.0.0.0/8]',
      'sshd_config:2 banner /1',
      'x:1 usedns no [User bob]',
      'x:3 banner /2 [Address 10.0.0.0/8] [User bob]',
      'sshd_config:5 maxsessions 2 [User bob]',
      'sshd_config:7 maxsessions 3 [all]',
    ]);
  });

  it('names the block of a setting by file and line, and the line as it stands', () => {
    const [setting] = settings(tree({[MAIN]: '# x\nMATCH ALL\n\tBanner  /x # y\r\n'}), NEW);
    expect(setting).to.deep.equal({
      keyword: 'banner',
      args: ['/x'],
      raw: '\tBanner  /x # y',
      file: MAIN,
      line: 3,
      scope: {criteria: 'all', file: MAIN, line: 2},
    });
  });

  it('lists the patterns a reader has to expand, relative ones under /etc/ssh', () => {
    const text = 'Include d/*.conf /x/../y\nMatch all\ninclude "~/z" "/\u00e9 w/*"\n#Include /no\nPort 1';
    expect(includePatterns(bytes(text), NEW)).to.deep.equal(['/etc/ssh/d/*.conf', '/y', '/é w/*']);
    expect(includePatterns(bytes(text), dialectOf([8, 2]))).to.deep.equal(['/y', '/é w/*']);
    expect(includePatterns(bytes(text), dialectOf([7, 9]))).to.deep.equal([]);
  });

  it('reports a file that includes itself, at the line of the Include, and does not hang', () => {
    expect(faults({[MAIN]: `\nInclude ${MAIN}\nPort 1`})).to.deep.equal([
      `${MAIN}:2 Include loops: ${MAIN} is being read already`,
    ]);
    expect(faults({[MAIN]: 'Include /a', '/a': 'Include /b', '/b': 'Port 1\nInclude /?'})).to.deep.equal([
      '/b:2 Include loops: /a is being read already',
      '/b:2 Include loops: /b is being read already',
    ]);
  });

  it('follows Include 16 files deep, not 17', () => {
    const chain = (length: number) =>
      Object.fromEntries(Array.from({length}, (_, i) => [`/${i + 1}`, `Include /${i + 2}`]));
    expect(faults({[MAIN]: 'Include /1', ...chain(15), '/16': 'Port 1'})).to.deep.equal([]);
    expect(faults({[MAIN]: 'Include /1', ...chain(16), '/17': 'Port 1'})).to.deep.equal([
      '/16:1 too many recursive configuration includes',
    ]);
  });

  it('stops at a tree that fans out without end', () => {
    const fan = Array.from(
      {length: 15},
      (_, i) => [`/${i}`, `Include /${i + 1}\nInclude /${i + 1}\n`] as const,
    );
    expect(faults({[MAIN]: 'Include /0', ...Object.fromEntries(fan), '/15': ''})[0]).to.contain(
      'too many files',
    );
  });

  it('reports lines that cannot be read, and has no settings without a main file', () => {
    expect(faults({[MAIN]: 'Include /a', '/a': 'Port\nPort "1'})).to.deep.equal([
      '/a:1 no argument after keyword "Port"',
      '/a:2 invalid quotes',
    ]);
    expect(settings(tree({}), NEW)).to.deep.equal([]);
  });
});

describe('who wins', () => {
  const all = settings(
    tree({
      [MAIN]: [
        'PubkeyAcceptedKeyTypes a',
        'HostCertificate /1',
        'Match User x',
        'TrustedUserCAKeys /x',
        'Match all',
        'HostCertificate /2',
        'TrustedUserCAKeys /all',
        'PubkeyAcceptedAlgorithms b',
        'Include /f',
      ].join('\n'),
      '/f': 'Match User y\nTrustedUserCAKeys /y',
    }),
    NEW,
  );
  const values = (found: readonly {args: readonly string[]}[]) => found.map(({args}) => args[0]);

  it('is the first global line, whatever a Match says', () => {
    expect(firstGlobal(all, 'TrustedUserCAKeys')).to.equal(undefined);
    expect(firstGlobal(all, 'pubkeyacceptedalgorithms')?.line).to.equal(1);
  });

  it('are all lines for keywords that add up, those under Match all included', () => {
    expect(values(allOf(all, 'hostcertificate'))).to.deep.equal(['/1', '/2']);
  });

  it('are lines in Match blocks for those who match', () => {
    expect(values(inMatches(all, 'trustedusercakeys'))).to.deep.equal(['/x', '/all', '/y']);
    expect(inMatches(all, 'trustedusercakeys').map(({scope}) => appliesToAll(scope))).to.deep.equal([
      false,
      true,
      false,
    ]);
  });

  it('is Match all before a global line in what sshd -T shows', () => {
    expect(winning(all, 'pubkeyacceptedalgorithms')?.args).to.deep.equal(['b']);
    expect(winning(all, 'hostkeyalgorithms')).to.equal(undefined);
  });
});
