import {execFileSync, spawnSync} from 'node:child_process';
import {chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync} from 'node:fs';
import {dirname} from 'node:path';
import {expect} from 'chai';
import {render} from '../../../src/templates.js';
import {authInfo, FLAVOURS, type Flavour, installed, PamScene} from '../../support/pam-scene.js';
import {skip} from '../../support/skip.js';
import {rawCertificate, teleportExtensions} from './user-certificates.js';

const SSH_AUTH_INFO_0 = authInfo(rawCertificate({extensions: teleportExtensions(['access'])}));
const NOBODY = 65534;
const flavours = FLAVOURS.filter(({shell: [shell = ''], tools}) => installed(shell) && installed(tools));

describe('exec script: hooks', () => {
  let scene: PamScene;
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'hooks have to be root’s');
  });
  beforeEach(() => {
    scene = new PamScene({hook: 1, phase: 4});
  });
  afterEach(() => scene?.[Symbol.dispose]());

  const run = (flavour?: Flavour) => scene.run({SSH_AUTH_INFO_0}, flavour);
  /** Names that hooks wrote down. */
  const ran = () => readdirSync(scene.at('record')).sort();
  const noting = (name: string) => scene.hook(name, `: >${scene.at('record')}/"\${0##*/}"`);

  for (const flavour of FLAVOURS) {
    describe(`in ${flavour.shell.join(' ')} with ${flavour.tools}`, () => {
      before(function () {
        const missing = [flavour.shell[0] ?? '', flavour.tools].find((program) => !installed(program));
        if (missing !== undefined) skip(this, `${missing} is not installed`);
      });

      it('one that fails is named, the others run, and the first status is the script’s', () => {
        scene.hook('10-fails', 'exit 7');
        scene.hook('20-fails', 'kill -KILL $$');
        scene.recorder();
        const {status, log, seen, shown} = run(flavour);
        expect([status, seen.length, shown]).to.deep.equal([7, 1, '']);
        expect(log).to.equal('10-fails: failed with status 7\n20-fails: failed with status 137\n');
      });

      it('one that hangs is ended with what it started, and the others run', () => {
        const late = scene.at('record/late');
        scene.hook(
          '10-hangs',
          'echo before',
          `(sleep 2; : >${late}) &`,
          'trap "" TERM',
          'sleep 60; sleep 60',
        );
        scene.recorder();
        const {status, log, seen, milliseconds} = run(flavour);
        expect([status, seen.length]).to.deep.equal([124, 1]);
        expect(log).to.equal(
          '10-hangs: before\n10-hangs: failed with status 124, which means out of time after 1 s\n',
        );
        expect(milliseconds).to.be.within(1_000, 4_500);
        spawnSync('sleep', ['0.5']);
        expect(existsSync(late)).to.equal(false);
      });

      it('what one prints goes to the log, a line each, with control characters visible', () => {
        scene.hook('10-prints', "printf 'one\\ntwo\\033[2J\\\\ \\303\\251\\n\\nno end' >&2; echo");
        expect(run(flavour)).to.include({
          status: 0,
          shown: '',
          log: '10-prints: one\n10-prints: two\\033[2J\\ \\303\\251\n10-prints: no end\n',
        });
      });

      it('one that writes 10 MB ends well, and no more than 8 kB are kept', () => {
        scene.hook(
          '10-writes',
          'head -c 10000000 /dev/zero | tr "\\000" x',
          `: >${scene.at('record')}/ended=`,
        );
        const {status, log, seen, milliseconds} = run(flavour);
        expect([status, seen.length]).to.deep.equal([0, 1]);
        expect(log.replaceAll(/^10-writes: |\n/gm, '')).to.equal(`${'x'.repeat(8192)}(the rest is cut off)`);
        expect(Math.max(...log.split('\n').map((line) => line.length))).to.be.lessThan(1_024);
        expect(milliseconds).to.be.lessThan(2_000);
      });

      it('what one writes to descriptor 3 is the user’s, byte for byte, up to 64 kB', () => {
        scene.hook('10-greets', "printf 'Hello \\033[1m\\303\\251\\n' >&3");
        scene.hook('20-floods', 'head -c 1000000 /dev/zero >&3', 'echo logged');
        const {status, log, shown} = run(flavour);
        expect([status, log]).to.deep.equal([0, '20-floods: logged\n']);
        expect(shown).to.equal(`Hello \u001b[1m\u00c3\u00a9\n${'\0'.repeat(65_536)}`);
      });
    });
  }

  it('run in the order of their names’ bytes, odd names included', () => {
    const names = ['1 two\nlines', '10-b', '9-a', 'A', 'B -x *', 'a', '-e', "'$(id)'"];
    for (const name of names) noting(name);
    for (const flavour of flavours) {
      const {status, log} = run(flavour);
      expect([status, log]).to.deep.equal([0, '']);
      expect(ran()).to.deep.equal(names.toSorted());
    }
    scene.hook('z', `ls -tr ${scene.at('record')} | tr '\\n' ,`);
    scene.hook('1 two\nlines', 'exit 1');
    expect(run().log).to.match(/^1\?two\?lines: failed with status 1\nz: /);
  });

  it('with the names of hidden files, backups and packages’ leftovers are left out in silence', () => {
    const names = [
      '.x',
      'x~',
      'x.disabled',
      'x.dpkg-dist',
      'x.dpkg-old',
      'x.rpmnew',
      'x.rpmsave',
      'x.bak',
      'x,v',
    ];
    for (const name of names) noting(name);
    expect(run()).to.include({status: 0, log: ''});
    expect(ran()).to.deep.equal([]);
  });

  it('are read nothing to, and start in /', () => {
    scene.hook('10-reads', 'cat; pwd; umask');
    expect(run().log).to.equal('10-reads: /\n10-reads: 0022\n');
  });

  describe('that others than root could change are left out with a line in the log', () => {
    const OTHERS = "x: left out, it or a directory above it is not root's alone, or a link\n";
    const refused = (log: string) => {
      for (const flavour of flavours) {
        expect(run(flavour)).to.include({status: 0, log});
        expect(ran()).to.deep.equal([]);
      }
    };

    it('owned by somebody else', () => {
      chownSync(noting('x'), NOBODY, 0);
      refused(OTHERS);
    });

    it('writable by the group, or by all', () => {
      chmodSync(noting('x'), 0o775);
      refused(OTHERS);
      chmodSync(scene.at('pam.d/open_session/x'), 0o757);
      refused(OTHERS);
    });

    it('in a directory of somebody else, or one that others can write to', () => {
      noting('x');
      chownSync(scene.at('pam.d'), NOBODY, 0);
      refused(OTHERS);
      chownSync(scene.at('pam.d'), 0, 0);
      chmodSync(scene.at('pam.d/open_session'), 0o1777);
      refused(OTHERS);
    });

    it('behind a link, by way of a directory of somebody else, also when the file itself is root’s', () => {
      const file = noting('real');
      mkdirSync(scene.at('theirs'));
      rmSync(scene.at('pam.d/open_session/x'), {force: true});
      execFileSync('mv', [file, scene.at('theirs/real')]);
      mkdirSync(scene.at('ours'));
      execFileSync('cp', ['-p', scene.at('theirs/real'), scene.at('ours/real')]);
      // Theirs, and pointing at what is ours: they choose what runs.
      symlinkSync('../ours', scene.at('theirs/way'));
      chownSync(scene.at('theirs'), NOBODY, 0);
      for (const target of ['theirs/real', 'theirs/way/real', 'ours/../theirs/real']) {
        rmSync(scene.at('pam.d/open_session/x'), {force: true});
        symlinkSync(scene.at(target), scene.at('pam.d/open_session/x'));
        refused(OTHERS);
      }
    });

    it('behind more than one link', () => {
      noting('.real');
      symlinkSync('.real', scene.at('pam.d/open_session/.link'));
      symlinkSync('.link', scene.at('pam.d/open_session/x'));
      refused(OTHERS);
    });

    it('no file at all: a directory, a pipe, a link to itself or to nothing', () => {
      const x = scene.at('pam.d/open_session/x');
      const makers = [
        () => mkdirSync(x),
        () => execFileSync('mkfifo', [x]),
        () => symlinkSync('x', x),
        () => symlinkSync('../not-there', x),
        () => symlinkSync('..', x),
      ];
      for (const make of makers) {
        make();
        refused('x: left out, no regular file\n');
        rmSync(x, {recursive: true});
      }
    });

    it('not executable', () => {
      chmodSync(noting('x'), 0o644);
      refused('x: left out, not executable\n');
    });
  });

  it('run through one link, absolute or relative', () => {
    const real = scene.write('hooks/a hook', '', 0o755).concat();
    scene.write('hooks/a hook', `#!/bin/sh\necho "$0"\n`, 0o755);
    symlinkSync('../../hooks/a hook', scene.at('pam.d/open_session/10'));
    symlinkSync(`${dirname(real)}/./a hook`, scene.at('pam.d/open_session/20'));
    for (const flavour of flavours) expect(run(flavour).log).to.equal(`10: ${real}\n20: ${real}\n`);
  });

  it('have the time of the phase for all of them together', () => {
    for (const name of ['1', '2', '3', '4', '5', '6']) scene.hook(name, 'sleep 60');
    const {status, log, milliseconds} = run();
    expect(status).to.equal(124);
    expect(log).to.match(/6: not run, the 4 s of this phase are over\n$/);
    expect(milliseconds).to.be.lessThan(8_000);
  });

  it('may leave something running that has let go of the output; what has not is waited for up to the limit', () => {
    scene.hook('10-leaves', 'sleep 3 >/dev/null 2>&1 3>&- &', 'echo done');
    expect(run().milliseconds).to.be.lessThan(900);
    scene.hook('10-leaves', 'sleep 10 &', 'echo done');
    const {status, log, milliseconds} = run();
    expect([status, log]).to.deep.equal([0, '10-leaves: done\n']);
    expect(milliseconds).to.be.within(2_500, 5_500);
  });

  it('are ended without setsid and without a logger, too, and nothing is written elsewhere', function () {
    if (!installed('busybox')) skip(this, 'busybox is not installed');
    const path = scene.path('busybox');
    rmSync(`${path}/setsid`);
    rmSync(`${path}/logger`);
    scene.hook('10-hangs', 'echo hello', 'exec sleep 60');
    scene.recorder();
    const {status, log, shown, seen, milliseconds} = run({shell: ['dash'], tools: 'busybox'});
    expect([status, log, shown, seen.length]).to.deep.equal([124, '', '', 1]);
    expect(milliseconds).to.be.lessThan(4_500);
  });
});

