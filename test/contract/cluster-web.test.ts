import net, {type Server, type Socket} from 'node:net';
import {inspect} from 'node:util';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import type {HttpReply} from '../../src/devcluster/options.js';
import type {FailureCode} from '../../src/errors.js';
import {clientOf, failure, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// What can stand at a proxy's web address, and what is said about it.

const json = (status: number, body: unknown): HttpReply => ({
  status,
  headers: {'content-type': 'application/json'},
  body: JSON.stringify(body),
});
const error = (status: number, message: string) => json(status, {error: {message}});
const html: HttpReply = {
  status: 200,
  headers: {'content-type': 'text/html'},
  body: '<!doctype html><title>Hi</title>',
};

describe('the web address', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  let calls: string[] = [];

  before(async () => {
    server = await temporaryCluster(hooks);
  });
  beforeEach(() => {
    calls = [];
  });
  afterEach(() => {
    hooks.testOnlyHttp = undefined;
    hooks.testOnlyFind = undefined;
  });
  after(() => server.stop());

  /** Answers these to a path, one after the other, and then what the cluster itself says. */
  function answer(path: string, ...replies: HttpReply[]): void {
    hooks.testOnlyHttp = (call) => {
      if (call.path !== path) return undefined;
      calls.push(call.method);
      return replies.shift();
    };
  }
  const FIND = '/webapi/find';
  const JOIN = '/webapi/host/credentials';

  describe('that is not a Teleport proxy', () => {
    const cases: readonly (readonly [string, HttpReply, FailureCode, RegExp])[] = [
      ['a web page', html, 'CLUSTER_REPLY_INVALID', /answered with a web page \(status 200\)/],
      [
        'a web page with an error',
        {...html, status: 418},
        'CLUSTER_REPLY_INVALID',
        /web page \(status 418\)/,
      ],
      ['text', {status: 200, body: 'hello'}, 'CLUSTER_REPLY_INVALID', /not JSON \(status 200\)/],
      ['nothing', {status: 200, body: ''}, 'CLUSTER_REPLY_INVALID', /not JSON/],
      [
        'JSON of something else',
        json(200, {hello: 1}),
        'CLUSTER_REPLY_INVALID',
        /does not tell the name and version/,
      ],
      ['a JSON list', json(200, []), 'CLUSTER_REPLY_INVALID', /not JSON/],
      ['a JSON 404', json(404, {message: 'nope'}), 'CLUSTER_REPLY_INVALID', /no Teleport proxy answers/],
      ['a JSON 401', error(401, 'log in'), 'CLUSTER_REPLY_INVALID', /status 401/],
      ['too much', {status: 200, body: 'x'.repeat(2_000_000)}, 'CLUSTER_REPLY_INVALID', /does not send/],
      [
        'a redirect',
        {status: 302, headers: {location: '/web/launch/foo'}, body: html.body},
        'CLUSTER_REPLY_INVALID',
        /redirect to \/web\/launch\/foo/,
      ],
      [
        'a proxy that does not know the path',
        json(404, {error: {message: 'path not found'}, fields: {proxyVersion: {string: '9.0.0'}}}),
        'VERSION_UNSUPPORTED',
        /runs Teleport 9\.0\.0, which cannot do this/,
      ],
    ];
    for (const [what, reply, code, message] of cases) {
      it(`answers ${what}`, async () => {
        answer(FIND, reply);
        await using cluster = clientOf(server);
        const refused = await failure(cluster.describe());
        expect(refused.code).to.equal(code);
        expect(refused.message).to.match(message).and.contain(server.proxy);
        expect(refused.hint).to.be.a('string');
        expect(calls).to.have.length(1);
      });
    }
  });

  describe('of a cluster that is', () => {
    const versions: readonly (readonly [string, object, RegExp])[] = [
      ['too old', {server_version: '16.4.2'}, /runs Teleport 16\.4\.2, which is too old/],
      ['too new', {server_version: '20.0.0'}, /newer than this program knows/],
      [
        'not for clients like this',
        {server_version: '19.9.9', min_client_version: '18.1.0-aa'},
        /newer than/,
      ],
    ];
    for (const [what, changes, message] of versions) {
      it(`${what}: refused before a token is spent`, async () => {
        hooks.testOnlyFind = (body) => ({...body, ...changes});
        await using cluster = clientOf(server);
        const before = server.stats.requests[`POST ${JOIN}`] ?? 0;
        const refused = await failure(cluster.join(joinRequest(server.token)));
        expect(refused).to.include({code: 'VERSION_UNSUPPORTED', exitCode: 4});
        expect(refused.message).to.match(message);
        expect(server.stats.requests[`POST ${JOIN}`] ?? 0).to.equal(before);
      });
    }

    it('a major version older or newer: accepted', async () => {
      for (const version of ['17.0.0', '18.9.1-dev', 'v19.0.0']) {
        hooks.testOnlyFind = (body) => ({...body, server_version: version});
        await using cluster = clientOf(server);
        expect(await cluster.describe()).to.include({version});
      }
    });
  });

  describe('that is busy', () => {
    it('is asked again, for find and for the join', async () => {
      for (const path of [FIND, JOIN]) {
        answer(path, error(429, 'rate limit exceeded'), error(500, 'internal'), error(503, 'later'));
        await using cluster = clientOf(server, {deadline: 20_000});
        const {identity} = await cluster.join(joinRequest(server.token));
        expect(identity.cluster).to.equal(server.name);
        expect(calls.length).to.be.greaterThan(3);
        calls = [];
      }
    });

    const lasting: readonly (readonly [number, FailureCode])[] = [
      [429, 'CLUSTER_BUSY'],
      [500, 'CLUSTER_BUSY'],
      [502, 'CLUSTER_UNREACHABLE'],
      [503, 'CLUSTER_UNREACHABLE'],
      [504, 'CLUSTER_UNREACHABLE'],
    ];
    for (const [status, code] of lasting) {
      it(`with ${status} until the deadline: ${code}`, async () => {
        answer(JOIN, ...Array.from({length: 99}, () => error(status, 'no\u001b[2Jway')));
        await using cluster = clientOf(server, {deadline: 1200});
        const refused = await failure(cluster.join(joinRequest(server.token)));
        expect(refused).to.include({code, exitCode: 5, detail: 'no?[2Jway'});
        expect(refused.message).to.contain(`status ${status}`);
        expect(calls.length).to.be.greaterThan(1);
      });
    }

    for (const status of [400, 403, 409, 501]) {
      it(`a ${status} to the join is final`, async () => {
        answer(JOIN, error(status, 'that is not possible'));
        await using cluster = clientOf(server);
        const refused = await failure(cluster.join(joinRequest(server.token)));
        expect(refused).to.include({code: 'REQUEST_REFUSED', exitCode: 4});
        expect(refused.detail).to.contain('that is not possible');
        expect(calls).to.have.length(1);
      });
    }
  });

  describe('that loses connections', () => {
    /** Closes the connection of the first request to a path before it is answered. */
    function lose(path: string): void {
      hooks.testOnlyHttp = (call) => {
        if (call.path !== path) return undefined;
        calls.push(call.method);
        if (calls.length === 1) server.stats.closeAll();
        return undefined;
      };
    }

    it('while it is idle: connected again, and nothing is lost', async () => {
      await using cluster = clientOf(server);
      await cluster.describe();
      server.stats.closeAll();
      await new Promise((resolve) => setTimeout(resolve, 50));
      await cluster.join(joinRequest(server.token));
    });

    it('during find: asked again', async () => {
      lose(FIND);
      await using cluster = clientOf(server);
      await cluster.describe();
      expect(calls).to.have.length(2);
    });

    it('during the join, which may have arrived: not sent again', async () => {
      lose(JOIN);
      await using cluster = clientOf(server);
      const lost = await failure(cluster.join(joinRequest(server.token)));
      expect(lost).to.include({code: 'CLUSTER_UNREACHABLE', exitCode: 5});
      expect(lost.hint).to.contain('nobody knows whether the request has arrived');
      expect(calls).to.have.length(1);
    });
  });

  it('that repeats the token in its refusal does not make us show it', async () => {
    const token = 'a-very-secret-token';
    for (const status of [400, 403, 500]) {
      hooks.testOnlyHttp = ({path, body}) =>
        path === JOIN ? error(status, `refused ${token} in ${body}`) : undefined;
      await using cluster = clientOf(server, {deadline: 300});
      const refused = await failure(cluster.join(joinRequest(token)));
      expect(inspect(refused, {depth: 9}), String(status)).not.to.contain(token);
    }
  });

  it('that accepts the join without sending certificates', async () => {
    for (const body of [
      {},
      {ssh: ''},
      {ssh: 1, tls: 'x', tls_ca_certs: [], ssh_ca_certs: []},
      {ssh: 'eA==', tls: 'eA==', tls_ca_certs: 'x'},
    ]) {
      answer(JOIN, json(200, body));
      await using cluster = clientOf(server);
      const refused = await failure(cluster.join(joinRequest(server.token)));
      expect(refused).to.include({code: 'CLUSTER_REPLY_INVALID'});
      expect(refused.message).to.contain('sent no certificates');
    }
  });

  it('does not get the token of a join that find has stopped', async () => {
    answer(FIND, html);
    await using cluster = clientOf(server);
    const request = joinRequest(server.token);
    await failure(cluster.join(request));
    // A failed question is asked again.
    expect((await cluster.join(request)).identity.nodeId).to.equal(request.nodeId);
  });
});

