import {randomUUID} from 'node:crypto';
import {expect} from 'chai';
import type {Cluster, Identity, Node, Session} from '../../../src/cluster/cluster.js';
import {checkUnique, registration} from '../../../src/operations/register.js';
import {clientOf, failure, joined} from '../../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../../support/dev-cluster.js';

const refuse = async (): Promise<boolean> => false;

/** A node of the embedded cluster, which may call itself anything. */
class Joined implements AsyncDisposable {
  private constructor(
    readonly server: TemporaryCluster,
    readonly identity: Identity,
    private readonly cluster: Cluster,
    readonly session: Session,
  ) {}

  static async to(options: Parameters<typeof temporaryCluster>[0] = {}): Promise<Joined> {
    const server = await temporaryCluster(options);
    const {identity} = await joined(server);
    const cluster = clientOf(server);
    return new Joined(server, identity, cluster, cluster.as(identity));
  }

  node(changes: Partial<Node> = {}): Node {
    const own = {id: this.identity.nodeId, hostname: 'web1', address: '10.0.0.5:22'};
    return {...own, labels: {env: 'prod'}, subKind: 'openssh', ...changes};
  }

  /** A record of another node. */
  async other(changes: Partial<Node> = {}): Promise<Node> {
    const node = this.node({id: randomUUID(), ...changes});
    await this.session.putNode(node);
    return node;
  }

  async clear(): Promise<void> {
    for (const {id} of this.server.nodes()) this.server.removeNode(id);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.cluster.close();
    await this.server.stop();
  }
}

describe('the record of a node', () => {
  let here: Joined;
  before(async () => {
    here = await Joined.to();
  });
  afterEach(() => here.clear());
  after(() => here[Symbol.asyncDispose]());

  const check = (replace = false, confirm: (question: string) => Promise<boolean> = refuse) =>
    checkUnique(here.session, here.node(), replace, confirm);

  describe('may be written', () => {
    it('where nobody has its name or its address', async () => {
      await here.other({hostname: 'web2', address: '10.0.0.6:22'});
      expect(await check()).to.deep.equal([]);
    });

    it('over itself', async () => {
      await here.session.putNode(here.node());
      expect(await check()).to.deep.equal([]);
    });

    it('in place of an earlier join of this host, when told so', async () => {
      const [one, two] = [await here.other(), await here.other()];
      expect((await check(true)).sort()).to.deep.equal([one.id, two.id].sort());
    });

    it('in place of an earlier join of this host, when somebody agrees', async () => {
      const {id} = await here.other();
      const questions: string[] = [];
      const agree = async (question: string) => {
        questions.push(question);
        return true;
      };
      expect(await check(false, agree)).to.deep.equal([id]);
      expect(questions).to.deep.equal([`Replace the record that an earlier join of this host left (${id})?`]);
    });
  });

  describe('is refused', () => {
    it('in place of an earlier join of this host, when nobody says so', async () => {
      const {id} = await here.other();
      const {code, message, detail, hint} = await failure(check());
      expect(code).to.equal('NODE_EXISTS');
      expect(message).to.equal('the cluster has a record of this host already: web1, 10.0.0.5:22');
      expect(detail).to.equal(`node ${id}: web1, 10.0.0.5:22`);
      expect(hint).to.contain('--yes');
    });

    it('under the name of another node, whatever was told, and nobody is asked', async () => {
      const {id} = await here.other({address: '10.0.0.6:22'});
      const asked = async () => expect.fail('asked');
      for (const replace of [false, true]) {
        const {code, message, detail} = await failure(check(replace, asked));
        expect(code).to.equal('NODE_EXISTS');
        expect(message).to.equal('another node has the name web1 already');
        expect(detail).to.equal(`node ${id}: web1, 10.0.0.6:22`);
      }
    });

    it('at the address of another node', async () => {
      const {id} = await here.other({hostname: 'web2'});
      const {message, detail} = await failure(check(true));
      expect(message).to.equal('another node has the address 10.0.0.5:22 already');
      expect(detail).to.equal(`node ${id}: web2, 10.0.0.5:22`);
    });

    it('where both are there: an earlier join, and somebody else', async () => {
      await here.other();
      const {id} = await here.other({hostname: 'web2'});
      expect((await failure(check(true))).detail).to.contain(id);
    });
  });

  describe('is right', () => {
    const right = async (wanted: Partial<Node>, stored: Partial<Node> = {}) => {
      await here.session.putNode(here.node(stored));
      return (await registration(here.session, here.node(wanted))).right;
    };

    it('when it says what it should, in whatever order', async () => {
      expect(await right({})).to.equal(true);
      expect(await right({labels: {a: '1', b: '2'}}, {labels: {b: '2', a: '1'}})).to.equal(true);
    });

    it('not when a name, an address or a label differs', async () => {
      expect(await right({hostname: 'web2'})).to.equal(false);
      expect(await right({address: '10.0.0.5:2222'})).to.equal(false);
      expect(await right({labels: {}})).to.equal(false);
      expect(await right({labels: {env: 'prod', more: 'x'}})).to.equal(false);
    });

    it('when Auth has put the address it sees in place of a loopback one', async () => {
      const [asked, stored] = [{address: '127.0.0.1:2222'}, {address: '192.0.2.7:2222'}];
      expect(await right(asked, stored)).to.equal(true);
      expect(await right({address: '[::1]:2222'}, stored)).to.equal(true);
      expect(await right({address: '127.0.0.1:22'}, stored)).to.equal(false);
      expect(await right({address: '10.0.0.5:2222'}, stored)).to.equal(false);
    });
  });

  it('is wrong by its end in words that say how', async () => {
    const end = (days: number) => ({expires: new Date(Date.now() + days * 86_400_000)});
    const wrong = async (stored: Partial<Node>, wanted: Partial<Node>) => {
      await here.session.putNode(here.node(stored));
      return (await registration(here.session, here.node(wanted))).wrong;
    };
    expect(await wrong(end(1), end(2))).to.match(/^the node record ends on \S+Z$/);
    expect(await wrong(end(2), end(1))).to.match(/ends on \S+Z, later than it should$/);
    expect(await wrong(end(1), {})).to.match(/ends on \S+Z, and should have no end$/);
    expect(await wrong({}, end(1))).to.equal('the node record has no end, and should have one');
    expect(await wrong(end(1), end(1))).to.equal(undefined);
  });

  it('is shown as it was found, and as missing only after a second look', async () => {
    const stored = here.node({labels: {old: 'x'}});
    await here.session.putNode(stored);
    expect(await registration(here.session, here.node())).to.deep.equal({
      found: stored,
      right: false,
      wrong: 'the node record has other labels than it should',
      others: [],
    });
    const before = here.server.stats.requests['proto.AuthService/ListResources'] ?? 0;
    const gone = await registration(
      here.session,
      here.node({id: randomUUID(), hostname: 'x', address: 'x:1'}),
    );
    expect(gone).to.deep.equal({
      found: undefined,
      right: false,
      wrong: 'the node record is missing',
      others: [],
    });
    const after = here.server.stats.requests['proto.AuthService/ListResources'] ?? 0;
    expect(after - before).to.be.greaterThan(1);
  });

  it('is seen although reads lag behind writes', async () => {
    await using lagging = await Joined.to({lag: true});
    await lagging.session.putNode(lagging.node());
    expect(await lagging.session.nodesLike('web1', '10.0.0.5:22'), 'the lag is there').to.deep.equal([]);
    expect(await registration(lagging.session, lagging.node())).to.have.property('right', true);
  });
});
