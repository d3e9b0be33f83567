import {mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../src/errors.js';
import {
  type Dialect,
  dialectOf,
  type Installation,
  type Placement,
  parseEffective,
  place,
  quotePath,
  removeBlock,
  settings,
  staged,
  type Tree,
  withoutOurs,
} from '../../../src/ssh/sshd-config/index.js';
import {each, RealSshd} from '../../support/real-sshd.js';
import {type Generated, soundConfig} from './sshd-config-generators.js';

const NEW = dialectOf([9, 2]);
const NO_INCLUDE = {...NEW, include: false};
const MAIN = '/etc/ssh/sshd_config';
const DROP_INS = '/etc/ssh/sshd_config.d';
const STOCK = `# stock\nInclude ${DROP_INS}/*.conf\nUsePAM yes\nMatch User x\nBanner none\n`;

const WHAT: Installation = {
  directives: ['HostCertificate /etc/ssh/agentless/a-cert.pub', 'TrustedUserCAKeys /etc/ssh/agentless/ca'],
  dropIn: '00-agentless.conf',
  fragment: '/etc/ssh/agentless/sshd.conf',
  header: ['# Managed by agentless'],
};
const OURS = [...WHAT.header, ...WHAT.directives].join('\n');

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));
const text = (content: Uint8Array | undefined) => Buffer.from(content ?? []).toString('latin1');
const block = (content: string, end = '\n') =>
  [
    '# BEGIN agentless (managed; undo with: agentless leave)',
    ...content.split('\n'),
    '# END agentless',
    '',
  ].join(end);
const INCLUDING = block(`Include ${WHAT.fragment}`);

function tree(
  main: string,
  others: Readonly<Record<string, string>> = {},
  directories: string[] = [DROP_INS],
): Tree {
  const files = Object.entries({[MAIN]: main, ...others}).map(
    ([path, content]) => [path, bytes(content)] as const,
  );
  return {main: MAIN, files: new Map(files), directories: new Set(directories)};
}

/** The tree after the placement was carried out. */
function installed(before: Tree, placement: Placement): Tree {
  const files = new Map([...before.files].filter(([path]) => !placement.stale.includes(path)));
  files.set(placement.kind === 'block' ? before.main : placement.path, placement.bytes);
  if (placement.kind === 'block' && placement.fragment)
    files.set(placement.fragment.path, placement.fragment.bytes);
  return {...before, files};
}

const told = ({kind, path}: Placement) => `${kind} ${path}`;

