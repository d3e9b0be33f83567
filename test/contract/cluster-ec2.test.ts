import {inspect} from 'node:util';
import {expect} from 'chai';
import {gatherProof, type Proof} from '../../src/cluster/proof.js';
import type {AllowRule} from '../../src/devcluster/tokens.js';
import {Secret} from '../../src/errors.js';
import {
  ACCOUNT,
  type Authority,
  type Description,
  description,
  INSTANCE,
  instanceAnswers,
  metadataServer,
  newAuthority,
  REGION,
  signedDocument,
} from '../support/aws.js';
import {clientOf, failure, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// Joining by a token of method ec2.

const NODE_ID = `${ACCOUNT}-${INSTANCE}`;

describe('joining by method ec2', () => {
  let server: TemporaryCluster;
  let authority: Authority;
  before(async () => {
    authority = newAuthority();
    server = await temporaryCluster({testOnlyAws: {authorities: {[REGION]: authority.certificate}}});
  });
  after(() => server.stop());

  const token = (allow: readonly AllowRule[] = [{awsAccount: ACCOUNT, awsRegions: [REGION]}]) =>
    server.addToken({roles: ['Node'], joinMethod: 'ec2', allow, iidTtlSeconds: 90});
  const proofOf = (document: string): Proof => ({
    method: 'ec2',
    nodeId: NODE_ID,
    document: new Secret(document),
  });
  const described = (changes: Description) => proofOf(signedDocument(authority, description(changes)));
  const attempt = async (proof: Proof, value = token(), nodeId = NODE_ID) => {
    await using cluster = clientOf(server);
    const before = server.stats.requests['POST /webapi/host/credentials'] ?? 0;
    const error = await failure(cluster.join(joinRequest(value, {proof, nodeId})));
    expect((server.stats.requests['POST /webapi/host/credentials'] ?? 0) - before).to.equal(1);
    expect(inspect(error, {depth: 9})).not.to.contain(value);
    expect(error.hint).to.be.a('string').that.is.not.empty;
    return error;
  };

  it('joins as the instance that it is', async () => {
    await using service = await metadataServer(instanceAnswers(authority));
    const proof = await gatherProof('ec2', service.env);
    await using cluster = clientOf(server);
    const {identity} = await cluster.join(joinRequest(token(), {proof, nodeId: NODE_ID}));
    expect(identity.nodeId).to.equal(NODE_ID);
    expect((await cluster.as(identity).authority('openssh')).active).to.have.length(1);
  });

  it('joins with a document whose content is signed without attributes', async () => {
    await using cluster = clientOf(server);
    const proof = proofOf(signedDocument(authority, description(), false));
    await cluster.join(joinRequest(token([{}]), {proof, nodeId: NODE_ID}));
  });

  it('joins with an ordinary token too, under the same name', async () => {
    await using cluster = clientOf(server);
    const {identity} = await cluster.join(joinRequest(server.token, {proof: described({}), nodeId: NODE_ID}));
    expect(identity.nodeId).to.equal(NODE_ID);
  });

  const ago = (seconds: number) => ({pendingTime: new Date(Date.now() - seconds * 1000).toISOString()});
  const cases: readonly (readonly [string, () => Promise<Error>, string, RegExp])[] = [
    [
      'signed by somebody else',
      () => attempt(proofOf(signedDocument(newAuthority(), description()))),
      'REQUEST_REFUSED',
      /invalid signature/,
    ],
    [
      'of a region without authority',
      () => attempt(described({region: 'eu-west-1'})),
      'REQUEST_REFUSED',
      /unsupported EC2 region: "eu-west-1"/,
    ],
    [
      'that is no document',
      () => attempt(proofOf('???')),
      'REQUEST_REFUSED',
      /unable to decode Instance Identity Document/,
    ],
    ['that is no signed data', () => attempt(proofOf('AAAA')), 'REQUEST_REFUSED', /says: ber2der/],
    [
      'of an instance started too long ago',
      () => attempt(described(ago(100))),
      'REQUEST_REFUSED',
      /is older than configured TTL of 1m30s/,
    ],
    ['from the future', () => attempt(described(ago(-100))), 'REQUEST_REFUSED', /in the future/],
    [
      'of another account',
      () => attempt(described({}), token([{awsAccount: '9'}])),
      'TOKEN_REFUSED',
      /did not match any allow rules/,
    ],
    [
      'of another region',
      () => attempt(described({}), token([{awsRegions: ['eu-west-1']}])),
      'TOKEN_REFUSED',
      /did not match any allow rules/,
    ],
    [
      'for another host id',
      () => attempt(described({}), token(), 'web1'),
      'REQUEST_REFUSED',
      /invalid host ID "web1", expected/,
    ],
  ];
  for (const [what, work, code, said] of cases) {
    it(`is refused at once with a document ${what}`, async () => {
      const error = await work();
      expect(error).to.include({code, exitCode: 4});
      expect(error).to.have.property('detail').that.matches(said);
    });
  }

  it('is refused when one byte of the content was changed', async () => {
    const good = signedDocument(authority, description());
    const bytes = Buffer.from(good, 'base64');
    const at = bytes.indexOf(ACCOUNT);
    bytes[at] = 0x39;
    const error = await attempt(proofOf(bytes.toString('base64')));
    expect(error.detail).to.contain('invalid signature');
  });

  it('is refused when the cluster has a node of this instance, with what to do', async () => {
    await using cluster = clientOf(server);
    const {identity} = await cluster.join(joinRequest(token(), {proof: described({}), nodeId: NODE_ID}));
    const session = cluster.as(identity);
    const node = {id: NODE_ID, hostname: 'web1', address: '10.0.0.5:22', labels: {}, subKind: 'openssh'};
    await session.putNode(node);
    const error = await attempt(described({}));
    expect(error).to.include({code: 'NODE_EXISTS', exitCode: 4});
    expect(error.hint).to.contain(`tctl rm node/${NODE_ID}`);
    await session.removeNode(NODE_ID);
    await cluster.join(joinRequest(token(), {proof: described({}), nodeId: NODE_ID}));
  });

  it('is refused without the method, and the hint names it', async () => {
    const error = await attempt({method: 'token'});
    expect(error).to.include({code: 'TOKEN_REFUSED', message: 'the token is for the join method ec2'});
    expect(error.hint).to.contain('--join-method');
  });

  it('takes 429 and 503 for what they are, and only 500 for a verdict', async () => {
    let left = 2;
    await using other = await temporaryCluster({
      testOnlyAws: {authorities: {[REGION]: authority.certificate}},
      testOnlyHttp: ({method}) => {
        if (method !== 'POST' || left === 0) return undefined;
        left -= 1;
        return {status: left === 1 ? 429 : 503, body: '{"error":{"message":"later"}}'};
      },
    });
    const value = other.addToken({roles: ['Node'], joinMethod: 'ec2', allow: [{}]});
    await using cluster = clientOf(other);
    await cluster.join(joinRequest(value, {proof: described({}), nodeId: NODE_ID}));
    expect(left).to.equal(0);
  });
});
