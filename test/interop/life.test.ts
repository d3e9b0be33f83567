// The whole life of a joined host at a real cluster, whose host and OpenSSH authorities are rotated for it: never run this
// where somebody works. What it needs is in test/support/real-cluster.ts.

import {readFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import {agentless} from '../support/cli.js';
import {RealCluster} from '../support/real-cluster.js';
import {eventually, RealStage} from '../support/real-stage.js';
import {envelope} from '../support/stage.js';
import type {Leaf} from '../support/tree.js';

const PHASES: readonly RotationPhase[] = ['init', 'update_clients', 'update_servers', 'standby'];
const BACK: readonly RotationPhase[] = ['init', 'update_clients', 'rollback', 'standby'];

describe('the life of a host at a real Teleport', function () {
  this.timeout(240_000);
  let cluster: RealCluster;
  let stage: RealStage;
  let untouched: Record<string, Leaf>;

  before(async function () {
    cluster = await RealCluster.given(this);
    stage = await RealStage.start(cluster);
    untouched = await stage.host();
  });
  after(async () => {
    await stage?.stop();
    await cluster?.end();
  });

  const well = async (what: string) => {
    const {exit, result} = await stage.status();
    expect(exit, `${what}: ${JSON.stringify(result.problems)}`).to.equal(0);
  };

  it('joins, stands well, and is logged in to', async () => {
    const joined = await stage.join();
    expect([joined.exit, joined.changed], JSON.stringify(joined)).to.deep.equal([0, true]);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await well('after the join');
    const words = ['--login', userInfo().username, ...cluster.trust];
    const {exit, result} = await stage.run('doctor', words);
    expect(exit, JSON.stringify(result)).to.equal(0);
    expect(await stage.login('after the join')).to.equal(false);
  });

  const rotations = [
    ['openssh', PHASES],
    ['host', PHASES],
    ['openssh', BACK],
    ['host', BACK],
  ] as const;
  for (const [type, phases] of rotations) {
    it(`lives through ${phases.join(', ')} of the ${type} authority`, async () => {
      for (const phase of phases) {
        await cluster.rotate(type, phase);
        await stage.until(type, phase);
        const check = await stage.renew(['--check']);
        const {exit, changed, result} = await stage.renew();
        expect(exit, `${phase}: ${JSON.stringify(result)}`).to.equal(0);
        expect(changed, `${phase}: what --check says is what is done`).to.equal(check.exit === 3);
        expect((await stage.renew(['--check'])).exit, `${phase}: nothing is left to do`).to.equal(0);
        await well(phase);
        await stage.login(phase);
      }
    });
  }

  it('keeps a record that ends, renews it in time, and makes it permanent again', async () => {
    const end = async () => Date.parse((await cluster.nodes(stage.name))[0]?.metadata.expires ?? '');
    const within = (least: number, most: number) =>
      eventually(async () => expect((await end()) - Date.now()).to.be.within(least * 1000, most * 1000));
    expect((await stage.again(['--expires', '1h'])).changed).to.equal(true);
    await within(3400, 3800);
    const first = await end();
    expect((await stage.renew()).changed, 'too early').to.equal(false);
    // With half its time over it is due; nobody waits for that here: a record that has less is written instead.
    await cluster.shorten(stage.name, 1500);
    await within(1300, 1600);
    expect((await stage.renew(['--check'])).exit).to.equal(3);
    expect((await stage.renew()).changed).to.equal(true);
    await within(3400, 3800);
    expect(await end()).to.be.at.least(first);
    expect((await stage.again(['--expires', 'never'])).changed).to.equal(true);
    await eventually(async () => expect(await end()).to.be.NaN);
  });

  it('is joined with a token of its own, which is listed and taken away', async () => {
    const identity = ['--identity', await cluster.sign()];
    const file = join(stage.root, 'token');
    const proxy = ['--proxy-server', cluster.proxy, ...cluster.trust];
    const added = await tokens('add', [...proxy, ...identity, '--ttl', '5m', '--out', file]);
    expect(added.exit, JSON.stringify(added)).to.equal(0);
    const token = readFileSync(file, 'utf8').trim();
    const shown = token.slice(0, 8);
    const listed = await tokens('ls', [...proxy, ...identity]);
    expect(JSON.stringify(listed.result)).to.include(shown).and.not.include(token);
    const other = await RealStage.start(cluster);
    try {
      const before = await other.host();
      expect((await other.join([], token)).changed).to.equal(true);
      const removed = await tokens('rm', [...proxy, ...identity, shown]);
      expect(removed.exit, JSON.stringify(removed)).to.equal(0);
      await other.leave(before);
      // Auth looks tokens up in a cache, which is up to two seconds behind.
      await new Promise((resolve) => setTimeout(resolve, 2000));
      expect((await other.join([], token)).error?.code).to.equal('TOKEN_REFUSED');
    } finally {
      await other.stop();
    }
  });

  it('leaves: the record is gone, and the host as it was', () => stage.leave(untouched));
});

const tokens = async (verb: string, words: readonly string[]) =>
  envelope(await agentless(['tokens', verb, '--json', ...words]));