describe('where our lines go', () => {
  it('is a drop-in where the main file includes one early, globally and from beside itself', () => {
    const placement = place(tree(STOCK), NEW, WHAT);
    expect(told(placement)).to.equal(`drop-in ${DROP_INS}/00-agentless.conf`);
    expect(text(placement.bytes)).to.equal(`${OURS}\n`);
    expect(placement.stale).to.deep.equal([]);
  });

  const blocks: readonly [why: string, tree: Tree][] = [
    ['nothing is included', tree('UsePAM yes\n')],
    ['the Include is a comment', tree(`#Include ${DROP_INS}/*.conf\n`)],
    ['the Include stands in a Match', tree(`Match User x\nInclude ${DROP_INS}/*.conf\n`)],
    ['the Include stands again in a Match', tree(`${STOCK}Include ${DROP_INS}/*.conf\n`)],
    ['the directory is included twice', tree(`Include ${DROP_INS}/*.conf\nInclude ${DROP_INS}/*\n`)],
    ['the directory does not exist', tree(STOCK, {}, [])],
    ['our name does not fit', tree(`Include ${DROP_INS}/50-*.conf\n`)],
    ['a file of its own name is included', tree(`Include ${DROP_INS}/site.conf\n`)],
    ['the main file sets our keyword first', tree(`TrustedUserCAKeys /x\n${STOCK}`)],
    [
      'a file that sorts before any name of ours sets it',
      tree(STOCK, {[`${DROP_INS}/!.conf`]: 'TrustedUserCAKeys /x'}),
    ],
    ['a pattern before it sets it', tree(`Include /x ${DROP_INS}/*.conf`, {'/x': 'trustedusercakeys /x'})],
    ['the directory lies elsewhere', tree('Include /etc/other/*.conf\n', {}, ['/etc/other'])],
  ];
  for (const [why, before] of blocks) {
    it(`is a block at the top of the main file where ${why}`, () => {
      const placement = place(before, NEW, WHAT);
      expect(told(placement)).to.equal(`block ${MAIN}`);
      expect(text(placement.bytes)).to.equal(INCLUDING + text(before.files.get(MAIN)));
      expect(placement).to.deep.include({
        fragment: {path: WHAT.fragment, bytes: bytes(`${OURS}\n`)},
        stale: [],
      });
    });
  }

  it('never leaves the directory of a private copy of the configuration', () => {
    const copy = tree('', {'/home/x/sshd_config': STOCK}, [DROP_INS]);
    const placement = place({...copy, main: '/home/x/sshd_config'}, NEW, {
      ...WHAT,
      fragment: '/home/x/agentless/f',
    });
    expect(told(placement)).to.equal('block /home/x/sshd_config');
  });

  it('is a drop-in under /etc where the main file is the one of a vendor under /usr/etc', () => {
    const main = `Include ${DROP_INS}/*.conf\nInclude /usr/etc/ssh/sshd_config.d/*.conf\n`;
    const vendor = {...tree('', {'/usr/etc/ssh/sshd_config': main}), main: '/usr/etc/ssh/sshd_config'};
    expect(told(place(vendor, NEW, WHAT))).to.equal(`drop-in ${DROP_INS}/00-agentless.conf`);
    const bare = {...vendor, directories: new Set<string>()};
    expect(() => place(bare, NEW, WHAT))
      .to.throw(Failure, 'belongs to a package')
      .with.property('code', 'HOST_UNSUITABLE');
  });

  it('is where a symbolic link leads, for a block', () => {
    expect(told(place({...tree('Port 1\n'), mainTarget: '/srv/sshd_config'}, NEW, WHAT))).to.equal(
      'block /srv/sshd_config',
    );
  });

  it('has a name that sorts first where it has to', () => {
    const name = (...earlier: string[]) => {
      const others = earlier.map((other) => [`${DROP_INS}/${other}`, 'TrustedUserCAKeys /x'] as const);
      return place(tree(STOCK, Object.fromEntries(others)), NEW, WHAT).path.slice(DROP_INS.length + 1);
    };
    expect(name('00-b.conf', '50-x.conf')).to.equal('00-agentless.conf');
    expect(name('00-CIS.conf')).to.equal('00--agentless.conf');
    expect(name('00-+.conf')).to.equal('0-agentless.conf');
    expect(name('0-Z.conf')).to.equal('0--agentless.conf');
    const harmless = tree(STOCK, {
      [`${DROP_INS}/00-CIS.conf`]: 'HostCertificate /x\nMatch all\nTrustedUserCAKeys /y',
    });
    expect(place(harmless, NEW, WHAT).path).to.equal(`${DROP_INS}/00-agentless.conf`);
  });

  it('is the main file itself where sshd does not know Include, with the line ends of that file', () => {
    const placement = place(tree('# x\r\nPort 1\r\n'), NO_INCLUDE, WHAT);
    expect(placement).to.not.have.property('fragment');
    expect(text(placement.bytes)).to.equal(`${block(OURS, '\r\n')}# x\r\nPort 1\r\n`);
  });

  it('is the main file itself where an included file would open a port more', () => {
    const focal = dialectOf([8, 2]);
    expect(told(place(tree(STOCK), focal, WHAT))).to.match(/^drop-in/);
    expect(told(place(tree(`${STOCK}Port 22\n`), focal, WHAT))).to.match(/^drop-in/);
    const placement = place(tree(`${STOCK}Match all\nPort 2222\n`), focal, WHAT);
    expect(text(placement.bytes)).to.match(/^# BEGIN agentless.*\n# Managed by agentless\nHostCertificate/);
    expect(told(place(tree('Include sshd_config.d/*.conf\n'), focal, WHAT))).to.equal(`block ${MAIN}`);
  });

  it('names a fragment with blanks and pattern characters exactly', () => {
    const fragment = '/etc/ssh/my [x]/sshd é.conf';
    const placement = place(tree('Port 1\n'), NEW, {...WHAT, fragment});
    expect(Buffer.from(placement.bytes).toString()).to.contain(
      '\nInclude "/etc/ssh/my \\\\[x]/sshd é.conf"\n',
    );
    expect(place(installed(tree('Port 1\n'), placement), NEW, {...WHAT, fragment})).to.deep.equal(placement);
  });

  it('fails where there is no main file, or one with a byte order mark', () => {
    expect(() => place({main: MAIN, files: new Map()}, NEW, WHAT))
      .to.throw(Failure)
      .with.property('code', 'HOST_UNSUITABLE');
    expect(() => place(tree('\xef\xbb\xbfPort 1'), NEW, WHAT))
      .to.throw(Failure)
      .with.property('code', 'SSHD_CONFIG_INVALID');
  });
});

describe('placing again', () => {
  const longer = {...WHAT, directives: ['HostCertificate /new', ...WHAT.directives]};

  it('updates a drop-in where it is, under the name it has', () => {
    const path = `${DROP_INS}/0-agentless.conf`;
    const before = tree(STOCK, {[path]: 'HostCertificate /old\n'});
    const placement = place(before, NEW, longer);
    expect(placement.path).to.equal(path);
    expect(text(placement.bytes)).to.contain('HostCertificate /new\n');
    expect(placement.stale).to.deep.equal([]);
  });

  it('drops what is in the wrong place, and a second one', () => {
    const paths = [`${DROP_INS}/00-agentless.conf`, `${DROP_INS}/0-agentless.conf`] as const;
    const others = {[paths[0]]: OURS, [paths[1]]: OURS};
    expect(
      place(tree(STOCK, {[paths[0]]: OURS, [`${DROP_INS}/00-A.conf`]: 'TrustedUserCAKeys /x'}), NEW, WHAT),
    ).to.deep.include({
      path: `${DROP_INS}/00--agentless.conf`,
      stale: [paths[0]],
    });
    expect(place(tree(STOCK, others), NEW, WHAT)).to.deep.include({path: paths[0], stale: [paths[1]]});
    const moved = place(tree(`TrustedUserCAKeys /x\n${STOCK}`, others), NEW, WHAT);
    expect(moved).to.deep.include({kind: 'block', stale: [...paths]});
  });

  it('updates a block where it stands while that is a good place, else at the top', () => {
    const at = (main: string, what = WHAT, dialect: Dialect = NEW) =>
      text(place(tree(main), dialect, what).bytes);
    expect(at(`Port 1\n${INCLUDING}${STOCK}`)).to.equal(`Port 1\n${INCLUDING}${STOCK}`);
    expect(at(`Port 1\n${INCLUDING}${STOCK}`, WHAT, NO_INCLUDE)).to.equal(`Port 1\n${block(OURS)}${STOCK}`);
    expect(at(`Port 1\n${block(OURS)}${STOCK}`, longer, NO_INCLUDE)).to.contain('Port 1\n# BEGIN');
    expect(at(`TrustedUserCAKeys /x\n${INCLUDING}`)).to.equal(`${INCLUDING}TrustedUserCAKeys /x\n`);
    expect(at(`${STOCK}${block(OURS)}`, WHAT, NO_INCLUDE)).to.equal(block(OURS) + STOCK);
    const certificate = {...WHAT, directives: ['HostCertificate /x']};
    expect(at(`${STOCK}${INCLUDING}`, certificate)).to.equal(INCLUDING + STOCK);
    expect(at(`Port 1\n${INCLUDING}${block('')}`)).to.equal(`${INCLUDING}Port 1\n`);
    expect(at(`Port 1\n${INCLUDING}${INCLUDING}`)).to.equal(`${INCLUDING}Port 1\n`);
  });

  it('changes nothing, over any tree', () => {
    fc.assert(
      fc.property(
        soundConfig(NEW),
        fc.constantFrom(NEW, NO_INCLUDE),
        fc.boolean(),
        (generated, dialect, early) => {
          const before = generatedTree(generated, '/g', early);
          const first = place(before, dialect, WHAT);
          expect(place(installed(before, first), dialect, WHAT)).to.deep.equal({...first, stale: []});
        },
      ),
      {numRuns: 200},
    );
  });
});

describe('taking our lines out again', () => {
  const lines = fc.constantFrom(
    '# BEGIN agentless',
    '# END agentless',
    'Port 1',
    'Match all',
    '',
    '#\0',
    '\xff',
    '# BEGIN agentlessly',
  );
  const withMarks = fc
    .tuple(fc.array(lines, {maxLength: 6}), fc.constantFrom('\n', '\r\n', '\r'), fc.boolean())
    .map(([all, end, finished]) => all.join(end) + (finished ? end : ''));
  const anything = fc.oneof(fc.uint8Array({maxLength: 100}), withMarks.map(bytes));

  it('gives back every byte of any file that had no block', () => {
    fc.assert(
      fc.property(anything, fc.constantFrom(NEW, NO_INCLUDE, dialectOf([7, 4])), (main, dialect) => {
        fc.pre(!text(main).startsWith('\xef\xbb\xbf') && Buffer.from(removeBlock(main)).equals(main));
        const placement = place({main: MAIN, files: new Map([[MAIN, main]])}, dialect, WHAT);
        expect(Buffer.from(placement.bytes).equals(main)).to.equal(false);
        expect(text(removeBlock(placement.bytes))).to.equal(text(main));
      }),
      {numRuns: 500},
    );
  });

  it('leaves marks alone that do not make a block', () => {
    const main = '# END agentless\nPort 1\n# BEGIN agentless\nPort 2\n';
    expect(text(removeBlock(bytes(main)))).to.equal(main);
    expect(text(removeBlock(bytes(`${main}# BEGIN agentless\nX\n# END agentless`)))).to.equal(main);
  });

  it('names the lines of others by their numbers in the files as they are', () => {
    fc.assert(
      fc.property(
        soundConfig(NEW),
        fc.boolean(),
        fc.constantFrom(NEW, NO_INCLUDE),
        (generated, early, dialect) => {
          const before = generatedTree(generated, '/etc/ssh', early);
          expectTrueLines(before, installed(before, place(before, dialect, WHAT)), dialect);
        },
      ),
      {numRuns: 200},
    );
  });

  it('shows the tree as it would be without us', () => {
    const before = tree(`${INCLUDING}${STOCK}`, {
      [`${DROP_INS}/00-agentless.conf`]: OURS,
      [`${DROP_INS}/1.conf`]: '',
    });
    const after = withoutOurs(before);
    expect([...after.files].map(([path, content]) => [path, text(content)])).to.deep.equal([
      [MAIN, `\n\n\n${STOCK}`],
      [`${DROP_INS}/1.conf`, ''],
    ]);
  });
});

/** The settings of others are those of before, each on the line that it has now. */
function expectTrueLines(before: Tree, after: Tree, dialect: Dialect): void {
  const [was, is] = [settings(before, dialect), settings(withoutOurs(after), dialect)];
  const words = (all: typeof was) => all.map(({keyword, args, file}) => [keyword, args, file]);
  expect(words(is)).to.deep.equal(words(was));
  for (const {file, line, raw, scope} of is) {
    const lines = text(after.files.get(file)).split('\n');
    expect(lines[line - 1]?.replace(/\r$/, '')).to.equal(raw);
    if (scope) expect(text(after.files.get(scope.file)).split('\n')[scope.line - 1]).to.match(/match/i);
  }
}

/** A generated configuration as a tree, with an Include of drop-ins of its own: early, or at the end. */
function generatedTree(generated: Generated, directory: string, early: boolean): Tree {
  const include = `Include ${directory}/sshd_config.d/*.conf\n`;
  const main = early ? include + generated.main : `${generated.main}\n${include}`;
  const files = [
    ['sshd_config', main],
    ['sshd_config.d/50 [x].conf', 'AcceptEnv FIFTY\nMatch User bob\nBanner /fifty'],
    ['sshd_config.d/00-CIS.conf', 'AcceptEnv CIS\nMaxSessions 77'],
    ...generated.files,
  ] as const;
  return {
    main: join(directory, 'sshd_config'),
    files: new Map(
      files.map(([name, content]) => [join(directory, name), bytes(content.replaceAll('%DIR%', directory))]),
    ),
  };
}

describe('a staged main file', function () {
  this.timeout(300_000);
  let sshd: RealSshd;
  before(() => {
    sshd = new RealSshd();
  });
  after(() => sshd.remove());

  function write(files: Iterable<readonly [string, Uint8Array]>): void {
    for (const [path, content] of files) {
      mkdirSync(dirname(path), {recursive: true});
      writeFileSync(path, content);
    }
  }

  /** sshd -T for the tree as it is, as staged, and as installed: one after the other, in the same directory. */
  async function threeAnswers(before: Tree, dialect: Dialect, what: Installation, connection = '') {
    const placement = place(before, dialect, what);
    const candidate = join(dirname(before.main), 'private', 'candidate');
    write([...before.files, [candidate, staged(before, placement, dialect)]]);
    const today = await sshd.test(before.main, connection);
    const rehearsed = await sshd.test(candidate, connection);
    write(installed(before, placement).files);
    return {placement, today, rehearsed, real: await sshd.test(before.main, connection)};
  }

  const whatIn = (directory: string, dialect: Dialect): Installation => ({
    directives: [
      `HostCertificate ${quotePath(join(directory, 'a-cert.pub'), dialect)}`,
      `TrustedUserCAKeys ${quotePath(join(directory, 'ca é'), dialect)}`,
    ],
    dropIn: '00-agentless.conf',
    fragment: join(directory, 'agentless [x]', 'sshd.conf'),
    header: ['# Managed by agentless'],
  });

  it('means to sshd what the installed tree will mean, and our lines are all that changes', async () => {
    // A fixed seed, so that a red run means the change and not the dice; SEED=$(date +%s) looks further.
    const seed = Number(process.env['SEED'] ?? 20261121);
    const {dialect} = sshd;
    const choices = fc.tuple(
      soundConfig(dialect),
      fc.boolean(),
      fc.constantFrom(dialect, {...dialect, include: false}),
    );
    const samples = fc.sample(choices, {numRuns: 150, seed}).map((sample, number) => ({sample, number}));
    const kinds = new Set<string>();
    await each(samples, 3, async ({sample: [generated, early, used], number}) => {
      const directory = join(sshd.directory, String(number));
      const before = generatedTree(generated, directory, early && dialect.include);
      const what = whatIn(directory, dialect);
      const {placement, today, rehearsed, real} = await threeAnswers(
        before,
        used,
        what,
        generated.connection,
      );
      const story = `SEED=${seed} ${JSON.stringify({...generated, files: [...generated.files]})}\n${real.errors}`;
      expect(rehearsed.accepted, story).to.equal(today.accepted);
      expect(real.accepted, story).to.equal(today.accepted);
      expect(rehearsed.text, story).to.equal(real.text);
      if (!real.accepted) return;
      kinds.add(`${placement.kind} ${'fragment' in placement}`);
      const [old, now] = [parseEffective(today.text), parseEffective(real.text)];
      for (const keyword of [...old.keys()].filter(
        (name) => !/^(hostcertificate|trustedusercakeys)$/i.test(name),
      )) {
        expect(now.all(keyword), `${keyword} ${story}`).to.deep.equal(old.all(keyword));
      }
      expect(now.all('hostcertificate'), story).to.have.members([
        join(directory, 'a-cert.pub'),
        ...old.all('hostcertificate'),
      ]);
    });
    if (dialect.include)
      expect([...kinds].sort()).to.deep.equal(['block false', 'block true', 'drop-in false']);
  });

  for (const name of readdirSync('test/golden/sshd_config')) {
    it(`is right for ${name}, whose bytes come back afterwards`, async function () {
      if (!sshd.dialect.include) return this.skip();
      const directory = join(sshd.directory, name);
      const stock = text(readFileSync(`test/golden/sshd_config/${name}`));
      const main = stock
        .replaceAll('/usr/etc/ssh', '/nowhere')
        .replaceAll('/etc/ssh/sshd_config.d', `${directory}/sshd_config.d`);
      const before: Tree = {
        main: join(directory, 'sshd_config'),
        files: new Map([
          [join(directory, 'sshd_config'), bytes(main)],
          [join(directory, 'sshd_config.d/50-cloud-init.conf'), bytes('PasswordAuthentication no\n')],
        ]),
      };
      const what = whatIn(directory, sshd.dialect);
      const {placement, today, rehearsed, real} = await threeAnswers(before, sshd.dialect, what);
      expect(today.accepted, today.errors).to.equal(true);
      expect(rehearsed.text).to.equal(real.text);
      expect(parseEffective(real.text).one('trustedusercakeys')).to.equal(
        Buffer.from(join(directory, 'ca é')).toString('latin1'),
      );
      const after = installed(before, placement);
      expect(text(removeBlock(after.files.get(before.main) ?? bytes('')))).to.equal(main);
      expectTrueLines(before, after, sshd.dialect);
    });
  }

  it('leaves out drop-ins of ours that are going', async () => {
    const directory = join(sshd.directory, 'moving');
    const drop = (name: string) => join(directory, 'sshd_config.d', name);
    const before: Tree = {
      main: join(directory, 'sshd_config'),
      files: new Map([
        [
          join(directory, 'sshd_config'),
          bytes(`Include ${drop('*.conf')} ${drop('none')}\nMatch User x\nInclude ${drop('5*')}\n`),
        ],
        [drop('00-agentless.conf'), bytes('HostCertificate /old\n')],
        [drop('00-A.conf'), bytes('TrustedUserCAKeys /theirs\n')],
        [drop('50.conf'), bytes('Banner /x\n')],
      ]),
    };
    const placement = place(before, NEW, WHAT);
    expect(text(staged(before, placement, NEW))).to.equal(
      `${OURS}\nInclude ${drop('00-A.conf')}\nInclude ${drop('50.conf')}\nMatch User x\nInclude ${drop('5*')}\n`,
    );
    const blocked = place(
      {...before, files: new Map([...before.files, [drop('!.conf'), bytes('TrustedUserCAKeys /y')]])},
      NEW,
      WHAT,
    );
    expect(blocked).to.deep.include({kind: 'block', stale: [drop('00-agentless.conf')]});
    expect(text(staged(before, blocked, NEW))).to.equal(
      `${block(OURS)}Include ${drop('00-A.conf')}\nInclude ${drop('50.conf')}\nMatch User x\nInclude ${drop('5*')}\n`,
    );
  });
});
