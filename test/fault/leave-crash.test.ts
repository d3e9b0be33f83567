// The power goes at every operation of a real leave, and again inside the recovery: the host is joined, to the byte, or
// as it was before the join, and sshd serves accordingly.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {type CrashingHost, deathsOf} from '../support/crashing-host.js';
import {JoinScene} from '../support/join-scene.js';

describe('a real leave whose host dies', function () {
  this.timeout(240_000);
  let scene: JoinScene;
  let operations: CrashingHost['operations'];
  let joined: Awaited<ReturnType<JoinScene['look']>>;

  async function rejoin(): Promise<void> {
    await scene.join(scene.host());
    joined = await scene.look();
    expect(joined.served.length, 'plain keys and certificates').to.equal(4);
  }

  before(async () => {
    scene = await JoinScene.set();
    await rejoin();
    const host = scene.host();
    expect((await scene.leave(host)).changed).to.equal(true);
    ({operations} = host);
    expect(await scene.differences()).to.deep.equal([]);
    await rejoin();
  });
  after(() => scene.stop());

  const nameOf = (number: number) => {
    const {kind, what} = operations[number - 1] ?? {kind: '', what: ''};
    return `operation ${number} of ${operations.length}: ${kind} ${what}`;
  };

  async function dieAt(number: number, turn: number): Promise<boolean> {
    const deaths = deathsOf(operations[number - 1] ?? {kind: 'run', what: ''});
    const host = scene.host({at: number, die: deaths[turn % deaths.length] ?? 'before'});
    await scene.leave(host).catch(() => undefined);
    return host.dead;
  }

  /** Joins again where that is needed for the next round. */
  async function expectWhole(what: string): Promise<'joined' | 'left'> {
    const {cluster, dataDir} = scene.stage;
    if (!existsSync(join(dataDir, 'record.json'))) {
      expect(await scene.differences(), what).to.deep.equal([]);
      expect(cluster.nodes(), what).to.deep.equal([]);
      await rejoin();
      return 'left';
    }
    expect(await scene.look(), what).to.deep.equal(joined);
    // The record may have been deleted a moment before the power went; a join writes it again.
    if (cluster.nodes().length === 0) await rejoin();
    return 'joined';
  }

  it('is joined or left, whichever operation it was', async () => {
    const seen = {joined: 0, left: 0};
    for (let number = 1; number <= operations.length; number += 1) {
      // The lines of the journal are many and alike; the plan's own tests cut each of them.
      if (operations[number - 1]?.kind === 'append' && number % 3 !== 0) continue;
      expect(await dieAt(number, number), nameOf(number)).to.equal(true);
      const outcome = await scene.recover();
      seen[await expectWhole(`${nameOf(number)}, ${outcome}`)] += 1;
      expect(await scene.recover(), nameOf(number)).to.equal('nothing');
    }
    expect(seen.joined).to.be.greaterThan(15);
    expect(seen.left).to.be.greaterThan(5);
  });

  it('is joined when the recovery dies as well', async () => {
    const reload = operations.findIndex(({kind}) => kind === 'run') + 1;
    expect(reload).to.be.greaterThan(5);
    let finished = false;
    for (let number = 1; !finished; number += 3) {
      await dieAt(reload + 6, 1);
      const host = scene.host({at: number, die: 'after'});
      await scene.recover(host).catch(() => undefined);
      finished = !host.dead;
      await scene.recover();
      expect(await expectWhole(`recovery cut at ${number}`)).to.equal('joined');
    }
  });

  it('leaves for good the next time', async () => {
    const appends = [...operations.keys()].filter((index) => operations[index]?.kind === 'append');
    // The last one marks the directory that goes; the one before it commits.
    await dieAt((appends.at(-2) ?? 0) + 1, 0);
    expect(scene.stage.cluster.nodes(), 'deleted a moment ago').to.deep.equal([]);
    expect(existsSync(join(scene.stage.dataDir, 'record.json'))).to.equal(true);
    expect((await scene.leave(scene.host())).changed).to.equal(true);
    expect(await scene.differences()).to.deep.equal([]);
    expect((await scene.leave(scene.host())).changed).to.equal(false);
    await rejoin();
  });
});
