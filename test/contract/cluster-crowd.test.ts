import {setTimeout as sleep} from 'node:timers/promises';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {clientOf, failure, joinRequest} from '../support/cluster-client.js';
import {temporaryCluster} from '../support/dev-cluster.js';

// Many hosts that join from one address, as behind one NAT or from one controller: a cluster takes some hundreds at once,
// and from there on two a second. Here the numbers are smaller, in the same proportion.

const HOSTS = 30;
const LIMIT = {burst: 14, every: 100};

describe('a crowd of hosts from one address', function () {
  this.timeout(90_000);

  it('joins as a whole, at the pace of the cluster, and not in step', async () => {
    const asked = new Map<string, number[]>();
    const hooks: Partial<ClusterOptions> = {
      limits: {join: LIMIT, export: LIMIT},
      testOnlyHttp: ({path, body}) => {
        if (path !== '/webapi/host/credentials') return undefined;
        const {hostID} = JSON.parse(body);
        asked.set(hostID, [...(asked.get(hostID) ?? []), performance.now()]);
        return undefined;
      },
    };
    await using server = await temporaryCluster(hooks);
    const joining = Array.from({length: HOSTS}, async () => {
      await using cluster = clientOf(server, {deadline: 60_000});
      return await cluster.join(joinRequest(server.token));
    });
    const nodes = (await Promise.all(joining)).map(({identity}) => identity.nodeId);
    expect(new Set(nodes).size).to.equal(HOSTS);
    const times = [...asked.values()].flat();
    const took = Math.max(...times) - Math.min(...times);
    expect(took, 'the limit was there').to.be.at.least((HOSTS - LIMIT.burst - 1) * LIMIT.every);
    const pauses = [...asked.values()].flatMap(([first = 0, second]) => (second ? [second - first] : []));
    expect(pauses.length, 'some were refused at first').to.be.greaterThan(3);
    expect(Math.min(...pauses)).to.be.greaterThan(240);
    expect(Math.max(...pauses) - Math.min(...pauses), 'they come back one by one').to.be.greaterThan(40);
  });

  it('asks over a new connection where the old one was idle for so long that the cluster may be closing it', async () => {
    await using server = await temporaryCluster();
    await using cluster = clientOf(server);
    const connections: number[] = [];
    for (const pause of [0, 100, 3500]) {
      await sleep(pause);
      await cluster.join(joinRequest(server.token));
      connections.push(server.stats.connections);
    }
    expect(connections).to.deep.equal([1, 1, 2]);
  });

  it('is told to wait for longer once the deadline has passed', async () => {
    await using server = await temporaryCluster({
      limits: {join: {burst: 1, every: 3_600_000}, export: LIMIT},
    });
    await using cluster = clientOf(server, {deadline: 1500});
    await cluster.join(joinRequest(server.token));
    const refused = await failure(cluster.join(joinRequest(server.token)));
    expect(refused).to.include({code: 'CLUSTER_BUSY', exitCode: 5});
    expect(refused.detail).to.match(/^rate limit exceeded, try again in/);
    expect(refused.hint).to.include('--timeout');
  });
});
