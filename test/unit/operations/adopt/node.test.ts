import {expect} from 'chai';
import type {Node, Session} from '../../../../src/cluster/cluster.js';
import {asRecorded, covers, findNode, formerNames} from '../../../../src/operations/adopt/node.js';
import type {JoinWish} from '../../../../src/operations/settings.js';
import {failure} from '../../../support/cluster-client.js';
import {temporaryCluster} from '../../../support/dev-cluster.js';
import {speaking} from '../../../support/identity.js';

const ID = '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e';
const NODE: Node = {
  id: ID,
  hostname: 'web1',
  address: '10.0.0.5:22',
  labels: {env: 'prod'},
  subKind: 'openssh',
};
const WISH: JoinWish = {
  config: '/etc/ssh/sshd_config',
  dataDir: '/var/lib/agentless',
  register: true,
  reload: true,
  proveLogins: [],
  dryRun: false,
  replace: false,
};

describe('the node of a host that is adopted', () => {
  it('keeps what its record says where nothing else was wished, and its id always', () => {
    expect(asRecorded({...WISH, nodeId: 'x'}, NODE)).to.deep.include({
      nodeId: ID,
      hostname: 'web1',
      address: '10.0.0.5:22',
      labels: {env: 'prod'},
    });
    const asked = {...WISH, hostname: 'web2', labels: {}};
    expect(asRecorded(asked, NODE)).to.deep.include({nodeId: ID, hostname: 'web2', labels: {}});
  });

  it('is covered by names that hold its id, its name and its address', () => {
    expect(covers([ID, 'web1', '10.0.0.5', 'more'], NODE)).to.equal(true);
    for (const missing of [ID, 'web1', '10.0.0.5'])
      expect(
        covers(
          [ID, 'web1', '10.0.0.5'].filter((name) => name !== missing),
          NODE,
        ),
      ).to.equal(false);
  });

  it('keeps the names of its certificates, but for those that say which node it is', () => {
    const names = [
      `${ID}.c.example`,
      ID,
      'web1.c.example',
      'web1',
      'localhost',
      '127.0.0.1',
      '::1',
      '0.0.0.0',
    ];
    const others = ['10.0.0.5', 'old.example.com', '123456789012-i-0abc'];
    expect(formerNames([...names, ...others], 'c.example', 'web1')).to.deep.equal([
      '10.0.0.5',
      'old.example.com',
    ]);
    expect(formerNames(['web1', 'web1.c.example'], 'c.example', 'web2')).to.deep.equal([
      'web1',
      'web1.c.example',
    ]);
  });

  describe('in a cluster', () => {
    let session: Session;
    let close: () => Promise<void>;
    before(async () => {
      const server = await temporaryCluster({lag: false, limits: false});
      const alice = await speaking(server);
      session = alice.operator;
      close = async () => {
        await alice[Symbol.asyncDispose]();
        await server.stop();
      };
      await session.putNode(NODE);
      await session.putNode({...NODE, id: 'a1', hostname: 'app', address: '10.0.0.6:22', subKind: ''});
    });
    after(() => close());
    const find = (sought: Partial<Parameters<typeof findNode>[1]>) =>
      findNode(session, {id: undefined, hostname: 'none', address: undefined, ...sought});

    it('is known by its id, whatever it is called; else by its name, or by its address', async () => {
      expect(await find({id: ID})).to.deep.equal(NODE);
      expect(await find({hostname: 'web1'})).to.deep.equal(NODE);
      expect(await find({address: '10.0.0.5:22'})).to.deep.equal(NODE);
      expect(await find({id: 'gone', hostname: 'web1', address: '10.0.0.5:22'})).to.deep.equal(NODE);
    });

    it('is not one of the same name elsewhere, nor an agent', async () => {
      expect(await find({hostname: 'web1', address: '10.0.0.9:22'})).to.equal(undefined);
      expect(await find({})).to.equal(undefined);
      for (const sought of [{hostname: 'app'}, {id: 'a1'}])
        expect((await failure(find(sought))).code).to.equal('NODE_EXISTS');
    });

    it('is asked for where several could be meant', async () => {
      await session.putNode({...NODE, id: 'second', address: '10.0.0.7:22'});
      const {code, detail} = await failure(find({hostname: 'web1'}));
      expect(code).to.equal('NODE_EXISTS');
      expect(detail).to.include(ID).and.to.include('second');
      expect(await find({hostname: 'web1', address: '10.0.0.5:22'})).to.deep.equal(NODE);
    });
  });
});
