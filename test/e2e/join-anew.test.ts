// A joined host whose identity the cluster has dropped: "join again with a token" is what every command says, and it works.

import {expect} from 'chai';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import {agentless} from '../support/cli.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {envelope, Stage} from '../support/stage.js';

const PHASES: readonly RotationPhase[] = ['init', 'update_clients', 'update_servers', 'standby'];

describe('join openssh on a host whose identity is finished', () => {
  let stage: Stage;
  let id: string | undefined;

  beforeEach(async () => {
    stage = await Stage.quick({cluster: {limits: false, lag: false}});
    expect((await stage.joinJson()).exit).to.equal(0);
    id = stage.cluster.nodes()[0]?.id;
  });
  afterEach(() => stage.stop());

  const sleep = async () => {
    for (const phase of PHASES) await stage.cluster.rotate('host', phase);
  };
  const again = async (words: readonly string[], input = '') =>
    envelope(await agentless([...stage.words, '--json', ...words], {input}));

  it('joins again with a token, as the node that it was, is logged in to, and leaves', async () => {
    await sleep();
    const joined = await stage.joinJson();
    expect([joined.exit, joined.changed], JSON.stringify(joined)).to.deep.equal([0, true]);
    expect(stage.cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
    const {stdout, stderr} = await stage.loginByCertificate('web1');
    expect(stdout, stderr).to.equal('hello\n');
    expect((await again([])).changed).to.equal(false);
    expect((await stage.leaveJson()).exit).to.equal(0);
    expect(stage.cluster.nodes()).to.deep.equal([]);
  });

  it('changes nothing without a token, with a wrong one, and in a rehearsal', async () => {
    await sleep();
    const before = await stage.host();
    const refused = await again([]);
    expect([refused.exit, refused.error?.hint]).to.deep.equal([4, 'join again with a token']);
    const wrong = await again(['--token', '-'], 'no-such-token');
    expect([wrong.exit, wrong.error?.code]).to.deep.equal([4, 'TOKEN_REFUSED']);
    expect((await stage.joinJson(['--dry-run'])).exit).to.equal(4);
    expect(await stage.host()).to.deep.equal(before);
  });

  it('spends no token where the rehearsal fails', async () => {
    await sleep();
    const before = await stage.host();
    const joins = () => stage.cluster.stats.requests['POST /webapi/host/credentials'];
    const earlier = joins();
    expect(earlier).to.equal(1);
    const {exit, error} = await stage.joinJson(['--prove-login', 'nobody-of-that-name']);
    expect([exit, error?.code], JSON.stringify(error)).to.deep.equal([6, 'REHEARSAL_FAILED']);
    expect(joins()).to.equal(earlier);
    expect(await stage.host()).to.deep.equal(before);
  });

  it('gives no token to another cluster that answers at the address of the old one', async () => {
    await stage.cluster.close();
    const other = await temporaryCluster({name: 'other.test', listen: stage.cluster.proxy});
    try {
      const before = await stage.host();
      const words = ['--ca-file', other.caFile, '--token', '-'];
      const {exit, error} = await again(words, other.token);
      expect([exit, error?.code], JSON.stringify(error)).to.deep.equal([6, 'HOST_UNSUITABLE']);
      expect(error?.message).to.equal('this host is joined to dev.example, not to other.test');
      expect(await stage.host()).to.deep.equal(before);
    } finally {
      await other.stop();
    }
  });
});
