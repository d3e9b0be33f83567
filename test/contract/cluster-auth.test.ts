import {randomUUID} from 'node:crypto';
import {create} from '@bufbuild/protobuf';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import {AuthClient} from '../../src/cluster/auth-client.js';
import {dialAuth} from '../../src/cluster/auth-dial.js';
import {HOST_WORDS} from '../../src/cluster/caller-words.js';
import type {Cluster, Identity, Node, Session} from '../../src/cluster/cluster.js';
import {Deadline} from '../../src/cluster/deadline.js';
import {type ListResourcesResponse, ListResourcesResponseSchema} from '../../src/cluster/gen/auth_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import type {FailureCode} from '../../src/errors.js';
import {parseAddress} from '../../src/ssh/address.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {parsePublicKey} from '../../src/ssh/key.js';
import {clientOf, failure, hostKey, joined, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// A node's conversation with Auth, through TLS routing.

describe('a session at Auth', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  let identity: Identity;
  let cluster: Cluster & AsyncDisposable;
  let session: Session;

  before(async () => {
    server = await temporaryCluster(hooks);
    ({identity} = await joined(server));
  });
  beforeEach(() => {
    cluster = clientOf(server);
    session = cluster.as(identity);
  });
  afterEach(async () => {
    hooks.testOnlyCall = undefined;
    hooks.testOnlyReply = undefined;
    await cluster.close();
    for (const {id} of server.nodes()) server.removeNode(id);
  });
  after(() => server.stop());

  const request = () => ({
    nodeId: identity.nodeId,
    nodeName: 'web1',
    additionalPrincipals: ['web1.example.com'],
  });
  const node = (changes: Partial<Node> = {}): Node => ({
    id: randomUUID(),
    hostname: 'web1',
    address: '10.0.0.5:22',
    labels: {env: 'prod'},
    subKind: 'openssh',
    ...changes,
  });

  it('tells the keys of an authority', async () => {
    const [openssh, host] = await Promise.all([session.authority('openssh'), session.authority('host')]);
    expect(openssh.active).to.have.length(1);
    expect(openssh.active[0]).to.match(/^ssh-ed25519 \S+$/);
    expect(openssh.additional).to.deep.equal([]);
    expect(host.active[0]).not.to.equal(openssh.active[0]);
  });

  it('certifies every key, in order, over one connection', async () => {
    const before = server.stats.connections;
    const keys = [hostKey('rsa2048'), hostKey('ed25519'), hostKey('p256')];
    const {certificates: lines} = await session.certify(
      {...request(), additionalPrincipals: ['0.0.0.0', 'db.example.com']},
      keys,
    );
    expect(lines.map((line) => parseCertificate(line).key)).to.deep.equal(
      keys.map((key) => parsePublicKey(key).blob),
    );
    expect(parseCertificate(lines[0] ?? '').principals)
      .to.include('db.example.com')
      .and.not.include('0.0.0.0');
    expect(server.stats.connections - before).to.equal(1);
    const nothing = {certificates: [], identity, signers: {ssh: [], tls: []}};
    expect(await session.certify(request(), [])).to.deep.equal(nothing);
  });

  it('refuses a certificate for another key', async () => {
    const stranger = hostKey();
    let first: Uint8Array | undefined;
    hooks.testOnlyReply = (_name, reply) => {
      if (!('ssh' in reply) || !(reply.ssh instanceof Uint8Array)) return reply;
      first ??= reply.ssh;
      return Object.assign(reply, {ssh: first});
    };
    await session.certify(request(), [stranger]);
    const refused = await failure(session.certify(request(), [hostKey()]));
    expect(refused).to.include({code: 'CLUSTER_REPLY_INVALID'});
    expect(refused.message).to.contain('it is for the key');
  });

  it('writes, finds, replaces and removes a node', async () => {
    const one = node();
    await session.putNode(one);
    expect(await session.nodesLike('web1', 'elsewhere:22')).to.deep.equal([one]);
    expect(await session.nodesLike('elsewhere', '10.0.0.5:22')).to.deep.equal([one]);
    expect(await session.node(one.id)).to.deep.equal(one);
    expect(await session.node(randomUUID())).to.equal(undefined);
    const other = {...one, labels: {env: 'test'}, hostname: 'web2'};
    await session.putNode(other);
    expect(server.nodes()).to.deep.equal([other]);
    await session.removeNode(one.id);
    expect(server.nodes()).to.deep.equal([]);
  });

  it('removes a node that is not there', () => session.removeNode(randomUUID()));

  it('finds exactly, not what contains the name or address', async () => {
    const nodes = [
      node({hostname: 'web', address: '10.0.0.1:22'}),
      node({hostname: 'web1', address: '10.0.0.2:22'}),
      node({hostname: 'web10', address: '10.0.0.50:22'}),
      node({hostname: 'db', address: '10.0.0.5:22', labels: {name: 'web1'}}),
      node({hostname: 'WEB1', address: '10.0.0.9:22'}),
    ];
    for (const one of nodes) await session.putNode(one);
    const found = await session.nodesLike('web1', '10.0.0.5:22');
    expect(found.map(({hostname}) => hostname).sort()).to.deep.equal(['db', 'web1']);
    expect(await session.nodesLike('web1', '')).to.have.length(1);
    expect(await session.nodesLike('', '')).to.deep.equal([]);
  });

  it('finds across pages', async () => {
    const nodes = ['n1', 'n2', 'n3', 'n4'].map((name) => node({hostname: 'n', address: `${name}:22`}));
    for (const one of nodes) await session.putNode(one);
    let pages = 0;
    hooks.testOnlyReply = (name, reply) => {
      if (!name.endsWith('ListResources')) return reply;
      pages += 1;
      const {resources, ...rest} = reply as ListResourcesResponse;
      const next = resources[1]?.resource.value?.metadata?.name;
      return next === undefined
        ? reply
        : create(ListResourcesResponseSchema, {...rest, resources: resources.slice(0, 1), nextKey: next});
    };
    expect(await session.nodesLike('n', '')).to.have.length(4);
    expect(pages).to.equal(4);
  });

  it('gives up on pages without end', async () => {
    hooks.testOnlyReply = (name, reply) =>
      name.endsWith('ListResources') ? Object.assign(reply, {nextKey: 'more'}) : reply;
    const refused = await failure(session.nodesLike('n', ''));
    expect(refused).to.include({code: 'CLUSTER_REPLY_INVALID'});
  });

  const refusals: readonly (readonly [string, Code, FailureCode, RegExp])[] = [
    [
      'permission denied',
      Code.PermissionDenied,
      'REQUEST_REFUSED',
      /does not allow this host to register a node/,
    ],
    ['invalid argument', Code.InvalidArgument, 'REQUEST_REFUSED', /refused to register a node/],
    ['failed precondition', Code.FailedPrecondition, 'REQUEST_REFUSED', /refused to register a node/],
    ['not found', Code.NotFound, 'REQUEST_REFUSED', /refused to register a node/],
    ['unimplemented', Code.Unimplemented, 'VERSION_UNSUPPORTED', /not able to register a node/],
    ['resource exhausted', Code.ResourceExhausted, 'CLUSTER_BUSY', /too busy/],
    ['unavailable', Code.Unavailable, 'CLUSTER_UNREACHABLE', /is not available/],
    ['unknown', Code.Unknown, 'CLUSTER_BUSY', /failed to register a node/],
  ];
  for (const [what, status, code, message] of refusals) {
    it(`says what it means: ${what}`, async () => {
      hooks.testOnlyCall = (name) =>
        name.endsWith('UpsertNode') ? {code: status, message: 'because\u001b[2J '} : undefined;
      await using impatient = clientOf(server, {deadline: 800});
      const refused = await failure(impatient.as(identity).putNode(node()));
      expect(refused.code).to.equal(code);
      expect(refused.message).to.match(message);
      expect(refused.hint).to.be.a('string');
      if (refused.detail !== undefined)
        expect(refused.detail).to.contain('because').and.not.contain('\u001b');
    });
  }

  it('asks again when Auth is busy for a moment, or the connection breaks', async () => {
    const troubles = [
      'close',
      {code: Code.Unavailable, message: 'x'},
      {code: Code.ResourceExhausted, message: 'x'},
    ] as const;
    let calls = 0;
    hooks.testOnlyCall = () => troubles[calls++];
    await session.putNode(node());
    expect(server.nodes()).to.have.length(1);
    expect(calls).to.equal(4);
  });

  it('connects again when the connection was lost between two questions', async () => {
    await session.authority('openssh');
    server.stats.closeAll();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await Promise.all([session.authority('openssh'), session.authority('host')]);
    const before = server.stats.connections;
    await session.authority('host');
    expect(server.stats.connections).to.equal(before);
  });

  it('says so when Auth closes every connection without a word', async () => {
    hooks.testOnlyCall = () => 'close';
    const refused = await failure(session.putNode(node()));
    expect(refused).to.include({code: 'CLUSTER_UNREACHABLE', exitCode: 5});
  });

  it('ends at once when the client is closed, with the call under way', async function () {
    this.timeout(10_000);
    await using patient = clientOf(server, {deadline: 600_000});
    const asking = patient.as(identity);
    let reached = () => {};
    const asked = new Promise<void>((resolve) => {
      reached = resolve;
    });
    hooks.testOnlyCall = () => {
      reached();
      return {code: Code.Unavailable, message: 'not now'};
    };
    const put = failure(asking.putNode(node()));
    await asked;
    await patient.close();
    expect(await put).to.include({code: 'INTERRUPTED'});
    expect(await failure(asking.authority('host'))).to.include({code: 'INTERRUPTED'});
  });

  it('is refused when the cluster no longer accepts the identity', async () => {
    await using other = await temporaryCluster({name: server.name});
    const {identity: foreign} = await joined(other);
    // Its authorities are the ones of this cluster, so we believe Auth; Auth does not believe us.
    const stale: Identity = {...foreign, authorities: identity.authorities};
    const refused = await failure(cluster.as(stale).authority('host'));
    expect(refused).to.include({
      code: 'REQUEST_REFUSED',
      message: 'the cluster no longer accepts this identity',
      hint: 'join again with a token',
    });
  });

  it('is refused so however late the first call comes: the alert is not lost', async () => {
    await using other = await temporaryCluster({name: server.name});
    const {identity: foreign} = await joined(other);
    const stale: Identity = {...foreign, authorities: identity.authorities};
    const signal = new AbortController().signal;
    const route = {target: parseAddress(server.proxy, 443), httpProxy: undefined};
    for (const pause of [0, 1, 5, 50]) {
      const connection = await dialAuth(route, stale, signal, HOST_WORDS.remedy);
      await new Promise((resolve) => setTimeout(resolve, pause));
      const client = new AuthClient(connection, 'test');
      const asked = client.call(
        {doing: 'answer', where: server.proxy, caller: HOST_WORDS},
        new Deadline(5000, signal),
        ({auth}, options) => auth.getDomainName({}, options),
      );
      expect(await failure(asked), `after ${pause} ms`).to.include({code: 'REQUEST_REFUSED'});
      client.close();
    }
  });

  it('is refused when the host is locked', async () => {
    const other = await joined(server);
    server.lock(other.identity.nodeId, 'stolen');
    const refused = await failure(cluster.as(other.identity).authority('host'));
    expect(refused).to.include({code: 'REQUEST_REFUSED', exitCode: 4});
    expect(refused.hint).to.contain('tctl get locks');
  });

  it('does not get a certificate in the name of another host', async () => {
    const refused = await failure(session.certify({...request(), nodeId: randomUUID()}, [hostKey()]));
    expect(refused).to.include({code: 'REQUEST_REFUSED'});
  });

  it('that presents a chain of two is closed by Auth without a word', async () => {
    const chain = {...identity, certificate: identity.certificate + identity.authorities.join('')};
    const refused = await failure(cluster.as(chain).authority('host'));
    expect(refused).to.include({code: 'CLUSTER_UNREACHABLE', exitCode: 5});
    expect(refused.message).to.match(/closed/);
  });

  it('works in a cluster whose name makes a label longer than DNS has', async () => {
    const name = `${'long-name-'.repeat(10)}.example`;
    await using long = await temporaryCluster({name});
    const {identity: member} = await joined(long);
    await using there = clientOf(long);
    expect((await there.as(member).authority('openssh')).active).to.have.length(1);
  });

  it('lets the process go: nothing of the client is left open', async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    await using other = clientOf(server, {deadline: 600_000});
    await other.join(joinRequest(server.token));
    await other.as(identity).authority('host');
    await other.close();
    const after = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    expect(after).to.be.at.most(before + 1);
  });
});
