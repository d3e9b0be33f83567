// A host behind ssh that has another time than this machine, or finds an address elsewhere.

import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {Namespace} from '../support/namespace.js';
import {canFakeTime, resetClock, setClock} from '../support/other-clock.js';
import {useRemoteSystem} from '../support/remote-system.js';
import {skip} from '../support/skip.js';
import {envelope} from '../support/stage.js';
import type {Answer} from '../support/system-stage.js';

describe('a host behind ssh', function () {
  this.timeout(120_000);
  const system = useRemoteSystem();
  const stage = () => system().stage;

  describe('whose clock is', () => {
    before(function () {
      if (!canFakeTime()) skip(this, 'no faketime');
    });
    afterEach(() => resetClock(stage().space));

    const clockWarnings = ({warnings}: Answer) => warnings.filter((text) => text.includes('clock'));
    const CLOCKS = /^the clock of \S+ says (\S+) and ours (\S+?): /;

    function expectClocks(text: string | undefined, apart: number): void {
      const [, theirs = '', ours = ''] = CLOCKS.exec(text ?? '') ?? [];
      expect((Date.parse(theirs) - Date.parse(ours)) / 1000, text).to.be.closeTo(apart, 5);
    }

    it('half a minute off is joined without a word', async () => {
      setClock(stage().space, '-30s');
      const joined = await system().join();
      expect(joined.exit, JSON.stringify(joined)).to.equal(0);
      expect(clockWarnings(joined)).to.deep.equal([]);
    });

    for (const [name, by, apart] of [
      ['ten minutes ahead', '+10m', 600],
      ['two days ahead', '+2d', 172_800],
    ] as const) {
      it(`${name} is joined with a warning that has both times`, async () => {
        setClock(stage().space, by);
        const joined = await system().join(['--prove-login', 'root']);
        expect(joined.exit, JSON.stringify(joined)).to.equal(0);
        expect(clockWarnings(joined).length).to.equal(1);
        expectClocks(clockWarnings(joined)[0], apart);
        const again = await system().join();
        expect([again.exit, again.changed], JSON.stringify(again)).to.deep.equal([0, false]);
        const left = await system().leave();
        expect(left.exit, JSON.stringify(left)).to.equal(0);
        expect(await stage().etc('ssh')).to.deep.equal(await stage().stock('ssh'));
      });
    }

    for (const [name, by, apart] of [
      ['ten minutes behind', '-10m', -600],
      ['two days behind', '-2d', -172_800],
    ] as const) {
      it(`${name} refuses certificates of now: a rehearsed login shows it, and the hint says why`, async () => {
        setClock(stage().space, by);
        const before = await stage().etc('ssh');
        for (const words of [[], ['--no-pam', '--prove-login', 'root']]) {
          const joined = await system().join(words);
          const said = JSON.stringify(joined);
          expect([joined.exit, joined.error?.code], said).to.deep.equal([6, 'REHEARSAL_FAILED']);
          expect(joined.error?.message).to.equal('root would be refused');
          expect(joined.error?.detail).to.equal('sshd says: Certificate invalid: not yet valid');
          expectClocks(joined.error?.hint, apart);
          expectClocks(clockWarnings(joined)[0], apart);
          expect(await stage().etc('ssh')).to.deep.equal(before);
        }
      });
    }

    it('behind, and no login is tried: there is the warning', async () => {
      setClock(stage().space, '-10m');
      const joined = await system().join(['--no-pam']);
      expect(joined.exit, JSON.stringify(joined)).to.equal(0);
      expectClocks(clockWarnings(joined)[0], -600);
    });
  });

  describe('that finds the name of its address', () => {
    /** Where the command is run: with names of its own, as the host has them. */
    let here: Namespace;

    before(async function () {
      const space = await Namespace.start();
      if (space === undefined) skip(this, 'no private mount namespace to be had');
      here = space;
      const found = execFileSync('sh', ['-c', 'command -v getent || :'], {encoding: 'utf8'});
      if (found === '') skip(this, 'no getent');
    });
    after(() => here?.stop());

    const NAME = 'web1.agentless.test';

    async function joining(ours: string, theirs: string): Promise<readonly string[]> {
      const place = (space: Namespace, lines: string) =>
        space.run('sh', '-c', `{ echo '127.0.0.1 localhost'; printf '%b' "$1"; } >/etc/hosts`, 'sh', lines);
      place(here, ours);
      place(stage().space, theirs);
      const words = stage().words.map((word) => (word === `127.0.0.1:${stage().port}` ? NAME : word));
      const options = {input: stage().cluster.token, prefix: here.prefix};
      const joined = envelope(await agentless([...words, ...system().there, '--dry-run', '--json'], options));
      expect(joined.exit, JSON.stringify(joined)).to.equal(0);
      return joined.warnings.filter((text) => text.includes(NAME));
    }

    it('elsewhere is told so', async () => {
      const ours = `192.0.2.5 ${NAME}\\n`;
      const theirs = `192.0.2.6 ${NAME}\\n2001:db8::6 ${NAME}\\n127.0.1.1 ${NAME}\\n`;
      const [warning, ...others] = await joining(ours, theirs);
      expect(warning).to.match(
        new RegExp(
          `^${NAME} is 192\\.0\\.2\\.5 here and 192\\.0\\.2\\.6(, 2001:db8::6)? on the host; the proxy dials what it finds itself$`,
        ),
      );
      expect(others).to.deep.equal([]);
    });

    it('at the same address, or one of them, is not', async () => {
      const ours = `192.0.2.5 ${NAME}\\n`;
      expect(await joining(ours, ours)).to.deep.equal([]);
      expect(await joining(ours, `192.0.2.6 ${NAME}\\n${ours}`)).to.deep.equal([]);
    });

    it('on its own loopback, or not at all, is not', async () => {
      const ours = `192.0.2.5 ${NAME}\\n`;
      expect(await joining(ours, `127.0.1.1 ${NAME}\\n`)).to.deep.equal([]);
      expect(await joining(ours, '')).to.deep.equal([]);
      expect(await joining('', ours)).to.deep.equal([]);
    });
  });
});
