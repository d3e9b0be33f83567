// Signals sent to the real program at every stage of a real join, and death without notice at any moment.

import {existsSync, readdirSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {servedKeys} from '../support/served-keys.js';
import {signalled} from '../support/signalled.js';
import {Stage} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

type Host = Awaited<ReturnType<Stage['host']>>;

const STAGES = ['look', 'cluster', 'rehearse', 'identity', 'write', 'reload', 'prove', 'register'] as const;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a join that is interrupted', function () {
  this.timeout(120_000);
  let stage: Stage;
  let untouched: Host;
  let keys: ReadonlySet<string>;

  async function fresh(): Promise<void> {
    stage = await Stage.quick();
    untouched = await stage.host();
    keys = await servedKeys(stage.sshd.port);
  }

  /** The host is as before, and sshd serves what it served before. */
  async function expectBefore(what: string): Promise<void> {
    expect(await stage.host(), what).to.deep.equal(untouched);
    expect(existsSync(stage.dataDir), what).to.equal(false);
    expect(stage.cluster.nodes(), what).to.deep.equal([]);
    expect(await servedKeys(stage.sshd.port), what).to.deep.equal(keys);
  }

  async function expectJoined(what: string): Promise<void> {
    expect(stage.cluster.nodes(), what).to.have.length(1);
    const login = await stage.loginByCertificate('web1');
    expect(login.stdout, `${what}: ${login.stderr}`).to.equal('hello\n');
  }

  describe('by a signal', () => {
    before(fresh);
    after(() => stage.stop());

    for (const [index, name] of STAGES.entries()) {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) {
        // What follows a stage that has been told is the same for both; before the end one of them each will do.
        if (index < 3 && index % 2 === (signal === 'SIGINT' ? 1 : 0)) continue;
        if (name === 'register' && signal === 'SIGINT') continue;
        it(`${signal} after ${name}`, async () => {
          const {status, stderr, stdout} = await signalled(
            (options) => stage.join([], options),
            signal,
            name,
          );
          const said = `${stdout}${stderr}`;
          expect(said).to.not.include(stage.cluster.token);
          // A record that is being written when the signal comes is written: the join is done then.
          // A process that is ending anyhow is ended by the signal.
          if (status === 0 || (status === null && stdout.includes('Joined.'))) {
            expect(name, said).to.be.oneOf(['prove', 'register']);
            expect(said).to.match(/^ {2}register /m);
            await expectJoined(name);
            await stage.stop();
            return fresh();
          }
          expect(status, said).to.equal(130);
          expect(stderr).to.match(/^error: interrupted/m);
          if (['write', 'reload', 'prove'].includes(name))
            expect(stderr).to.include('everything is as it was before');
          await expectBefore(name);
        });
      }
    }

    it('says so in JSON, too', async () => {
      const {stdout, status} = await stage.join(['--json'], {
        started: (_, kill) => setTimeout(() => kill('SIGTERM'), 250),
      });
      if (status === 143 || stdout === '') return;
      const {error} = JSON.parse(stdout) as {error?: {code: string; hint?: string}};
      expect([status, error?.code]).to.deep.equal([130, 'INTERRUPTED']);
      expect(error?.hint).to.be.a('string');
    });
  });

  describe('by SIGKILL', () => {
    before(fresh);
    after(() => stage.stop());

    const ROUNDS = 12;
    const leftIn = (directory: string, pid: number) =>
      readdirSync(directory).filter((name) => name.includes(`-${pid}-`) && name.startsWith('agentless-'));

    it('in a rehearsal: the next one takes away what is left of it', async () => {
      const parent = process.getuid?.() === 0 ? '/run' : '/tmp';
      let left: string[] = [];
      let killed = 0;
      for (let attempt = 0; left.length === 0 && attempt < 10; attempt += 1) {
        await stage.join(['--dry-run'], {
          started: (pid) => {
            killed = pid;
          },
          onStderr: (text) => {
            if (text.includes('  cluster '))
              setTimeout(() => process.kill(killed, 'SIGKILL'), 20 + attempt * 20);
          },
        });
        left = leftIn(parent, killed);
      }
      expect(left, 'none was killed while it rehearsed').to.have.length(1);
      expect((await stage.join(['--dry-run'])).status).to.equal(0);
      expect(leftIn(parent, killed)).to.deep.equal([]);
      await expectBefore('rehearsal');
    });

    it(`${ROUNDS} times at any moment: a dry run puts everything back, a join finishes`, async () => {
      const start = performance.now();
      expect((await stage.join(['--dry-run'])).status).to.equal(0);
      const duration = (performance.now() - start) * 1.6;
      const outcomes = new Set<string>();
      for (let round = 0; round < ROUNDS; round += 1) {
        let killed = 0;
        let end = (): void => undefined;
        const {status} = await stage.join([], {
          started: (pid, kill) => {
            killed = pid;
            end = () => kill('SIGKILL');
            if (round % 3 !== 2) setTimeout(end, duration * ((round + 1) / ROUNDS));
          },
          // Every third while it writes.
          onStderr: (text) => {
            if (round % 3 === 2 && /^ {2}identity /m.test(text)) setTimeout(() => end(), round);
          },
        });
        // What it had started, such as ssh, may outlive it for a moment.
        await pause(100);
        const what = `round ${round}`;
        const byJoin = round % 2 === 0;
        const next = byJoin ? await stage.joinJson(['--yes']) : await stage.joinJson(['--dry-run']);
        const said = `${what}: ${JSON.stringify(next)}`;
        expect(next.exit, said).to.equal(0);
        const undone = next.warnings.some((warning) => warning.includes('was undone'));
        outcomes.add(status === 0 ? 'done' : undone ? 'undone' : 'nothing');
        for (const directory of ['/run', '/tmp']) expect(leftIn(directory, killed), said).to.deep.equal([]);
        const joined = byJoin || existsSync(join(stage.dataDir, 'record.json'));
        if (!joined) {
          expect(await stage.host(), said).to.deep.equal(untouched);
          expect(existsSync(stage.dataDir), said).to.equal(false);
          expect(await servedKeys(stage.sshd.port), said).to.deep.equal(keys);
          continue;
        }
        await expectJoined(said);
        expect((await stage.joinJson(['--dry-run'])).changed, said).to.equal(false);
        const names = Object.keys({...(await snapshot(stage.dataDir)), ...(await stage.host())});
        expect(
          names.filter((name) => /tmp|journal|lock/.test(name)),
          said,
        ).to.deep.equal([]);
        await stage.stop();
        await fresh();
      }
      expect([...outcomes], 'some were killed at work').to.include('undone');
    });
  });
});
