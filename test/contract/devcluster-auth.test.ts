import {randomUUID} from 'node:crypto';
import {readFileSync} from 'node:fs';
import type {TLSSocket} from 'node:tls';
import type {MessageInitShape} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import {AuthService} from '../../src/cluster/gen/auth_pb.js';
import {TrustService} from '../../src/cluster/gen/teleport/trust/v1/trust_pb.js';
import type {ServerV2, ServerV2Schema} from '../../src/cluster/gen/types_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {
  dialAuth,
  GrpcClient,
  GrpcError,
  type JoinAnswer,
  joinFields,
  NoStatus,
  newHostKeys,
  postJoin,
  readJoin,
  sshLine,
  tlsPem,
} from '../support/raw-client.js';

// What Auth refuses and rewrites, with the codes and texts of 18.0.0.

const keys = newHostKeys();
const pkcs8 = keys.tls.export({type: 'pkcs8', format: 'pem'});
const {method} = AuthService;

interface Refused {
  readonly call: string;
  readonly message: string;
}

const GOLDEN: readonly Refused[] = JSON.parse(
  readFileSync(new URL('../golden/teleport-18.0.0/balanced-v1/grpc/errors.json', import.meta.url), 'utf8'),
);
/** The real one's words for a call, with the names of its cluster and host replaced by ours. */
const golden = (call: string) =>
  GOLDEN.find((refused) => refused.call === call)?.message ?? expect.fail(call);

async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => expect.fail('was not refused'),
    (reason: unknown) => reason,
  );
  if (error instanceof GrpcError) return `grpc ${error.code}: ${error.message}`;
  if (error instanceof NoStatus) return error.message;
  throw error;
}

/** How a connection ends for a client that waits: an error's code, or "end". */
function ending(socket: TLSSocket): Promise<string> {
  return new Promise((resolve) => {
    socket.on('error', (error) => resolve('code' in error ? String(error.code) : error.message));
    socket.on('end', () => resolve('end'));
    socket.resume();
  });
}

