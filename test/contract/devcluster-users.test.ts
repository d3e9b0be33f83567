import {randomUUID} from 'node:crypto';
import {create as build, type MessageInitShape} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import {expect} from 'chai';
import {AuthService} from '../../src/cluster/gen/auth_pb.js';
import {TrustService} from '../../src/cluster/gen/teleport/trust/v1/trust_pb.js';
import {ProvisionTokenV2Schema} from '../../src/cluster/gen/types_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {FOREVER, parseCertificate} from '../../src/ssh/certificate.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {ALICE, type IdentityRequest, partsOf} from '../support/identity.js';
import {
  dialAuth,
  GrpcClient,
  GrpcError,
  joinFields,
  newHostKeys,
  postJoin,
  readJoin,
  sshLine,
  tlsPem,
} from '../support/raw-client.js';

// What Auth allows and refuses people, with the codes and texts measured on 18.0.0 (permissions, tokens).

const {method} = AuthService;
const keys = newHostKeys();

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => expect.fail('was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof GrpcError) return `grpc ${error.code}: ${error.message}`;
  throw error;
}

describe('embedded cluster: people and bots', () => {
  const hooks: Partial<ClusterOptions> = {};
  const open: GrpcClient[] = [];
  let cluster: TemporaryCluster;
  let alice: GrpcClient;

  before(async () => {
    cluster = await temporaryCluster(hooks);
    alice = await as();
  });
  after(async () => {
    for (const client of open) client.close();
    await cluster.stop();
  });

  async function as(changes: Partial<IdentityRequest> = {}, direct = false): Promise<GrpcClient> {
    const {key, certificate} = partsOf(await cluster.identity({...ALICE, ...changes}));
    const client = new GrpcClient(await dialAuth(cluster, {key, cert: certificate, direct}), {
      version: '18.0.0',
    });
    open.push(client);
    return client;
  }

  const token = (
    changes: MessageInitShape<typeof ProvisionTokenV2Schema>['spec'] = {},
    name: string = randomUUID(),
  ) => ({
    token: {case: 'v2' as const, value: {metadata: {name}, spec: {roles: ['Node'], ...changes}}},
  });
  const create = (...words: Parameters<typeof token>) => alice.call(method.createTokenV2, token(...words));

  it('are let in through the proxy and directly', async () => {
    for (const direct of [false, true]) {
      const client = await as({}, direct);
      expect((await client.call(method.ping, {})).clusterName).to.equal(cluster.name);
    }
  });

  it('are refused what their roles lack, in the words of the real one', async () => {
    const nobody = await as({user: 'bob', roles: ['access', 'nosuch']});
    const denied = (resource: string, ...verbs: string[]) =>
      `grpc 7: ${verbs.map((verb) => `access denied to perform action "${verb}" on "${resource}"`).join(', ')}`;
    const calls = [
      [nobody.call(method.createTokenV2, token()), denied('token', 'create')],
      [nobody.call(method.upsertTokenV2, token()), denied('token', 'create', 'update')],
      [nobody.call(method.getToken, {name: 'x'}), denied('token', 'read')],
      [nobody.call(method.getTokens, {}), denied('token', 'list', 'read')],
      [nobody.call(method.deleteToken, {name: 'x'}), denied('token', 'delete')],
      [nobody.call(method.upsertNode, {}), denied('node', 'create', 'update')],
      [nobody.call(method.deleteNode, {name: 'x', namespace: 'default'}), denied('node', 'delete')],
      [nobody.call(TrustService.method.generateHostCert, {}), denied('host_cert', 'create')],
      [
        nobody.call(TrustService.method.getCertAuthorities, {type: 'host', includeKey: true}),
        denied('cert_authority', 'read'),
      ],
    ] as const;
    for (const [call, text] of calls) expect(await refusal(call)).to.equal(text);
  });

  it('may not have a host certified in the way of hosts', async () => {
    const asked = {hostId: randomUUID(), nodeName: 'n', role: 'Node'};
    const said = await refusal(alice.call(method.generateHostCerts, asked));
    expect(said).to.equal(`grpc 7: username mismatch "alice" and "${asked.hostId}.${cluster.name}"`);
  });

  it('see nodes only by a role that shows them', async () => {
    const name = randomUUID();
    const spec = {addr: '10.0.0.5:22', hostname: 'web1'};
    await alice.call(method.upsertNode, {kind: 'node', subKind: 'openssh', metadata: {name}, spec});
    const editor = await as({roles: ['editor']});
    const [get, absent] = [{name, namespace: 'default'}, randomUUID()];
    expect(await refusal(editor.call(method.getNode, get))).to.equal('grpc 5: not found');
    expect(await refusal(editor.call(method.getNode, {...get, name: absent}))).to.equal(
      `grpc 5: "node" "${absent}" does not exist`,
    );
    const list = {resourceType: 'node', namespace: 'default', limit: 10};
    expect((await editor.call(method.listResources, list)).resources).to.have.length(0);
    expect((await alice.call(method.listResources, list)).resources).to.have.length(1);
    await editor.call(method.deleteNode, get);
  });

  it('cannot be made into hosts by a role', async () => {
    for (const roles of [['Node'], ['editor', 'Proxy']]) {
      const made = await cluster.identity({...ALICE, roles}).then(
        () => 'made',
        (error: Error) => error.message,
      );
      expect(made).to.match(/is a role of hosts, not of people$/);
    }
  });

  describe('tokens', () => {
    it('are refused when they are not right', async () => {
      const special =
        'special characters are not allowed in resource names, please use name composed only from characters, hyphens, dots, and plus signs';
      for (const name of ['a b', 'a/b', 'a=b', 'a"b', 'a%b', 'a\nb', 'ä'])
        expect(await refusal(create({}, name))).to.equal(`grpc 3: ${special}: "/tokens/${name}"`);
      expect(await refusal(create({}, ''))).to.equal('grpc 3: missing parameter Name');
      expect(await refusal(create({roles: []}))).to.equal('grpc 3: provisioning token is missing roles');
      expect(await refusal(create({roles: ['nonsense']}))).to.equal(
        'grpc 3: role nonsense is not registered',
      );
      expect(await refusal(create({joinMethod: 'bogus'}))).to.equal('grpc 3: unknown join method "bogus"');
      expect(await refusal(create({joinMethod: 'bound_keypair'}))).to.equal(
        'grpc 3: bound_keypair token requires non-nil spec.bound_keypair',
      );
      expect(await refusal(create({joinMethod: 'tpm'}))).to.equal(
        'grpc 7: tpm joining\n\tthis feature requires Teleport Enterprise',
      );
      expect(await refusal(create({joinMethod: 'iam'}))).to.match(
        /^grpc 3: .*requires defined token allow rules$/,
      );
      expect(await refusal(create({allow: [{awsAccount: '1'}], joinMethod: 'token'}))).to.match(
        /^grpc 3: allow rules are not compatible/,
      );
      expect(await refusal(create({joinMethod: 'github'}))).to.equal(
        'grpc 3: "github" configuration must be provided for join method "github"',
      );
      expect(await refusal(create({roles: ['Bot']}))).to.equal(
        'grpc 3: token with role "Bot" must set bot_name',
      );
      expect(await refusal(alice.call(method.createTokenV2, {}))).to.equal(
        'grpc 3: token not provided in request',
      );
    });

    it('with rules that this cluster does not play are refused rather than stored without them', async () => {
      const block = {no: 7, wireType: 2, data: Uint8Array.of(2, 10, 0)};
      const {value} = token({joinMethod: 'github'}).token;
      const sent = build(ProvisionTokenV2Schema, value);
      if (sent.spec) sent.spec.$unknown = [block];
      const said = await refusal(alice.call(method.createTokenV2, {token: {case: 'v2', value: sent}}));
      expect(said).to.equal('grpc 12: the development cluster makes no tokens of the join method github');
    });

    it('are created once, and upserted as often as one likes', async () => {
      const name = randomUUID();
      await create({}, name);
      expect(await refusal(create({}, name))).to.equal('grpc 6: UNIQUE constraint failed: kv.key');
      await alice.call(method.upsertTokenV2, token({roles: ['node', 'PROXY']}, name));
      const {spec} = await alice.call(method.getToken, {name});
      expect(spec?.roles).to.deep.equal(['Node', 'Proxy']);
      expect(spec?.joinMethod).to.equal('token');
    });

    it('keep their rules, and default to ec2 with rules', async () => {
      const name = randomUUID();
      const allow = [{awsAccount: '1', awsRegions: ['eu-west-1']}];
      await create({allow, awsIidTtl: 60_000_000_000n}, name);
      const {spec} = await alice.call(method.getToken, {name});
      expect(spec).to.include({joinMethod: 'ec2', awsIidTtl: 60_000_000_000n});
      expect(spec?.allow[0]).to.deep.include(allow[0]);
    });

    it('are gone when they are deleted, or their time is over', async () => {
      const [name, late] = [randomUUID(), randomUUID()];
      await create({}, name);
      await alice.call(method.deleteToken, {name});
      expect(await refusal(alice.call(method.deleteToken, {name}))).to.equal(
        `grpc 5: provisioning token(${'*'.repeat(27)}${name.slice(27)}) not found`,
      );
      expect(await refusal(alice.call(method.getToken, {name}))).to.equal(
        `grpc 5: "token" "${name}" does not exist`,
      );
      const value = {
        metadata: {name: late, expires: timestampFromMs(Date.now() - 1000)},
        spec: {roles: ['Node']},
      };
      await alice.call(method.createTokenV2, {token: {case: 'v2', value}});
      const {provisionTokens} = await alice.call(method.getTokens, {});
      expect(provisionTokens.map(({metadata}) => metadata?.name))
        .to.include(cluster.token)
        .and.not.include(late);
      expect(await refusal(alice.call(method.deleteToken, {name: ''}))).to.match(/^grpc 3: /);
      expect(await refusal(alice.call(method.getToken, {name: ''}))).to.equal(
        'grpc 5: "token" "" does not exist',
      );
    });

    it('survive a restart with their labels', async () => {
      const dir = (await import('node:fs')).mkdtempSync(`${(await import('node:os')).tmpdir()}/devcluster-`);
      const first = await temporaryCluster({dir});
      const [value, labels] = [randomUUID(), {env: 'prod'}];
      const {key, certificate} = partsOf(await first.identity(ALICE));
      const client = new GrpcClient(await dialAuth(first, {key, cert: certificate}), {version: '18.0.0'});
      const made = {metadata: {name: value, labels}, spec: {roles: ['Node']}};
      await client.call(method.createTokenV2, {token: {case: 'v2', value: made}});
      client.close();
      await first.close();
      const second = await temporaryCluster({dir});
      const again = new GrpcClient(await dialAuth(second, {key, cert: certificate}), {version: '18.0.0'});
      expect((await again.call(method.getToken, {name: value})).metadata?.labels).to.deep.equal(labels);
      again.close();
      await second.stop();
    });

    it('are none of a host’s business', async () => {
      const joined = readJoin(await postJoin(cluster, joinFields(cluster.token, keys, randomUUID())));
      const cert = {cert: joined.tls, key: keys.tls.export({type: 'pkcs8', format: 'pem'})};
      const host = new GrpcClient(await dialAuth(cluster, cert), {version: '18.0.0'});
      expect(await refusal(host.call(method.getTokens, {}))).to.match(
        /^grpc 7: .*"list" on "token", .*"read"/,
      );
      expect(await refusal(host.call(method.deleteToken, {name: cluster.token}))).to.match(
        /"delete" on "token"$/,
      );
      expect(await refusal(host.call(TrustService.method.generateHostCert, {}))).to.match(
        /"create" on "host_cert"$/,
      );
      host.close();
      const nobody = new GrpcClient(await dialAuth(cluster));
      expect(await refusal(nobody.call(method.getTokens, {}))).to.match(/^grpc 7: /);
      nobody.close();
    });
  });

  describe('GenerateHostCert', () => {
    const certify = (changes: MessageInitShape<typeof TrustService.method.generateHostCert.input> = {}) =>
      alice.call(TrustService.method.generateHostCert, {
        key: Buffer.from(sshLine(keys.ssh)),
        clusterName: cluster.name,
        role: 'Node',
        principals: ['a', 'b', 'a'],
        ...changes,
      });

    it('signs exactly the names it is given when there is no host id', async () => {
      const {sshCertificate} = await certify();
      const {principals, validBefore} = parseCertificate(Buffer.from(sshCertificate).toString().trim());
      expect(principals).to.deep.equal(['a', 'b']);
      expect(validBefore).to.equal(FOREVER);
    });

    it('signs for as long as it is told', async () => {
      const {sshCertificate} = await certify({ttl: {seconds: 600n}});
      const {validBefore} = parseCertificate(Buffer.from(sshCertificate).toString().trim());
      expect(Number(validBefore)).to.be.within(Date.now() / 1000 + 590, Date.now() / 1000 + 601);
    });

    it('refuses what is not right', async () => {
      expect(await refusal(certify({principals: []}))).to.match(/^grpc 3: .*missing host ID and principals$/);
      expect(await refusal(certify({clusterName: ''}))).to.match(/^grpc 3: .*missing cluster name$/);
      expect(await refusal(certify({role: 'nonsense'}))).to.equal('grpc 3: role nonsense is not registered');
      expect(await refusal(certify({key: Buffer.from(tlsPem(keys.tls))}))).to.equal(
        'grpc 2: ssh: no key found',
      );
    });
  });
});
