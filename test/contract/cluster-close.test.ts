import {expect} from 'chai';
import {clientOf, failure, joined} from '../support/cluster-client.js';
import {temporaryCluster} from '../support/dev-cluster.js';

describe('closing a connection to Auth', () => {
  it('after refusals leaves the process alive, however often', async function () {
    this.timeout(60_000);
    this.slow(10_000);
    await using server = await temporaryCluster();
    const {identity} = await joined(server);
    server.lock(identity.nodeId, 'locked');
    // In Node 20 destroying the HTTP/2 session corrupted memory: a crash, most often before the fiftieth.
    for (let round = 0; round < 120; round += 1) {
      await using cluster = clientOf(server);
      const session = cluster.as(identity);
      const calls = [session.authority('host'), session.authority('openssh'), session.nodesLike('web1', '')];
      // The first refusal ends the waiting: the others are under way when the connection is closed.
      expect((await failure(Promise.all(calls))).code).to.equal('REQUEST_REFUSED');
    }
  });
});
