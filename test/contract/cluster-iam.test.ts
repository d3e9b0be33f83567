import {inspect} from 'node:util';
import {Code, ConnectError} from '@connectrpc/connect';
import {expect} from 'chai';
import {gatherProof, type Proof} from '../../src/cluster/proof.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {parsePublicKey} from '../../src/ssh/key.js';
import {ACCOUNT, CALLERS, CREDENTIALS, CREDENTIALS_ENV, REGION} from '../support/aws.js';
import {clientOf, failure, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {type JoinServer, joinServer} from '../support/join-server.js';

// Joining by a token of method iam.

const STREAM = 'proto.JoinService/RegisterUsingIAMMethod';
const SECRETS = [CREDENTIALS.secret, CREDENTIALS.sessionToken, 'verysecrettoken'];

/** Fails when an error, printed with everything in it, shows what nobody may see. */
function expectNoSecret(error: Error): void {
  const shown = inspect(error, {depth: 9, showHidden: true});
  for (const secret of SECRETS) expect(shown).not.to.contain(secret);
  expect(shown).not.to.match(/Signature=[0-9a-f]{8}/);
}

describe('joining by method iam', () => {
  const hooks: Partial<ClusterOptions> = {testOnlyAws: {callers: CALLERS}};
  let server: TemporaryCluster;
  let token = '';
  let proof: Proof;

  before(async () => {
    server = await temporaryCluster(hooks);
    const allow = [{awsAccount: ACCOUNT, awsArn: 'arn:aws:sts::*:assumed-role/web/i-*'}];
    token = server.addToken({roles: ['Node'], joinMethod: 'iam', value: 'verysecrettoken', allow});
    proof = await gatherProof('iam', CREDENTIALS_ENV);
  });
  afterEach(() => {
    hooks.testOnlyCall = undefined;
  });
  after(() => server.stop());

  const streams = () => server.stats.requests[STREAM] ?? 0;
  const attempt = async (env: Record<string, string> = {}, value = token) => {
    await using cluster = clientOf(server);
    const other = await gatherProof('iam', {...CREDENTIALS_ENV, ...env});
    const error = await failure(cluster.join(joinRequest(value, {proof: other})));
    expectNoSecret(error);
    return error;
  };

  it('gives a verified host certificate and an identity, and posts nothing', async () => {
    await using cluster = clientOf(server);
    const request = joinRequest(token, {proof});
    const {identity, certificate} = await cluster.join(request);
    expect(parseCertificate(certificate).key).to.deep.equal(parsePublicKey(request.hostKey).blob);
    expect(identity).to.include({cluster: server.name, nodeId: request.nodeId});
    expect((await cluster.as(identity).authority('openssh')).active).to.have.length(1);
    expect(server.stats.requests['POST /webapi/host/credentials']).to.equal(undefined);
  });

  it('works in every region and at the FIPS and global endpoints', async () => {
    await using cluster = clientOf(server);
    const fips = {AWS_USE_FIPS_ENDPOINT: 'true'};
    const regions = ['us-gov-west-1', 'cn-north-1', 'us-iso-east-1', 'us-isob-east-1', 'aws-global'];
    const envs = [...regions.map((AWS_REGION) => ({AWS_REGION})), fips];
    for (const env of [...envs, {...fips, AWS_REGION: 'us-west-2'}, {...fips, AWS_REGION: 'us-gov-east-1'}]) {
      const other = await gatherProof('iam', {...CREDENTIALS_ENV, ...env});
      await cluster.join(joinRequest(token, {proof: other}));
    }
  });

  it('checks pins and certificates as with any token', async () => {
    await using cluster = clientOf(server, {caPin: [`sha256:${'0'.repeat(64)}`]});
    const error = await failure(cluster.join(joinRequest(token, {proof})));
    expect(error).to.include({code: 'CLUSTER_UNTRUSTED'});
    hooks.testOnlyJoinReply = (reply) => ({...reply, tlsCaCerts: [reply.tls]});
    await using other = clientOf(server);
    const invalid = await failure(other.join(joinRequest(token, {proof})));
    hooks.testOnlyJoinReply = undefined;
    expect(invalid).to.include({code: 'CLUSTER_REPLY_INVALID'});
  });

  describe('is refused at once, in words', () => {
    const token2 = () => server.addToken({roles: ['Node'], value: 'verysecrettoken2'});
    const cases: readonly (readonly [string, Record<string, string>, () => string, string, RegExp])[] = [
      ['a wrong secret', {AWS_SECRET_ACCESS_KEY: 'x'}, () => token, 'REQUEST_REFUSED', /not accepted by AWS/],
      ['no session', {AWS_SESSION_TOKEN: ''}, () => token, 'REQUEST_REFUSED', /not accepted by AWS/],
      ['an unknown region', {AWS_REGION: 'xx-none-1'}, () => token, 'REQUEST_REFUSED', /region of this host/],
      ['a token that does not exist', {}, () => 'verysecrettoken3', 'TOKEN_REFUSED', /does not exist/],
      ['a token of method token', {}, token2, 'TOKEN_REFUSED', /is not for the join method iam/],
      [
        'a token of another role',
        {},
        () => server.addToken({roles: ['Proxy'], joinMethod: 'iam'}),
        'ROLE_REFUSED',
        /as a node/,
      ],
      [
        'a token for others',
        {},
        () => server.addToken({roles: ['Node'], joinMethod: 'iam', allow: [{awsAccount: '999922223333'}]}),
        'TOKEN_REFUSED',
        /no allow rule/,
      ],
    ];
    for (const [what, env, value, code, message] of cases) {
      it(what, async () => {
        const before = streams();
        const error = await attempt(env, value());
        expect(error).to.include({code, exitCode: 4});
        expect(error.message).to.match(message);
        expect(error.hint).to.be.a('string').that.is.not.empty;
        expect(streams() - before).to.equal(1);
      });
    }

    it('a host that is locked', async () => {
      await using cluster = clientOf(server);
      const request = joinRequest(token, {proof});
      server.lock(request.nodeId, 'stolen');
      expect((await failure(cluster.join(request))).message).to.equal('the cluster has locked this host out');
    });

    it('a token of method iam without the method, which the hint names', async () => {
      await using cluster = clientOf(server);
      const error = await failure(cluster.join(joinRequest(token)));
      expect(error).to.include({code: 'TOKEN_REFUSED', message: 'the token is for the join method iam'});
      expect(error.hint).to.contain('--join-method');
    });
  });

  it('tries again when the stream is lost, and when the cluster is busy', async () => {
    let left = 2;
    hooks.testOnlyCall = (name) => {
      if (name !== STREAM || left === 0) return undefined;
      left -= 1;
      return left === 1 ? 'close' : {code: Code.ResourceExhausted, message: 'rate limit exceeded'};
    };
    await using cluster = clientOf(server);
    const before = streams();
    await cluster.join(joinRequest(token, {proof}));
    expect(streams() - before).to.equal(3);
  });

  it('gives up a stream that is always lost', async () => {
    hooks.testOnlyCall = (name) => (name === STREAM ? 'close' : undefined);
    expect(await attempt()).to.include({code: 'CLUSTER_UNREACHABLE', exitCode: 5});
  });

  it('trusts the web address by the same rule as everything else', async () => {
    await using other = await temporaryCluster({testOnlyWebCertificate: {names: ['elsewhere.test']}});
    await using cluster = clientOf(other);
    expect(await failure(cluster.join(joinRequest(token, {proof})))).to.include({code: 'CLUSTER_UNTRUSTED'});
    expect(other.stats.requests).to.deep.equal({});
    await using insecure = clientOf(other, {insecure: true});
    expect(await failure(insecure.join(joinRequest(token, {proof})))).to.include({code: 'TOKEN_REFUSED'});
  });

  describe('by a server that is not right', () => {
    const ask = async (peer: JoinServer) => {
      const error = await failure(peer.joinByIam(joinRequest('verysecrettoken', {proof}), proof));
      expectNoSecret(error);
      return error;
    };

    it('whose challenge would be more than a header: nothing is signed', async () => {
      for (const challenge of ['x', `${'A'.repeat(43)}\r\nhost: evil`, 'A'.repeat(5000)]) {
        let answers = 0;
        await using peer = await joinServer(async function* (requests) {
          yield {challenge};
          for await (const _ of requests) answers += 1;
        });
        expect(await ask(peer)).to.include({code: 'CLUSTER_REPLY_INVALID', exitCode: 5});
        expect(answers).to.equal(0);
      }
    });

    it('that ends without certificates', async () => {
      await using peer = await joinServer(async function* () {
        yield {challenge: 'A'.repeat(43)};
      });
      expect((await ask(peer)).message).to.contain('sent no certificates');
    });

    for (const code of [Code.PermissionDenied, Code.Unknown, Code.Unavailable]) {
      it(`that repeats what it was sent (${Code[code]})`, async () => {
        let said = '';
        await using peer = await joinServer(async function* (requests) {
          yield {challenge: 'A'.repeat(43)};
          for await (const {stsIdentityRequest, registerUsingTokenRequest} of requests) {
            said = `${registerUsingTokenRequest?.token} ${Buffer.from(stsIdentityRequest).toString('latin1')}`;
            const quoted = JSON.stringify(`${said} ${CREDENTIALS.secret}`);
            throw new ConnectError(`bad request ${quoted}`, code, {'x-debug': CREDENTIALS.sessionToken});
          }
        });
        const error = await ask(peer);
        expect(said).to.contain(CREDENTIALS.sessionToken).and.contain(`sts.${REGION}.amazonaws.com`);
        expect(error.detail).to.match(/\[secret\]/);
      });
    }

    it('that never answers: given up in time', async () => {
      await using peer = await joinServer(async function* (_requests, {signal}) {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        yield {challenge: ''};
      });
      const error = await failure(peer.joinByIam(joinRequest('verysecrettoken', {proof}), proof, 400));
      expect(error).to.include({code: 'CLUSTER_UNREACHABLE'});
      expect(error.message).to.contain('does not answer');
    });

    it('that passes no gRPC on, as a layer 7 balancer', async () => {
      await using peer = await joinServer(undefined);
      const error = await ask(peer);
      expect(error).to.include({code: 'CLUSTER_UNREACHABLE'});
      expect(error.message).to.contain('does not pass gRPC on');
    });
  });
});