describe('a web address that is no HTTPS server', () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });

  async function listen(
    handle: (socket: Socket) => void,
  ): Promise<{proxy: string; caFile: string; dials: () => number}> {
    const sockets: Socket[] = [];
    const server = net.createServer((socket) => {
      sockets.push(socket.on('error', () => {}));
      handle(socket);
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    server.on('close', () => {});
    const close = server.close.bind(server);
    server.close = (callback) => {
      for (const socket of sockets) socket.destroy();
      return close(callback);
    };
    return {proxy: `127.0.0.1:${address.port}`, caFile: '', dials: () => sockets.length};
  }

  const cases: readonly (readonly [string, (socket: Socket) => void, RegExp, number])[] = [
    ['never answers', () => {}, /does not answer/, 1],
    ['closes every connection', (socket) => socket.destroy(), /closed the connection/, 3],
    ['speaks something else', (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), /does not speak TLS/, 1],
  ];
  for (const [what, handle, message, dials] of cases) {
    it(`but ${what}`, async () => {
      const target = await listen(handle);
      await using cluster = clientOf(target, {deadline: dials === 1 ? 500 : 10_000});
      const refused = await failure(cluster.describe());
      expect(refused).to.include({code: 'CLUSTER_UNREACHABLE', exitCode: 5});
      expect(refused.message).to.match(message).and.contain(target.proxy);
      expect(target.dials()).to.equal(dials);
    });
  }

  it('but refuses connections', async () => {
    const target = await listen(() => {});
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    await using cluster = clientOf(target);
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNREACHABLE', message: `${target.proxy} refuses connections`});
  });

  it('but has no address', async () => {
    await using cluster = clientOf({proxy: 'no-such-host.invalid', caFile: ''});
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNREACHABLE', exitCode: 5});
    expect(refused.message).to.equal('no-such-host.invalid:443 cannot be found: its name has no address');
  });

  it('answers the handshake of TLS, then nothing', async () => {
    await using server = await temporaryCluster();
    let sent = 0;
    const target = await listen((socket) => {
      const upstream = net.connect(Number(server.proxy.split(':')[1]), '127.0.0.1').on('error', () => {});
      upstream.pipe(socket);
      // The client's first flight and its Finished pass; the request does not.
      socket.on('data', (chunk) => {
        if (sent++ < 1) upstream.write(chunk);
      });
      socket.on('close', () => upstream.destroy());
    });
    await using cluster = clientOf({...target, caFile: server.caFile}, {deadline: 700});
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNREACHABLE', message: `${target.proxy} does not answer`});
  });

  it('ends at once when the client is closed', async () => {
    const target = await listen(() => {});
    const cluster = clientOf(target, {deadline: 60_000});
    const described = failure(cluster.describe());
    await cluster.close();
    expect(await described).to.include({code: 'INTERRUPTED'});
    expect(await failure(cluster.describe())).to.include({code: 'INTERRUPTED'});
  });
});
