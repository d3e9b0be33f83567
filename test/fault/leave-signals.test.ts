// Signals sent to the real program at every stage of a real leave, and death without notice at any moment.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {servedKeys} from '../support/served-keys.js';
import {signalled} from '../support/signalled.js';
import {Stage} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

const STAGES = ['look', 'cluster', 'restore', 'reload', 'prove', 'remove', 'unregister'] as const;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a leave that is interrupted', function () {
  this.timeout(120_000);
  let stage: Stage;
  let untouched: Awaited<ReturnType<Stage['host']>>;
  let keys: ReadonlySet<string>;
  let joined: Awaited<ReturnType<typeof look>>;

  before(async () => {
    stage = await Stage.quick();
    untouched = await stage.host();
    keys = await servedKeys(stage.sshd.port);
    await rejoin();
  });
  after(() => stage.stop());

  async function look() {
    const [etc, data] = [await stage.host(), await snapshot(stage.dataDir)];
    return {etc, data, served: [...(await servedKeys(stage.sshd.port))].sort()};
  }

  async function rejoin(): Promise<void> {
    const {exit, stderr} = await stage.joinJson(['--yes']);
    expect(exit, stderr).to.equal(0);
    joined = await look();
  }

  async function expectJoined(what: string): Promise<void> {
    expect(await look(), what).to.deep.equal(joined);
    expect((await stage.loginByCertificate('web1')).stdout, what).to.equal('hello\n');
  }

  async function expectLeft(what: string): Promise<void> {
    expect(await stage.host(), what).to.deep.equal(untouched);
    expect(existsSync(stage.dataDir), what).to.equal(false);
    expect(stage.cluster.nodes(), what).to.deep.equal([]);
    expect(await servedKeys(stage.sshd.port), what).to.deep.equal(keys);
  }

  for (const [index, name] of STAGES.entries()) {
    const signal = index % 2 === 0 ? 'SIGINT' : 'SIGTERM';
    it(`by ${signal} after ${name}`, async () => {
      const {status, stderr, stdout} = await signalled((options) => stage.leave([], options), signal, name);
      const said = `${stdout}${stderr}`;
      // A record that is being deleted when the signal comes is deleted: the host has left then.
      if (status === 0 || (status === null && stdout.includes('Left '))) {
        expect(name, said).to.be.oneOf(['remove', 'unregister']);
        await expectLeft(name);
        return rejoin();
      }
      expect(status, said).to.equal(130);
      expect(stderr).to.match(/^error: interrupted/m);
      await expectJoined(name);
      expect(stage.cluster.nodes(), name).to.have.length(1);
    });
  }

  const ROUNDS = 8;

  it(`by SIGKILL, ${ROUNDS} times at any moment: the next leave leaves, the next join has it joined`, async () => {
    const outcomes = new Set<string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      // What it does to the host begins where the cluster has been told of, and takes some hundred milliseconds.
      let die = (): unknown => undefined;
      await stage.leave([], {
        started: (_, kill) => {
          die = () => setTimeout(() => kill('SIGKILL'), 40 * round);
        },
        onStderr: (text) => text.includes('  cluster ') && die(),
      });
      // What it had started may outlive it for a moment.
      await pause(100);
      const what = `round ${round}`;
      if (round % 2 === 0) {
        const {exit, warnings, stderr} = await stage.leaveJson();
        expect(exit, stderr).to.equal(0);
        outcomes.add(warnings.join().includes('was undone') ? 'undone' : 'other');
        await expectLeft(what);
        await rejoin();
        continue;
      }
      const recordless = !existsSync(join(stage.dataDir, 'record.json'));
      await rejoin();
      outcomes.add(recordless ? 'left' : 'joined');
      expect((await stage.loginByCertificate('web1')).stdout, what).to.equal('hello\n');
      expect(stage.cluster.nodes(), what).to.have.length(1);
      const names = Object.keys({...joined.data, ...joined.etc});
      expect(
        names.filter((left) => /tmp|journal|lock/.test(left)),
        what,
      ).to.deep.equal([]);
    }
    expect([...outcomes], 'some were killed at work').to.include('undone');
  });
});