describe('embedded cluster: what Auth refuses', () => {
  const hostId = randomUUID();
  const hooks: Partial<ClusterOptions> = {};
  let cluster: TemporaryCluster;
  let joined: JoinAnswer;
  let auth: GrpcClient;
  let nobody: GrpcClient;

  before(async () => {
    cluster = await temporaryCluster(hooks);
    joined = readJoin(await postJoin(cluster, joinFields(cluster.token, keys, hostId)));
    auth = new GrpcClient(await dialAuth(cluster, {cert: joined.tls, key: pkcs8}), {version: '18.0.0'});
    nobody = new GrpcClient(await dialAuth(cluster));
  });
  after(async () => {
    auth.close();
    nobody.close();
    await cluster.stop();
  });

  const own = (changes: MessageInitShape<typeof method.generateHostCerts.input> = {}) => ({
    hostId,
    nodeName: 'db1',
    role: 'Node',
    publicTlsKey: Buffer.from(tlsPem(keys.tls)),
    publicSshKey: Buffer.from(sshLine(keys.ssh)),
    ...changes,
  });

  it('renews a host for itself only', async () => {
    const other = randomUUID();
    const expected = golden('hostcerts-other').replaceAll(/[0-9a-f-]{36}\.bal\.lab\.test/g, '*');
    const said = await refusal(auth.call(method.generateHostCerts, own({hostId: other})));
    expect(said).to.include(`"${hostId}.${cluster.name}"`).and.include(`"${other}.${cluster.name}"`);
    expect(said.replaceAll(/[0-9a-f-]{36}\.dev\.example/g, '*')).to.equal(expected);
    const asProxy = refusal(auth.call(method.generateHostCerts, own({role: 'Proxy'})));
    expect(await asProxy).to.equal('grpc 7: roles do not match: Node and Proxy');
  });

  it('wants both keys', async () => {
    const empty = new Uint8Array();
    const noTls = refusal(auth.call(method.generateHostCerts, own({publicTlsKey: empty})));
    expect(await noTls).to.equal(golden('hostcerts-noTLS'));
    const noSsh = refusal(auth.call(method.generateHostCerts, own({publicSshKey: empty})));
    expect(await noSsh).to.equal('grpc 3: failed to parse SSH public key');
    const noKey = Buffer.from('-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n');
    expect(await refusal(auth.call(method.generateHostCerts, own({publicTlsKey: noKey})))).to.match(
      /^grpc 3: /,
    );
  });

  it('gives an Instance certificate for roles that are held', async () => {
    const none = refusal(auth.call(method.generateHostCerts, own({role: 'Instance'})));
    expect(await none).to.equal('grpc 3: cannot generate instance cert with no system roles');
    const foreign = auth.call(method.generateHostCerts, own({role: 'Instance', systemRoles: ['Proxy']}));
    expect(await refusal(foreign)).to.match(/^grpc 7: /);
    const held = await auth.call(method.generateHostCerts, own({role: 'Instance', systemRoles: ['Node']}));
    expect(held.tls.length).to.be.above(0);
  });

  it('keeps private keys and tokens to itself', async () => {
    const {getCertAuthorities, getCertAuthority} = TrustService.method;
    const keysToo = {type: 'openssh', includeKey: true};
    expect(await refusal(auth.call(getCertAuthorities, keysToo))).to.equal(golden('cas-openssh-keys'));
    expect(await refusal(auth.call(getCertAuthority, {...keysToo, domain: cluster.name}))).to.match(
      /^grpc 7/,
    );
    const unknown = auth.call(getCertAuthority, {type: 'host', domain: 'other.example'});
    expect(await refusal(unknown)).to.equal('grpc 5: "cert_authority" "host/other.example" does not exist');
    const nowhere = auth.call(getCertAuthority, {type: 'host'});
    expect(await refusal(nowhere)).to.equal('grpc 3: missing parameter Name');
    const bogus = auth.call(getCertAuthority, {type: 'bogus', domain: cluster.name});
    expect(await refusal(bogus)).to.equal('grpc 3: "bogus" authority type is not supported');
    const types = async (type: string) =>
      (await auth.call(getCertAuthorities, {type})).certAuthoritiesV2.map(({subKind}) => subKind);
    expect(await types('bogus')).to.eql([]);
    expect(await types('')).to.eql(['host', 'user', 'openssh']);
    const token = auth.raw('/proto.AuthService/CreateTokenV2', new Uint8Array());
    expect(await refusal(token)).to.equal(golden('token-denied'));
  });

  it('knows no join service of later versions', async () => {
    const later = auth.raw('/teleport.join.v1.JoinService/Join', new Uint8Array());
    expect(await refusal(later)).to.equal('grpc 12: unknown service teleport.join.v1.JoinService');
    const method = auth.raw('/proto.AuthService/Nothing', new Uint8Array());
    expect(await refusal(method)).to.equal('grpc 12: unknown method Nothing for service proto.AuthService');
  });

  it('tells anonymous callers what the cluster is, and nothing else', async () => {
    expect((await nobody.call(method.ping, {})).clusterName).to.equal(cluster.name);
    expect((await nobody.call(method.getDomainName, {})).domainName).to.equal(cluster.name);
    const {tlsCa} = await nobody.call(method.getClusterCACert, {});
    expect(Buffer.from(tlsCa).toString()).to.equal(joined.tlsAuthorities.join(''));
    const record = {kind: 'node', subKind: 'openssh', metadata: {name: hostId}, spec: {addr: 'a:1'}};
    for (const call of [
      nobody.call(method.generateHostCerts, own()),
      nobody.call(method.upsertNode, record),
      nobody.call(method.getNode, {name: hostId, namespace: 'default'}),
      nobody.call(method.deleteNode, {name: hostId, namespace: 'default'}),
      nobody.call(method.listResources, {resourceType: 'node', limit: 1}),
      nobody.call(TrustService.method.getCertAuthorities, {type: 'openssh'}),
    ]) {
      expect(await refusal(call)).to.match(/^grpc 7: access denied/);
    }
    expect(cluster.nodes()).to.eql([]);
  });

  it('says nothing to a locked host', async () => {
    const locked = randomUUID();
    const answer = readJoin(await postJoin(cluster, joinFields(cluster.token, keys, locked)));
    cluster.lock(locked, 'stolen');
    const client = new GrpcClient(await dialAuth(cluster, {cert: answer.tls, key: pkcs8}));
    expect(await refusal(client.call(method.ping, {}))).to.equal('grpc 7: access denied');
    client.close();
  });

  for (const version of ['15.0.0', '16.9.9', 'garbage', '', '18', '17.0.0-a']) {
    it(`hangs up on client version ${JSON.stringify(version)} without a status`, async () => {
      const client = new GrpcClient(await dialAuth(cluster), {version});
      expect(await refusal(client.call(method.ping, {}))).to.equal(golden('oldclient'));
      client.close();
    });
  }

  for (const version of ['17.0.0', '17.0.0-aa', '17.0.0-alpha.1', '18.1.2', '19.0.0', 'v18.0.0']) {
    it(`takes client version ${version}`, async () => {
      const client = new GrpcClient(await dialAuth(cluster), {version});
      await client.call(method.ping, {});
      client.close();
    });
  }

  it('closes without a word on a client that sends its authority along', async () => {
    const chain = joined.tls + joined.tlsAuthorities.join('');
    for (const direct of [false, true]) {
      const socket = await dialAuth(cluster, {cert: chain, key: pkcs8, direct});
      expect(await ending(socket)).to.be.oneOf(['end', 'ECONNRESET']);
    }
    // The trap: `ca` beside `cert` makes OpenSSL send the same chain.
    const ca = [...joined.tlsAuthorities];
    const trapped = await dialAuth(cluster, {cert: joined.tls, key: pkcs8, ca});
    expect(await ending(trapped)).to.be.oneOf(['end', 'ECONNRESET']);
  });

  for (const suite of ['TLS_AES_256_GCM_SHA384', 'TLS_AES_128_GCM_SHA256', 'TLS_CHACHA20_POLY1305_SHA256']) {
    it(`answers a certificate of an unknown authority with unknown_ca after the handshake, ${suite}`, async () => {
      await using other = await temporaryCluster();
      const foreign = readJoin(await postJoin(other, joinFields(other.token, keys, hostId)));
      for (const direct of [false, true]) {
        const socket = await dialAuth(cluster, {cert: foreign.tls, key: pkcs8, direct, ciphers: suite});
        expect(await ending(socket)).to.equal('ERR_SSL_TLSV1_ALERT_UNKNOWN_CA');
      }
    });
  }

  it('hangs up on such a certificate over TLS 1.2 too', async () => {
    await using other = await temporaryCluster();
    const foreign = readJoin(await postJoin(other, joinFields(other.token, keys, hostId)));
    const socket = await dialAuth(cluster, {cert: foreign.tls, key: pkcs8, maxVersion: 'TLSv1.2'});
    expect(await ending(socket)).to.be.oneOf(['end', 'ECONNRESET']);
  });

  it('speaks h2 only', async () => {
    const error = await dialAuth(cluster, {direct: true, ALPNProtocols: ['http/1.1']}).then(
      () => undefined,
      (reason) => reason,
    );
    expect(error?.code).to.equal('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  });

  describe('node records', () => {
    type Fields = Exclude<MessageInitShape<typeof ServerV2Schema>, ServerV2>;
    const put = (changes: Fields = {}) =>
      auth.call(method.upsertNode, {
        kind: 'node',
        subKind: 'openssh',
        version: 'v2',
        metadata: {name: hostId},
        spec: {addr: '10.0.0.5:22', hostname: 'db1'},
        ...changes,
      });
    const read = (name = hostId): Promise<ServerV2> =>
      auth.call(method.getNode, {name, namespace: 'default'});
    const atAddress = (addr: string) => put({spec: {addr, hostname: 'db1'}});
    const named = (hostname: string, addr = '10.0.0.5:22') => put({spec: {addr, hostname}});

    const BAD: readonly [string, Fields, string][] = [
      ['address without port', {spec: {addr: '10.0.0.5'}}, golden('upsert-noport')],
      ['bad label', {metadata: {labels: {'bad label!': 'x'}}}, golden('upsert-badlabel')],
      ['no address', {spec: {}}, 'grpc 3: addr must be set when server SubKind is "openssh"'],
      [
        'bare IPv6',
        {spec: {addr: '2001:db8::5'}},
        'grpc 3: invalid Addr "2001:db8::5": address 2001:db8::5: too many colons in address',
      ],
      ['unknown sub kind', {subKind: 'bogus'}, 'grpc 3: invalid SubKind "bogus" of Kind "node"'],
      [
        'another kind',
        {kind: 'proxy'},
        'grpc 3: server SubKind must only be set when Kind is "node" or "git_server"',
      ],
      [
        'public address',
        {spec: {addr: 'a:1', publicAddrs: ['b:1']}},
        'grpc 3: publicAddrs must not be set when server SubKind is "openssh"',
      ],
    ];
    for (const [what, changes, text] of BAD) {
      it(`refuses: ${what}`, async () => {
        expect(await refusal(put(changes))).to.equal(text);
      });
    }

    it('refuses names and namespaces that the store cannot hold', async () => {
      expect(await refusal(put({metadata: {name: 'a/b'}}))).to.match(
        /^grpc 3: special characters are not allowed/,
      );
      const elsewhere = put({metadata: {name: hostId, namespace: 'other'}});
      expect(await refusal(elsewhere)).to.match(/^grpc 3: namespace "other" invalid/);
    });

    for (const addr of [
      'localhost:22',
      '127.0.0.1:22',
      '127.9.9.9:22',
      '0.0.0.0:22',
      '[::1]:22',
      '[::]:22',
    ]) {
      it(`replaces ${addr} by the caller's address`, async () => {
        await atAddress(addr);
        expect((await read()).spec?.addr).to.equal('127.0.0.1:22');
      });
    }
    for (const addr of ['[2001:db8::5]:22', 'HOST.Example:22', 'a_b:22', ':22', 'x:', 'x:70000', 'x:ssh']) {
      it(`keeps ${addr} as it is`, async () => {
        await atAddress(addr);
        expect((await read()).spec?.addr).to.equal(addr);
      });
    }

    for (const hostname of ['', '-web', 'we_b', 'a b', 'é', 'a:22', '[::1]', 'x'.repeat(257)]) {
      it(`rewrites hostname ${JSON.stringify(hostname.slice(0, 12))}`, async () => {
        await named(hostname);
        const {metadata, spec} = await read();
        expect(spec?.hostname).to.equal('10.0.0.5');
        expect(metadata?.labels).to.eql({'teleport.internal/invalid-hostname': hostname});
      });
    }
    it('makes up a hostname where the address is no name either', async () => {
      await named('we_b', '[2001:db8::5]:22');
      expect((await read()).spec?.hostname).to.match(/^[0-9a-f-]{36}$/);
    });
    for (const hostname of ['web.', 'web..x', '9web', '10.0.0.9', 'x'.repeat(256)]) {
      it(`keeps hostname ${hostname.slice(0, 12)}`, async () => {
        await named(hostname);
        const {metadata, spec} = await read();
        expect([spec?.hostname, metadata?.labels]).to.eql([hostname, {}]);
      });
    }

    it('replaces labels and spec as a whole, and lets any host write any record', async () => {
      const other = randomUUID();
      await put({metadata: {name: other, labels: {'a/b.c_d:e*-1': '', env: 'lab'}}});
      await put({metadata: {name: other, labels: {env: 'prod'}}, spec: {addr: 'b:2', hostname: 'b'}});
      const {metadata, spec, kind, version} = await read(other);
      expect(metadata?.labels).to.eql({env: 'prod'});
      expect([kind, version, metadata?.namespace, spec?.addr]).to.eql(['node', 'v2', 'default', 'b:2']);
      expect(spec?.rotation?.started?.seconds).to.equal(-62135596800n);
      expect(cluster.removeNode(other)).to.equal(true);
    });

    it('forgets a record that expires, and one that has expired before it came', async () => {
      const metadata = (expires: number) => ({name: hostId, expires: timestampFromMs(Date.now() + expires)});
      const kept = await put({metadata: metadata(60_000)});
      expect([kept.name, kept.type]).to.eql([hostId, 1]);
      expect((await read()).metadata?.name).to.equal(hostId);
      await put({metadata: metadata(-1000)});
      expect(await refusal(read())).to.equal(`grpc 5: "node" "${hostId}" does not exist`);
      // An empty Timestamp is 1970, and Auth answers OK all the same.
      await put();
      expect((await put({metadata: {name: hostId, expires: {}}})).type).to.equal(1);
      expect(await refusal(read())).to.equal(`grpc 5: "node" "${hostId}" does not exist`);
      expect(cluster.nodes().map(({id}) => id)).to.not.include(hostId);
      const gone = auth.call(method.deleteNode, {name: hostId, namespace: 'default'});
      expect(await refusal(gone)).to.equal(`grpc 5: key "/nodes/default/${hostId}" is not found`);
    });

    it('lets a record live on when it is written again, and for ever without an expiry', async () => {
      const soon = () => ({name: hostId, expires: timestampFromMs(Date.now() + 400)});
      const expires = timestampFromMs(Date.now() + 3_600_000);
      const vanished = async () => {
        while (cluster.nodes().some(({id}) => id === hostId)) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      };
      const other = randomUUID();
      await put({metadata: soon()});
      await put({metadata: {name: other, expires: soon().expires}});
      await put({metadata: {name: other, expires}});
      await vanished();
      const list = await auth.call(method.listResources, {resourceType: 'node', limit: 100});
      const names = list.resources.map(({resource}) => resource.value?.metadata?.name);
      expect(names).to.include(other).and.not.include(hostId);
      expect((await read(other)).metadata?.expires?.seconds).to.equal(expires.seconds);
      // No expiry any more, and an answer that promises none.
      const kept = await put({metadata: {name: other}});
      expect([kept.name, kept.type]).to.eql(['', 0]);
      expect((await read(other)).metadata?.expires).to.equal(undefined);
      cluster.removeNode(other);
    });

    it('wants a namespace to read, and names the key of what it cannot delete', async () => {
      expect(await refusal(auth.call(method.getNode, {name: hostId}))).to.equal(golden('getnode-nons'));
      const absent = {name: 'absent', namespace: 'default'};
      const deleted = await refusal(auth.call(method.deleteNode, absent));
      expect(deleted).to.equal('grpc 5: key "/nodes/default/absent" is not found');
    });

    it('lists by pages, keywords and labels', async () => {
      const ids = ['aaa', 'bbb', 'ccc'];
      for (const [index, id] of ids.entries()) {
        const spec = {addr: `10.0.0.${index}:22`, hostname: `Web${index}`};
        await put({metadata: {name: id, labels: {env: index === 1 ? 'Prod' : 'lab'}}, spec});
      }
      const list = async (query: MessageInitShape<typeof method.listResources.input>) => {
        const page = await auth.call(method.listResources, {resourceType: 'node', limit: 10, ...query});
        return [page.resources.map(({resource}) => resource.value?.metadata?.name), page.nextKey];
      };
      expect(await list({limit: 2})).to.eql([['aaa', 'bbb'], 'ccc']);
      expect(await list({limit: 2, startKey: 'ccc'})).to.eql([['ccc'], '']);
      expect(await list({searchKeywords: ['web', 'PROD']})).to.eql([['bbb'], '']);
      expect(await list({searchKeywords: ['10.0.0.2:22']})).to.eql([['ccc'], '']);
      expect(await list({searchKeywords: ['env', 'aa']})).to.eql([['aaa'], '']);
      expect(await list({searchKeywords: ['web', 'nowhere']})).to.eql([[], '']);
      expect(await list({labels: {env: 'lab'}})).to.eql([['aaa', 'ccc'], '']);
      const all = {resourceType: 'node', limit: 1, needTotalCount: true};
      expect((await auth.call(method.listResources, all)).totalCount).to.equal(3);
      expect(await refusal(list({predicateExpression: 'name == "x"'}))).to.match(/^grpc 12/);
      expect(await refusal(list({limit: 0}))).to.match(/^grpc 3/);
      expect(await refusal(list({resourceType: 'app'}))).to.match(/^grpc/);
      for (const id of ids) cluster.removeNode(id);
    });
  });

  it('misbehaves on request', async () => {
    hooks.testOnlyCall = (name) =>
      name.endsWith('/Ping') ? {code: Code.Unavailable, message: 'try later, 50% chance'} : 'close';
    expect(await refusal(nobody.call(method.ping, {}))).to.equal('grpc 14: try later, 50% chance');
    expect(await refusal(nobody.call(method.getDomainName, {}))).to.equal('stream closed without status');
    hooks.testOnlyCall = undefined;
    hooks.testOnlyReply = (_, reply) => ({...reply, clusterName: 'wrong.example'}) as typeof reply;
    expect((await auth.call(method.ping, {})).clusterName).to.equal('wrong.example');
    hooks.testOnlyReply = undefined;
    expect((await auth.call(method.ping, {})).clusterName).to.equal(cluster.name);
  });
});

describe('embedded cluster: lag', () => {
  it('acknowledges at once and shows within a second', async () => {
    await using cluster = await temporaryCluster({lag: true});
    const hostId = randomUUID();
    const joined = readJoin(await postJoin(cluster, joinFields(cluster.token, keys, hostId)));
    const auth = new GrpcClient(await dialAuth(cluster, {cert: joined.tls, key: pkcs8}));
    const one = {name: hostId, namespace: 'default'};
    const read = () =>
      auth.call(method.getNode, one).then(
        () => 'there',
        () => 'absent',
      );
    const becomes = async (state: string) => {
      while ((await read()) !== state) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    await auth.call(method.upsertNode, {
      kind: 'node',
      subKind: 'openssh',
      metadata: {name: hostId},
      spec: {addr: 'a:1', hostname: 'a'},
    });
    expect(await read()).to.equal('absent');
    expect(cluster.nodes()).to.have.length(1);
    await becomes('there');
    await auth.call(method.deleteNode, one);
    expect(await read()).to.equal('there');
    expect(await refusal(auth.call(method.deleteNode, one))).to.match(/^grpc 5/);
    await becomes('absent');
    auth.close();
  });
});
