import {X509Certificate} from 'node:crypto';
import {inspect} from 'node:util';
import {create} from '@bufbuild/protobuf';
import {expect} from 'chai';
import type {SignatureSuite} from '../../src/cluster/cluster.js';
import {type Certs, CertsSchema} from '../../src/cluster/gen/auth_pb.js';
import {seenAddress} from '../../src/cluster/identity.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {FOREVER, parseCertificate, signCertificate} from '../../src/ssh/certificate.js';
import {generateKey, parsePublicKey, publicBlob} from '../../src/ssh/key.js';
import {clientOf, failure, hostKey, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// Joining by a token, against a cluster that really signs.

describe('joining', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;

  before(async () => {
    server = await temporaryCluster(hooks);
  });
  afterEach(() => {
    hooks.testOnlyJoinReply = undefined;
    hooks.testOnlyFind = undefined;
  });
  after(() => server.stop());

  const posts = () => server.stats.requests['POST /webapi/host/credentials'] ?? 0;

  it('gives a verified host certificate and an identity of its own', async () => {
    await using cluster = clientOf(server);
    const request = joinRequest(server.token);
    const {identity, certificate, hostAuthorities} = await cluster.join(request);
    const read = parseCertificate(certificate);
    expect(read.key).to.deep.equal(parsePublicKey(request.hostKey).blob);
    expect(read.principals).to.include.members(['web1', 'web1.example.com', request.nodeId, '10.0.0.5']);
    expect(read.authority).to.deep.equal(parsePublicKey(hostAuthorities[0] ?? '').blob);
    expect(identity).to.include({cluster: server.name, nodeId: request.nodeId});
    const tls = new X509Certificate(identity.certificate);
    expect(tls.toLegacyObject().subject).to.include({CN: `${request.nodeId}.${server.name}`, O: 'Node'});
    expect(identity.key.reveal()).to.contain('BEGIN PRIVATE KEY');
  });

  it('shows the address that the cluster sees when 0.0.0.0 was asked for', async () => {
    await using cluster = clientOf(server);
    const request = joinRequest(server.token, {additionalPrincipals: ['0.0.0.0', '10.0.0.5']});
    const {certificate} = await cluster.join(request);
    // Seen from this machine's loopback, which every certificate names.
    expect(seenAddress(certificate, ['10.0.0.5'])).to.equal(undefined);
    expect(seenAddress(certificate, [])).to.equal('10.0.0.5');
  });

  it('makes one request to find the cluster and one to join, over one connection', async () => {
    await using other = await temporaryCluster();
    await using cluster = clientOf(other);
    await cluster.describe();
    await cluster.join(joinRequest(other.token));
    await cluster.describe();
    expect(other.stats.requests).to.deep.equal({'GET /webapi/find': 1, 'POST /webapi/host/credentials': 1});
    expect(other.stats.connections).to.equal(1);
  });

  describe('with a bad token', () => {
    const cases: readonly (readonly [string, () => string, string, RegExp])[] = [
      ['that does not exist', () => 'no-such-token', 'TOKEN_REFUSED', /expired or does not exist/],
      [
        'that has expired',
        () => server.addToken({roles: ['Node'], ttlSeconds: -1}),
        'TOKEN_REFUSED',
        /expired/,
      ],
      [
        'of another role',
        () => server.addToken({roles: ['Proxy']}),
        'ROLE_REFUSED',
        /does not allow this host/,
      ],
      [
        'of another method',
        () => server.addToken({roles: ['Node'], joinMethod: 'iam'}),
        'TOKEN_REFUSED',
        /join method iam/,
      ],
      [
        'of a method with proof',
        () => server.addToken({roles: ['Node'], joinMethod: 'github'}),
        'TOKEN_REFUSED',
        /Github/,
      ],
    ];
    for (const [which, token, code, message] of cases) {
      it(`${which}: refused at once, with a hint`, async () => {
        await using cluster = clientOf(server);
        const value = token();
        const before = posts();
        const error = await failure(cluster.join(joinRequest(value)));
        expect(error).to.include({code, exitCode: 4});
        expect(error.message).to.match(message);
        expect(error.hint).to.contain('tctl tokens add');
        expect(posts() - before).to.equal(1);
        expect(inspect(error, {depth: 9})).not.to.contain(value);
      });
    }

    it('that is empty: a usage error, and nothing is sent', async () => {
      await using cluster = clientOf(server);
      const before = posts();
      expect(await failure(cluster.join(joinRequest('')))).to.include({code: 'USAGE', exitCode: 2});
      expect(posts()).to.equal(before);
    });
  });

  it('says so when the cluster has locked the host', async () => {
    await using cluster = clientOf(server);
    const request = joinRequest(server.token);
    server.lock(request.nodeId, 'stolen');
    const error = await failure(cluster.join(request));
    expect(error).to.include({code: 'REQUEST_REFUSED', message: 'the cluster has locked this host out'});
    expect(error.detail).to.contain('stolen');
  });

  describe('with --ca-pin', () => {
    it('accepts the authority that has the pin', async () => {
      await using cluster = clientOf(server, {caPin: [server.caPin.toUpperCase().replace('SHA', 'sha')]});
      await cluster.join(joinRequest(server.token));
    });

    it('refuses another, and names the pin that it has', async () => {
      await using cluster = clientOf(server, {caPin: [`sha256:${'0'.repeat(64)}`]});
      const error = await failure(cluster.join(joinRequest(server.token)));
      expect(error).to.include({code: 'CLUSTER_UNTRUSTED', exitCode: 5});
      expect(error.detail).to.equal(`received ${server.caPin}`);
    });

    it('wants a pin for each authority, as during a rotation', async () => {
      await using other = await temporaryCluster({name: server.name});
      let second: Uint8Array[] = [];
      const otherHooks: Partial<ClusterOptions> = {};
      await using again = await temporaryCluster(Object.assign(otherHooks, {name: server.name}));
      {
        await using cluster = clientOf(other);
        const {identity} = await cluster.join(joinRequest(other.token));
        second = identity.authorities.map((pem) => Buffer.from(pem));
      }
      otherHooks.testOnlyJoinReply = (reply) => ({...reply, tlsCaCerts: [...reply.tlsCaCerts, ...second]});
      await using both = clientOf(again, {caPin: [again.caPin, other.caPin]});
      const {identity} = await both.join(joinRequest(again.token));
      expect(identity.authorities).to.have.length(2);
      await using one = clientOf(again, {caPin: [again.caPin]});
      expect((await failure(one.join(joinRequest(again.token)))).detail).to.equal(`received ${other.caPin}`);
    });

    it('refuses a pin that is none', () => {
      for (const pin of [
        '',
        'sha256:',
        `sha1:${'0'.repeat(64)}`,
        `sha256:${'0'.repeat(63)}`,
        'x'.repeat(5000),
      ]) {
        expect(() => clientOf(server, {caPin: [pin]}), pin.slice(0, 20)).to.throw('is not a pin');
      }
    });
  });

  describe('with an answer that is not right', () => {
    const changed = (reply: Certs, changes: Partial<Certs>) => create(CertsSchema, {...reply, ...changes});
    const signed = (line: Uint8Array, changes: object, key = server.testOnlySshKey('host')) => {
      const read = parseCertificate(Buffer.from(line).toString());
      const fields = {...read, extensions: Object.fromEntries(read.extensions), ...changes};
      return Buffer.from(signCertificate({...fields, validBefore: FOREVER, criticalOptions: {}}, key));
    };
    const cases: readonly (readonly [string, (reply: Certs) => Partial<Certs>, RegExp])[] = [
      [
        'for another key',
        (r) => ({ssh: signed(r.ssh, {key: publicBlob(generateKey('ed25519'))})}),
        /is for the key SHA256:/,
      ],
      ['of the wrong type', (r) => ({ssh: signed(r.ssh, {type: 'user'})}), /a user certificate/],
      [
        'not signed by the authority',
        (r) => ({ssh: signed(r.ssh, {}, generateKey('ed25519'))}),
        /not an authority of the cluster/,
      ],
      ['without a wanted name', (r) => ({ssh: signed(r.ssh, {principals: ['x']})}), /does not name/],
      [
        'of another host',
        (r) => ({
          ssh: signed(r.ssh, {principals: ['x', ...parseCertificate(`${Buffer.from(r.ssh)}`).principals]}),
        }),
        /it is for "x"/,
      ],
      [
        'of another role',
        (r) => ({
          ssh: signed(r.ssh, {extensions: {'x-teleport-authority': server.name, 'x-teleport-role': 'Proxy'}}),
        }),
        /role is "Proxy"/,
      ],
      [
        'of another cluster',
        (r) => ({ssh: signed(r.ssh, {extensions: {'x-teleport-authority': 'x', 'x-teleport-role': 'Node'}})}),
        /of the cluster "x"/,
      ],
      [
        'that cannot be read',
        () => ({ssh: Buffer.from('ssh-ed25519 AAAA')}),
        /host certificate from the cluster is not right/,
      ],
      [
        'with an authority that cannot be read',
        () => ({sshCaCerts: [Buffer.from('nonsense')]}),
        /host authority from the cluster/,
      ],
      [
        'without a client certificate',
        () => ({tls: Buffer.from('nonsense')}),
        /client certificate .* cannot be read/,
      ],
      [
        'with a chain of client certificates',
        (r) => ({tls: Buffer.concat([r.tls, ...r.tlsCaCerts])}),
        /more than one/,
      ],
      ['without TLS authorities', () => ({tlsCaCerts: []}), /TLS authorities .* cannot be read/],
      [
        'with a leaf for a TLS authority',
        (r) => ({tlsCaCerts: [r.tls]}),
        /not a certificate of an authority/,
      ],
    ];
    for (const [what, change, message] of cases) {
      it(`${what}: refused`, async () => {
        hooks.testOnlyJoinReply = (reply) => changed(reply, change(reply));
        await using cluster = clientOf(server);
        const error = await failure(cluster.join(joinRequest(server.token)));
        expect(error).to.include({code: 'CLUSTER_REPLY_INVALID', exitCode: 5});
        expect(error.message).to.match(message);
      });
    }

    it('with the client certificate of another join: refused', async () => {
      let first: Certs | undefined;
      hooks.testOnlyJoinReply = (reply) => {
        first ??= reply;
        return changed(reply, {tls: first.tls});
      };
      await using cluster = clientOf(server);
      const request = joinRequest(server.token);
      await cluster.join(request);
      expect((await failure(cluster.join(request))).message).to.contain('the client certificate');
      expect((await failure(cluster.join(request))).message).to.contain('is for another key');
    });

    it('with the authorities of another cluster: refused', async () => {
      await using other = await temporaryCluster({name: 'other.example'});
      await using elsewhere = clientOf(other);
      const {identity} = await elsewhere.join(joinRequest(other.token));
      hooks.testOnlyJoinReply = (reply) =>
        changed(reply, {tlsCaCerts: identity.authorities.map((pem) => Buffer.from(pem))});
      await using cluster = clientOf(server);
      const error = await failure(cluster.join(joinRequest(server.token)));
      expect(error.message).to.contain('belongs to "other.example", not to dev.example');
    });

    it('of another cluster than find has told: refused', async () => {
      hooks.testOnlyFind = (body) => ({...body, cluster_name: 'other.example'});
      await using cluster = clientOf(server);
      const error = await failure(cluster.join(joinRequest(server.token)));
      expect(error).to.include({code: 'CLUSTER_REPLY_INVALID'});
    });
  });
});

describe('joining a cluster of every suite', () => {
  for (const suite of ['legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'] satisfies SignatureSuite[]) {
    it(suite, async () => {
      await using server = await temporaryCluster({suite});
      await using cluster = clientOf(server);
      expect(await cluster.describe()).to.include({suite, name: server.name, proxy: server.proxy});
      const request = joinRequest(server.token, {hostKey: hostKey('p256')});
      const {identity} = await cluster.join(request);
      const {asymmetricKeyType} = new X509Certificate(identity.certificate).publicKey;
      expect(asymmetricKeyType).to.equal(suite === 'legacy' ? 'rsa' : 'ec');
      const session = cluster.as(identity);
      const keys = [hostKey('ed25519'), hostKey('rsa2048')];
      const [authority, {certificates}] = await Promise.all([
        session.authority('host'),
        session.certify(request, keys),
      ]);
      expect(certificates.map((line) => parseCertificate(line).keyType)).to.deep.equal([
        'ssh-ed25519',
        'ssh-rsa',
      ]);
      expect(parsePublicKey(authority.active[0] ?? '').blob).to.deep.equal(
        parseCertificate(certificates[0] ?? '').authority,
      );
    });
  }
});