describe('exec script and hooks: the text', () => {
  const values = {
    directory: '/etc/agentless',
    path: '/usr/bin:/bin',
    authorities: '/etc/ssh/agentless/ca.pub',
    hookSeconds: '10',
    phaseSeconds: '30',
  };
  const texts = {
    'pam-exec': render('exec/pam-exec', values),
    ...Object.fromEntries(
      ['audit', 'groups-from-roles', 'home-directory', 'motd-by-role'].map((name) => [
        name,
        render(`exec/hooks/${name}`, {directory: values.directory}),
      ]),
    ),
  };

  for (const [name, text] of Object.entries(texts)) {
    it(`${name} says whose it is, is sh to every shell and has no finding of shellcheck`, function () {
      expect(text).to.match(/^#!\/bin\/sh\n# Managed by agentless; undo with: sudo agentless \w+\n/);
      expect(text).not.to.match(/\r|\/tmp/);
      for (const [shell = '', ...words] of FLAVOURS.map((flavour) => flavour.shell)) {
        if (installed(shell)) execFileSync(shell, [...words, '-n'], {input: text});
      }
      if (!installed('shellcheck')) skip(this, 'shellcheck is not installed');
      const {stdout, status} = spawnSync('shellcheck', ['-s', 'sh', '-'], {input: text, encoding: 'utf8'});
      expect([status, stdout]).to.deep.equal([0, '']);
    });
  }
});
