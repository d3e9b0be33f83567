import {randomUUID} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {connect} from '../../src/cluster/client.js';
import type {Cluster, Operator} from '../../src/cluster/cluster.js';
import {readIdentity} from '../../src/commands/identity.js';
import {operatorOf} from '../../src/operations/operator.js';
import {addNodeToken, listTokens, removeTokenLike, withTemporaryToken} from '../../src/operations/tokens.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {hostKey, joinRequest} from '../support/cluster-client.js';
import {skip} from '../support/skip.js';

// A person or a bot at a real Teleport: TELEPORT_PROXY (host:port), TELEPORT_IDENTITY (file of `tctl auth sign
// --format=file`, or output directory of tbot, with the role that README names), and TELEPORT_CA_FILE where the system does
// not trust the proxy's web certificate. Leaves nothing behind.

describe('a real Teleport, with an identity', function () {
  this.timeout(60_000);
  const {TELEPORT_PROXY: proxy, TELEPORT_IDENTITY: path, TELEPORT_CA_FILE: caFile} = process.env;
  const warnings: string[] = [];
  const report = {warn: (text: string) => warnings.push(text)};
  const node = {
    id: randomUUID(),
    hostname: `interop-${randomUUID()}`,
    address: 'interop.test:2222',
    labels: {'test/interop': 'yes'},
    subKind: 'openssh',
  };
  let cluster: Cluster;
  let operator: Operator;

  before(async function () {
    if (!proxy || !path) skip(this, 'TELEPORT_PROXY and TELEPORT_IDENTITY are not set');
    const trusted = caFile ? {caFile: [readFileSync(caFile, 'utf8')]} : {};
    const identity = await readIdentity(path, report.warn);
    cluster = connect({proxy, clientVersion: '0.0.0', env: process.env, ...trusted});
    operator = await operatorOf(cluster, identity);
  });
  after(() => cluster?.close());

  it('makes a token, lists it by its first characters, and deletes it', async () => {
    const labels = {'test/interop': randomUUID()};
    const {value} = await addNodeToken(operator, {ttlSeconds: 300, labels});
    const listed = (await listTokens(operator)).find(({token}) => token.name.reveal() === value.reveal());
    expect(listed?.token).to.deep.include({roles: ['Node'], joinMethod: 'token', labels});
    expect(value.reveal().startsWith(listed?.shown ?? 'nothing')).to.equal(true);
    await removeTokenLike(operator, listed?.shown ?? '');
    expect(await operator.removeToken(value)).to.equal(false);
  });

  it('joins a host with a token that is gone afterwards', async () => {
    let used = '';
    const {identity} = await withTemporaryToken(operator, report, (token) => {
      used = token.reveal();
      return cluster.join(joinRequest(used));
    });
    expect(identity.cluster).to.equal((await cluster.describe()).name);
    const values = (await operator.tokens()).map(({name}) => name.reveal());
    expect(values).to.not.include(used);
    expect(warnings).to.deep.equal([]);
  });

  it('certifies a key of a host that has not joined', async () => {
    const request = {nodeId: node.id, nodeName: 'interop', additionalPrincipals: ['0.0.0.0', 'interop.test']};
    const {certificates} = await operator.certify(request, [hostKey()]);
    const [line = ''] = certificates;
    expect(parseCertificate(line).principals)
      .to.include.members([node.id, 'interop', 'interop.test'])
      .and.not.include('0.0.0.0');
  });

  it('writes a node, and removes it again', async () => {
    await operator.putNode(node);
    try {
      const patience = Date.now() + 5000;
      while ((await operator.node(node.id)) === undefined && Date.now() < patience) {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      expect(await operator.node(node.id)).to.deep.equal(node);
      expect((await operator.nodes()).map(({id}) => id)).to.include(node.id);
    } finally {
      await operator.removeNode(node.id);
    }
  });
});
