// Tokens and clusters with which a join must end, and a host that must not notice.

import {writeFileSync} from 'node:fs';
import {createServer as createHttpServer} from 'node:http';
import {createServer, type Server} from 'node:net';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Certs} from '../../src/cluster/gen/auth_pb.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {parseCertificate, signCertificate} from '../../src/ssh/certificate.js';
import {generateKey, publicBlob} from '../../src/ssh/key.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {joinsOf, refused} from '../support/refusal.js';
import {Stage} from '../support/stage.js';

const hooks: Partial<ClusterOptions> = {};

function noHooks(): void {
  for (const name of ['testOnlyHttp', 'testOnlyFind', 'testOnlyJoinReply', 'testOnlyReply'] as const)
    hooks[name] = undefined;
}

describe('join openssh, refused by or refusing the cluster', () => {
  let stage: Stage;
  const extra: {close: () => unknown}[] = [];

  before(async () => {
    stage = await Stage.quick({cluster: hooks});
  });
  afterEach(async () => {
    noHooks();
    await Promise.all(extra.splice(0).map((one) => one.close()));
  });
  after(() => stage.stop());

  describe('a token', () => {
    const TOKEN_REFUSED = {exit: 4, code: 'TOKEN_REFUSED'};

    it('that nobody has made', async () => {
      const token = 'no-such-token-7c1f0b';
      const {error} = await refused(
        stage,
        {...TOKEN_REFUSED, says: /refused the token: it has expired or does not exist/},
        [],
        {token, spent: true},
      );
      expect(error?.detail).to.include('token expired or not found');
      expect(error?.hint).to.include('tctl tokens add --type=node');
    });

    it('that has expired', async () => {
      const token = stage.cluster.addToken({roles: ['Node'], ttlSeconds: 0});
      await refused(stage, {...TOKEN_REFUSED, says: /it has expired or does not exist/}, [], {
        token,
        spent: true,
      });
    });

    it('of another role', async () => {
      const token = stage.cluster.addToken({roles: ['App', 'Db'], ttlSeconds: 60});
      await refused(
        stage,
        {exit: 4, code: 'ROLE_REFUSED', says: /does not allow this host to join as a node/},
        [],
        {token, spent: true},
      );
    });

    it('of another join method', async () => {
      const token = stage.cluster.addToken({roles: ['Node'], ttlSeconds: 60, joinMethod: 'iam'});
      await refused(stage, {...TOKEN_REFUSED, says: /join method iam$/}, [], {
        token,
        spent: true,
      });
    });

    it('that a cluster repeats in its refusal: it is not shown all the same', async () => {
      hooks.testOnlyHttp = ({method, body}) =>
        method === 'POST'
          ? {status: 403, body: JSON.stringify({error: {message: `no: ${body}`}})}
          : undefined;
      await refused(stage, {exit: 4, code: 'REQUEST_REFUSED', detail: /\[secret\]/}, [], {spent: true});
    });

    const USAGE = {exit: 2, code: 'USAGE'};

    it('that is empty, from wherever it comes', async () => {
      const file = join(stage.root, 'empty-token');
      writeFileSync(file, ' \r\n\n');
      const from = (words: Readonly<Record<string, string | undefined>>) => ({token: '', flags: words});
      await refused(stage, {...USAGE, says: /token from standard input is empty/}, [], from({}));
      await refused(stage, {...USAGE, says: /token from --token is empty/}, [], from({token: ''}));
      const byFile = from({token: undefined, 'token-file': file});
      await refused(stage, {...USAGE, says: /empty-token is empty/}, [], byFile);
      const byEnvironment = {...from({token: undefined}), env: {AGENTLESS_TOKEN: '\n'}};
      await refused(stage, {...USAGE, says: /token from AGENTLESS_TOKEN is empty/}, [], byEnvironment);
    });

    it('that is missing, or in a file that is missing', async () => {
      const none = {token: '', flags: {token: undefined}};
      await refused(stage, {...USAGE, says: /a join token is needed/}, [], none);
      const gone = {token: '', flags: {token: undefined, 'token-file': '/nonexistent/token'}};
      await refused(stage, {...USAGE, says: /cannot read the token file .* \(ENOENT\)/}, [], gone);
    });

    it('of several words', async () => {
      const token = 'first-word-of-a-token second-word';
      await refused(stage, {...USAGE, says: /is not a single word/}, [], {token});
    });

    it('shown to a person: an error line, what the cluster says, a hint', async () => {
      const {status, stdout, stderr} = await stage.join([], {input: 'no-such-token-1'});
      expect([status, stdout]).to.deep.equal([4, '']);
      expect(stderr).to.match(/^error: the cluster refused the token: it has expired or does not exist$/m);
      expect(stderr).to.match(/^ {7}the cluster says: ".*" can not join the cluster/m);
      expect(stderr).to.match(/^hint: {2}make a new one with `tctl tokens add --type=node`/m);
      expect(stderr).to.not.include('no-such-token-1');
    });
  });

  describe('a proxy', () => {
    const UNTRUSTED = {exit: 5, code: 'CLUSTER_UNTRUSTED'};

    async function listening(server: Server): Promise<string> {
      extra.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const address = server.address();
      return typeof address === 'object' ? `127.0.0.1:${address?.port}` : '';
    }

    async function cluster(options: Partial<ClusterOptions> = {}): Promise<TemporaryCluster> {
      const started = await temporaryCluster(options);
      extra.push({close: () => started.stop()});
      return started;
    }

    it('that nobody runs', async () => {
      const server = createServer();
      const proxy = await listening(server);
      await new Promise((resolve) => server.close(resolve));
      const expected = {exit: 5, code: 'CLUSTER_UNREACHABLE', says: /refuses connections/};
      await refused(stage, expected, [], {flags: {'proxy-server': proxy}});
    });

    it('that takes connections and says nothing', async () => {
      const sockets: {destroy: () => unknown}[] = [];
      const proxy = await listening(createServer((socket) => sockets.push(socket)));
      const expected = {exit: 5, code: 'CLUSTER_UNREACHABLE', says: /does not answer/};
      await refused(stage, expected, [], {flags: {'proxy-server': proxy, timeout: '1'}});
      for (const socket of sockets) socket.destroy();
    });

    it('that speaks HTTP without TLS', async () => {
      const proxy = await listening(createHttpServer((_, response) => response.end('hello')));
      const expected = {exit: 5, code: 'CLUSTER_UNREACHABLE', says: /does not speak TLS/};
      await refused(stage, expected, [], {flags: {'proxy-server': proxy}});
    });

    it('whose name does not exist', async () => {
      const expected = {exit: 5, code: 'CLUSTER_UNREACHABLE', says: /cannot be found/};
      await refused(stage, expected, [], {flags: {'proxy-server': 'proxy.invalid:443'}});
    });

    it('that answers with a web page', async () => {
      const page = {status: 200, headers: {'content-type': 'text/html'}, body: '<html>Welcome</html>'};
      hooks.testOnlyHttp = () => page;
      const expected = {exit: 5, code: 'CLUSTER_REPLY_INVALID', says: /answered with a web page/};
      await refused(stage, expected);
    });

    it('whose certificate is signed by nobody we trust', async () => {
      const other = await cluster();
      const flags = {'ca-file': other.caFile};
      await refused(stage, {...UNTRUSTED, says: /signed neither by an authority of --ca-file/}, [], {flags});
      const none = {'ca-file': undefined};
      await refused(stage, {...UNTRUSTED, says: /authority that this host does not know/}, [], {flags: none});
    });

    it('whose certificate has expired', async () => {
      const other = await cluster({testOnlyWebCertificate: {validTo: new Date(Date.now() - 60_000)}});
      const flags = {'proxy-server': other.proxy, 'ca-file': other.caFile};
      await refused(stage, {...UNTRUSTED, says: /has expired/, detail: /clock says/}, [], {flags});
    });

    it('whose certificate is for another name', async () => {
      const other = await cluster({testOnlyWebCertificate: {names: ['other.example.com']}});
      const flags = {'proxy-server': other.proxy, 'ca-file': other.caFile};
      await refused(stage, {...UNTRUSTED, says: /another name/, detail: /other\.example\.com/}, [], {flags});
    });

    it('of a cluster with another CA pin', async () => {
      const words = ['--ca-pin', `sha256:${'0'.repeat(64)}`];
      await refused(stage, {...UNTRUSTED, says: /pin/}, words, {spent: true});
      await refused(stage, {exit: 2, code: 'USAGE', says: /pin/}, ['--ca-pin', 'md5:00']);
    });

    it('of a cluster that is too old or too new', async () => {
      for (const [version, says] of [
        ['15.4.2', /runs Teleport 15\.4\.2, which is too old/],
        ['25.0.0', /runs Teleport 25\.0\.0, which is newer/],
      ] as const) {
        hooks.testOnlyFind = (body) => ({...body, server_version: version});
        await refused(stage, {exit: 4, code: 'VERSION_UNSUPPORTED', says});
      }
      hooks.testOnlyFind = (body) => ({...body, min_client_version: '19.0.0'});
      await refused(stage, {exit: 4, code: 'VERSION_UNSUPPORTED', says: /newer/});
    });
  });

  describe('a certificate in the answer', () => {
    const INVALID = {exit: 5, code: 'CLUSTER_REPLY_INVALID'};
    const line = ({ssh}: Pick<Certs, 'ssh'>) => parseCertificate(Buffer.from(ssh).toString().trim());
    const signed = (reply: Certs, changes: object, authority = stage.cluster.testOnlySshKey('host')) => {
      const {type, key, principals, validAfter, validBefore, extensions} = line(reply);
      const fields = {type, key, principals, validAfter, validBefore, extensions, ...changes};
      return Buffer.from(`${signCertificate(fields, authority)}\n`);
    };
    const CHANGES: readonly (readonly [string, (reply: Certs) => Buffer])[] = [
      ['is for another key', (reply) => signed(reply, {key: publicBlob(generateKey('ed25519'))})],
      ['is one for users', (reply) => signed(reply, {type: 'user'})],
      ['is signed by somebody else', (reply) => signed(reply, {}, generateKey('ed25519'))],
      [
        'is signed by the authority of users',
        (reply) => signed(reply, {}, stage.cluster.testOnlySshKey('openssh')),
      ],
      ['names other hosts', (reply) => signed(reply, {principals: ['other']})],
      ['names nobody', (reply) => signed(reply, {principals: []})],
      ['has ended', (reply) => signed(reply, {validBefore: BigInt(Math.floor(Date.now() / 1000) - 60)})],
      ['is junk', () => Buffer.from('ssh-ed25519-cert-v01@openssh.com AAAA\n')],
    ];

    for (const [what, change] of CHANGES) {
      it(what, async () => {
        hooks.testOnlyJoinReply = (reply) => ({...reply, ssh: change(reply)});
        await refused(stage, INVALID, [], {spent: true});
      });
    }

    for (const [what, change] of CHANGES.slice(0, 3)) {
      it(`${what}, of those for the other keys`, async () => {
        hooks.testOnlyReply = (name, reply) =>
          name.endsWith('/GenerateHostCerts') ? {...reply, ssh: change(reply as Certs)} : reply;
        await refused(stage, INVALID, [], {spent: true});
      });
    }
  });

  describe('a status of the join endpoint', () => {
    const answering = (status: number, times: number) => {
      let left = times;
      hooks.testOnlyHttp = ({method}) => {
        if (method !== 'POST' || left === 0) return undefined;
        left -= 1;
        return {status, body: JSON.stringify({error: {message: 'not this time'}})};
      };
    };

    for (const [status, code] of [
      [400, 'REQUEST_REFUSED'],
      [403, 'REQUEST_REFUSED'],
    ] as const) {
      it(`${status} is final`, async () => {
        answering(status, 1);
        const joins = joinsOf(stage);
        await refused(stage, {exit: 4, code, detail: /not this time/}, [], {spent: true});
        expect(joinsOf(stage)).to.equal(joins + 1);
      });
    }

    for (const status of [429, 500]) {
      it(`${status} for longer than the deadline ends with it`, async () => {
        answering(status, 1000);
        const joins = joinsOf(stage);
        const expected = {exit: 5, code: 'CLUSTER_BUSY', says: new RegExp(String(status))};
        await refused(stage, expected, [], {spent: true, flags: {timeout: '2'}});
        expect(joinsOf(stage)).to.be.greaterThan(joins + 1);
      });
    }

    it('429 and then 500 pass, and a token file may end in a newline', async () => {
      const answers = [429, 500];
      hooks.testOnlyHttp = ({method}) => {
        const status = method === 'POST' ? answers.shift() : undefined;
        return status === undefined ? undefined : {status, body: '{}'};
      };
      const file = join(stage.root, 'token');
      writeFileSync(file, `${stage.cluster.token}\r\n\n`);
      const joins = joinsOf(stage);
      const {status, stderr} = await stage.joinWith({token: undefined, 'token-file': file});
      expect(status, stderr).to.equal(0);
      expect(joinsOf(stage)).to.equal(joins + 3);
      expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
    });
  });
});
