// The power goes at every operation of an adoption: the host is joined by Teleport as before, or adopted; never between, and
// people log in all the while.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Node} from '../../src/cluster/cluster.js';
import {type CrashingHost, deathsOf} from '../support/crashing-host.js';
import {type FormerHost, groundOf, joinByTeleport, reload} from '../support/former-join.js';
import {speaking} from '../support/identity.js';
import {JoinScene} from '../support/join-scene.js';
import {snapshot} from '../support/tree.js';

describe('an adoption whose host dies', function () {
  this.timeout(180_000);
  let scene: JoinScene;
  let former: FormerHost;
  let record: Node;
  let operations: CrashingHost['operations'];
  let first: number;
  let teleport: Awaited<ReturnType<typeof snapshot>>;

  before(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}}, async (stage) => {
      former = await joinByTeleport(groundOf(stage), join(stage.root, 'teleport'));
      await reload(stage);
    });
    const [node] = scene.stage.cluster.nodes();
    if (node === undefined) expect.fail('it was not joined');
    record = node;
    teleport = await snapshot(join(scene.stage.root, 'teleport'));
    const host = scene.host();
    await adopt(host);
    ({operations} = host);
    first = operations.findIndex(({what}) => what.startsWith(scene.stage.root)) + 1;
    await back();
  });
  after(() => scene.stop());

  const adopt = (host: CrashingHost) => scene.join(host, {adopt: true});
  async function back(): Promise<void> {
    await scene.reset();
    await using alice = await speaking(scene.stage.cluster);
    await alice.operator.putNode(record);
  }

  it('is as Teleport has left it, or adopted, whichever operation it was', async () => {
    expect(first).to.be.greaterThan(5);
    const seen = {before: 0, after: 0};
    for (let number = first; number <= operations.length; number += 1) {
      const operation = operations[number - 1] ?? {kind: 'run', what: ''};
      if (operation.kind === 'append' && number % 3 !== 0) continue;
      const what = `operation ${number} of ${operations.length}: ${operation.kind} ${operation.what}`;
      const deaths = deathsOf(operation);
      const host = scene.host({at: number, die: deaths[number % deaths.length] ?? 'before'});
      await adopt(host).catch(() => undefined);
      expect(host.dead, what).to.equal(true);
      expect((await scene.stage.loginByCertificate('web1')).stdout, `${what}, dead`).to.equal('hello\n');
      const outcome = await scene.recover();
      const isAdopted = existsSync(join(scene.stage.dataDir, 'record.json'));
      seen[isAdopted ? 'after' : 'before'] += 1;
      expect((await scene.stage.loginByCertificate('web1')).stdout, `${what}, ${outcome}`).to.equal(
        'hello\n',
      );
      if (!isAdopted) expect(await scene.differences(), what).to.deep.equal([]);
      else expect((await adopt(scene.host())).changed, `${what}: nothing is left to do`).to.equal(false);
      expect(scene.stage.cluster.nodes(), `${what}: the record`).to.deep.equal([record]);
      expect(await snapshot(join(scene.stage.root, 'teleport')), what).to.deep.equal(teleport);
      if (isAdopted) await back();
    }
    expect(seen.before).to.be.greaterThan(15);
    expect(seen.after).to.be.greaterThan(0);
    expect(former.id).to.equal(record.id);
  });
});
