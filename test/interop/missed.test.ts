// Hosts that sleep while the authorities of a real cluster are rotated: who renews in which phase, and what becomes of it.
// What it needs is in test/support/real-cluster.ts.

import {userInfo} from 'node:os';
import {expect} from 'chai';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import {RealCluster} from '../support/real-cluster.js';
import {RealStage} from '../support/real-stage.js';

const PHASES: readonly RotationPhase[] = ['init', 'update_clients', 'update_servers', 'standby'];

/** The phases of the host authority in which each of them renews. */
const RENEWING: Readonly<Record<string, readonly RotationPhase[]>> = {
  'in every phase': PHASES,
  'at update_clients only': ['update_clients'],
  // Silent since before init: it knows none of the authorities that Auth shows by then (rotation reference A.7).
  'at update_servers only': ['update_servers'],
  'at init only': ['init'],
  never: [],
};
const FINISHED = ['at init only', 'never'];

describe('hosts that miss phases of a rotation at a real Teleport', function () {
  this.timeout(240_000);
  let cluster: RealCluster;
  const stages = new Map<string, RealStage>();
  const stage = (which: string) => stages.get(which) ?? expect.fail(`there is no host that renews ${which}`);

  before(async function () {
    cluster = await RealCluster.given(this);
    for (const which of Object.keys(RENEWING)) {
      const one = await RealStage.start(cluster);
      stages.set(which, one);
      const {exit, error} = await one.join();
      expect(exit, JSON.stringify(error)).to.equal(0);
    }
  });
  after(async () => {
    for (const one of stages.values()) await one.stop();
    await cluster?.end();
  });

  it('renews in whatever phases they are awake', async () => {
    for (const phase of PHASES) {
      await cluster.rotate('host', phase);
      await stage('in every phase').until('host', phase);
      for (const [which, phases] of Object.entries(RENEWING)) {
        if (!phases.includes(phase)) continue;
        const {exit, changed, error} = await stage(which).renew();
        const text = `${which}, ${phase}: ${JSON.stringify(error)}`;
        expect(exit, text).to.equal(0);
        // Keys change at init, update_clients and standby.
        expect(changed, text).to.equal(which !== 'in every phase' || phase !== 'update_servers');
      }
    }
  });

  for (const which of Object.keys(RENEWING)) {
    const finished = FINISHED.includes(which);
    it(`${finished ? 'tells to join again, which works,' : 'serves'} the host that has renewed ${which}`, async () => {
      const host = stage(which);
      if (finished) await rejoin(host);
      // Where nothing else is due, the authority that is gone is taken out of what the host knows.
      expect((await host.renew()).exit).to.equal(0);
      expect((await host.renew(['--check'])).exit).to.equal(0);
      const {exit, result} = await host.status();
      expect(exit, JSON.stringify(result.problems)).to.equal(0);
      await host.login(which);
    });
  }

  async function rejoin(host: RealStage): Promise<void> {
    const id = (await cluster.nodes(host.name))[0]?.metadata.name;
    const before = await host.host();
    const refused = await host.renew();
    expect(refused.exit, JSON.stringify(refused)).to.equal(4);
    expect(refused.error?.hint).to.include('join again with a token');
    const {exit, result} = await host.status();
    expect(exit).to.equal(3);
    expect(JSON.stringify(result.problems)).to.include('join again with a token');
    expect((await host.again()).exit, 'without one').to.equal(4);
    expect((await host.join([], 'no-such-token')).exit, 'with a wrong one').to.equal(4);
    expect(await host.host()).to.deep.equal(before);
    const joined = await host.join();
    expect([joined.exit, joined.changed], JSON.stringify(joined)).to.deep.equal([0, true]);
    expect(joined.result.node.id).to.equal(id);
    expect(await cluster.nodes(host.name)).to.have.length(1);
  }

  it('leaves logins out to a host that has slept since before init of the openssh authority, until it renews', async () => {
    const watcher = stage('in every phase');
    for (const phase of PHASES) {
      await cluster.rotate('openssh', phase);
      await watcher.until('openssh', phase);
    }
    const sleeper = stage('at update_clients only');
    const {stdout, stderr} = await cluster.login(userInfo().username, sleeper.name);
    expect(stdout).to.equal('');
    expect((await sleeper.explain(stderr)).exit, stderr).to.equal(0);
    expect((await sleeper.renew(['--check'])).exit).to.equal(3);
    expect((await sleeper.renew()).changed).to.equal(true);
    expect(await sleeper.login('after renewing')).to.equal(false);
  });
});
