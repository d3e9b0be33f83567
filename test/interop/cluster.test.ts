import {randomUUID} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {connect} from '../../src/cluster/client.js';
import type {Cluster, HostSession, Identity, Node} from '../../src/cluster/cluster.js';
import {seenAddress} from '../../src/cluster/identity.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {parsePublicKey} from '../../src/ssh/key.js';
import {failure, hostKey, joinRequest} from '../support/cluster-client.js';
import {skip} from '../support/skip.js';

// The client against a real Teleport: TELEPORT_PROXY (host:port), TELEPORT_TOKEN (role Node), and TELEPORT_CA_FILE
// where the system does not trust the proxy's web certificate. Leaves nothing behind.

describe('a real Teleport', function () {
  this.timeout(60_000);
  const {TELEPORT_PROXY: proxy, TELEPORT_TOKEN: token = '', TELEPORT_CA_FILE: caFile} = process.env;
  const request = joinRequest(token, {
    nodeName: `interop-${randomUUID()}`,
    additionalPrincipals: ['0.0.0.0', 'interop.test'],
  });
  const node: Node = {
    id: request.nodeId,
    hostname: request.nodeName,
    address: 'interop.test:2222',
    labels: {'test/interop': 'yes'},
    subKind: 'openssh',
  };
  let cluster: Cluster;
  let identity: Identity;
  let session: HostSession;

  before(function () {
    if (!proxy || token === '') skip(this, 'TELEPORT_PROXY and TELEPORT_TOKEN are not set');
    const trusted = caFile ? {caFile: [readFileSync(caFile, 'utf8')]} : {};
    cluster = connect({proxy, clientVersion: '0.0.0', env: process.env, ...trusted});
  });
  after(() => cluster?.close());

  it('tells about itself', async () => {
    const info = await cluster.describe();
    expect(info.version).to.match(/^\d+\.\d+\.\d+/);
    expect(info.name).to.be.a('string').that.is.not.empty;
  });

  it('refuses a token that does not exist', async () => {
    const refused = await failure(cluster.join(joinRequest(randomUUID())));
    expect(refused).to.include({code: 'TOKEN_REFUSED', exitCode: 4});
  });

  it('joins a host', async () => {
    const {name} = await cluster.describe();
    const joined = await cluster.join(request);
    identity = joined.identity;
    session = cluster.as(identity);
    expect(identity).to.include({cluster: name, nodeId: request.nodeId});
    const {principals} = parseCertificate(joined.certificate);
    expect(principals)
      .to.include.members([node.id, node.hostname, 'interop.test'])
      .and.not.include('0.0.0.0');
    // Undefined where the cluster is on this machine.
    expect(seenAddress(joined.certificate, [])).to.satisfy(
      (ip?: string) => ip === undefined || /[.:]/.test(ip),
    );
  });

  it('tells its authorities and certifies further keys', async () => {
    const keys = [hostKey('p256'), hostKey('rsa2048')];
    const [openssh, host, {certificates, identity: renewed, signers: by}] = await Promise.all([
      session.authority('openssh'),
      session.authority('host'),
      session.certify(request, keys),
    ]);
    expect(openssh.active).to.have.length(1);
    expect(by).to.deep.equal({ssh: host.active, tls: host.tls.active});
    const {active, additional, tls} = host;
    expect(await cluster.hostAuthorities()).to.deep.equal({tls: tls.active, ssh: [...active, ...additional]});
    // The renewed identity is accepted, and knows Auth.
    expect(await cluster.as(renewed).authority('openssh')).to.deep.equal(openssh);
    const signers = certificates.map((line) => parseCertificate(line).authority);
    for (const signer of signers) expect(signer).to.deep.equal(parsePublicKey(host.active[0] ?? '').blob);
  });

  it('registers the node, finds it once its reads have caught up, and removes it', async () => {
    await session.putNode(node);
    try {
      await eventually(async () => {
        expect(await session.nodesLike(node.hostname, '')).to.deep.equal([node]);
      });
      expect((await session.nodesLike('', node.address)).map(({id}) => id)).to.include(node.id);
      expect(await session.nodesLike(node.hostname.slice(0, -1), '')).to.deep.equal([]);
    } finally {
      await session.removeNode(node.id);
    }
    await session.removeNode(node.id);
    await eventually(async () => {
      expect(await session.nodesLike(node.hostname, '')).to.deep.equal([]);
    });
  });

  it('refuses what a node may not do', async () => {
    const other = {...request, nodeId: randomUUID()};
    expect(await failure(session.certify(other, [hostKey()]))).to.include({code: 'REQUEST_REFUSED'});
    expect(await failure(session.putNode({...node, address: 'no-port'}))).to.include({
      code: 'REQUEST_REFUSED',
    });
  });

  it('closes a connection that presents two certificates', async () => {
    const chain = {...identity, certificate: identity.certificate + identity.authorities.join('')};
    expect(await failure(cluster.as(chain).authority('host'))).to.include({code: 'CLUSTER_UNREACHABLE'});
  });
});

/** Reads lag behind writes by about a second. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await check();
    } catch (error) {
      if (tries === 40) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
