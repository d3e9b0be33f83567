// The power goes at every operation of a real join, and again inside the recovery: the host is before or after, and sshd
// serves accordingly.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {type CrashingHost, deathsOf} from '../support/crashing-host.js';
import {JoinScene} from '../support/join-scene.js';

describe('a real join whose host dies', function () {
  this.timeout(180_000);
  let scene: JoinScene;
  let operations: CrashingHost['operations'];
  /** Number of the first operation on the host itself; those before it are the rehearsal's. */
  let first: number;

  before(async () => {
    scene = await JoinScene.set();
    const host = scene.host();
    await scene.join(host);
    ({operations} = host);
    first = operations.findIndex(({what}) => what.startsWith(scene.stage.root)) + 1;
    await scene.reset();
  });
  after(() => scene.stop());

  const nameOf = (number: number) => {
    const {kind, what} = operations[number - 1] ?? {kind: '', what: ''};
    return `operation ${number} of ${operations.length}: ${kind} ${what}`;
  };

  /** Dies at an operation; true when it did. */
  async function dieAt(number: number, turn: number): Promise<boolean> {
    const deaths = deathsOf(operations[number - 1] ?? {kind: 'run', what: ''});
    const host = scene.host({at: number, die: deaths[turn % deaths.length] ?? 'before'});
    await scene.join(host).catch(() => undefined);
    return host.dead;
  }

  async function expectWhole(what: string): Promise<'before' | 'after'> {
    if (!existsSync(join(scene.stage.dataDir, 'record.json'))) {
      expect(await scene.differences(), what).to.deep.equal([]);
      return 'before';
    }
    const again = await scene.join(scene.host());
    expect(again.changed, `${what}: joined, and nothing is left to do`).to.equal(false);
    expect(scene.stage.cluster.nodes(), what).to.have.length(1);
    return 'after';
  }

  it('is before or after, whichever operation it was', async () => {
    expect(first).to.be.greaterThan(5);
    const seen = {before: 0, after: 0};
    for (let number = first; number <= operations.length; number += 1) {
      // The lines of the journal are many and alike; the plan's own tests cut each of them.
      if (operations[number - 1]?.kind === 'append' && number % 3 !== 0) continue;
      const reloads = scene.reloads;
      expect(await dieAt(number, number), nameOf(number)).to.equal(true);
      const loaded = scene.reloads > reloads;
      const outcome = await scene.recover();
      const whole = await expectWhole(`${nameOf(number)}, ${outcome}`);
      seen[whole] += 1;
      if (whole === 'before' && loaded) expect(scene.reloads, nameOf(number)).to.be.greaterThan(reloads + 1);
      if (whole === 'after' || scene.stage.cluster.nodes().length > 0) await scene.reset();
    }
    expect(seen.before).to.be.greaterThan(15);
    expect(seen.after).to.be.greaterThan(0);
  });

  it('that has registered a moment ago: the next join takes its record over', async () => {
    const commit = operations.findLastIndex(({kind}) => kind === 'append') + 1;
    await scene.join(scene.host({at: commit, die: 'before'})).catch(() => undefined);
    const [left] = scene.stage.cluster.nodes();
    expect(left?.hostname).to.equal('web1');
    const {changed, node} = await scene.join(scene.host(), {replace: false});
    expect([changed, node.id]).to.deep.equal([true, left?.id]);
    expect(scene.stage.cluster.nodes()).to.have.length(1);
    await scene.reset();
  });

  it('is untouched when it dies in the rehearsal, and needs no recovery', async () => {
    for (let number = 1; number < first; number += 4) {
      expect(await dieAt(number, number), nameOf(number)).to.equal(true);
      expect(await scene.differences(), nameOf(number)).to.deep.equal([]);
      expect(await scene.recover(), nameOf(number)).to.equal('nothing');
    }
  });

  it('is before when the recovery dies as well', async () => {
    const reload = operations.findIndex(({kind}) => kind === 'run') + 1;
    expect(reload).to.be.greaterThan(first);
    let finished = false;
    for (let number = 1; !finished; number += 3) {
      await dieAt(reload, 1);
      const host = scene.host({at: number, die: 'after'});
      await scene.recover(host).catch(() => undefined);
      finished = !host.dead;
      await scene.recover();
      expect(await scene.differences(), `recovery cut at ${number}`).to.deep.equal([]);
    }
  });
});
