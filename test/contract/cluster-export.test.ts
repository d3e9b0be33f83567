import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import type {HttpReply} from '../../src/devcluster/options.js';
import {type ClientOptions, clientOf, failure, hostKey, joined} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// The host authorities as a proxy tells them to anybody, and the way back that a host has through them.

describe('the exported host authorities', () => {
  const hooks: Partial<ClusterOptions> = {};
  let server: TemporaryCluster;
  beforeEach(async () => {
    server = await temporaryCluster(hooks);
  });
  afterEach(async () => {
    hooks.testOnlyHttp = undefined;
    await server.stop();
  });

  const exported = async (options: ClientOptions = {}) => {
    await using cluster = clientOf(server, options);
    return await cluster.hostAuthorities();
  };
  const refused = async (options: ClientOptions = {}) => {
    await using cluster = clientOf(server, options);
    return await failure(cluster.hostAuthorities());
  };
  /** Replies of the export, in order: TLS, SSH. */
  const answering = (...replies: readonly (Partial<HttpReply> | undefined)[]) => {
    let asked = 0;
    hooks.testOnlyHttp = ({path}) => {
      if (path !== '/webapi/auth/export') return undefined;
      const reply = replies[Math.min(asked++, replies.length - 1)];
      return (
        reply && {status: 200, headers: {'content-type': 'text/plain; charset=utf-8'}, body: '', ...reply}
      );
    };
    return () => asked;
  };

  it('are what Auth itself tells, but of TLS the active ones only, in every phase of a rotation', async () => {
    const {identity} = await joined(server);
    await using cluster = clientOf(server);
    const session = cluster.as(identity);
    for (const phase of [
      undefined,
      'init',
      'update_clients',
      'update_servers',
      'rollback',
      'standby',
    ] as const) {
      if (phase !== undefined) await server.rotate('host', phase);
      const {active, additional, tls} = await session.authority('host');
      expect(await exported(), phase).to.deep.equal({tls: tls.active, ssh: [...active, ...additional]});
    }
  });

  it('of OpenSSH users are those of Auth as well, and a refusal is told', async () => {
    const {identity} = await joined(server);
    await using cluster = clientOf(server);
    for (const phase of ['standby', 'init'] as const) {
      if (phase !== 'standby') await server.rotate('openssh', phase);
      const {active, additional} = await cluster.as(identity).authority('openssh');
      expect(await cluster.userAuthorities(), phase).to.deep.equal([...active, ...additional]);
    }
    answering({status: 400, body: 'no'});
    const {code, message, hint} = await failure(cluster.userAuthorities());
    expect({code, hint}).to.deep.equal({code: 'REQUEST_REFUSED', hint: undefined});
    expect(message).to.match(/does not export the OpenSSH authorities \(status 400\)/);
  });

  it('must have one of the pins', async () => {
    await exported({caPin: [server.caPin]});
    const stranger = await refused({caPin: [`sha256:${'0'.repeat(64)}`]});
    expect(stranger).to.include({code: 'CLUSTER_UNTRUSTED', exitCode: 5});
    expect(stranger.detail).to.equal(`received ${server.caPin}`);
    // The pin of the old authority is no good when the new one is shown.
    await server.rotate('host', 'init');
    await exported({caPin: [server.caPin]});
    await server.rotate('host', 'update_clients');
    const [current = ''] = server.pins();
    expect((await refused({caPin: [server.caPin]})).detail).to.equal(`received ${current}`);
    await exported({caPin: [server.caPin, current]});
  });

  it('are not asked for where the web certificate is not trusted', async () => {
    const asked = answering(undefined);
    expect(await refused({caFile: []})).to.include({code: 'CLUSTER_UNTRUSTED'});
    expect(asked()).to.equal(0);
  });

  it('are asked for again when the proxy is busy, until the deadline', async () => {
    const busy = {status: 429, body: 'rate limit exceeded, try again in 3s\n'};
    const asked = answering(busy, undefined);
    expect((await exported()).tls).to.have.length(1);
    expect(asked()).to.equal(3);
    answering(busy);
    const error = await refused({deadline: 900});
    expect(error).to.include({
      code: 'CLUSTER_BUSY',
      exitCode: 5,
      detail: 'rate limit exceeded, try again in 3s',
    });
  });

  it('are limited as on a real proxy: 40 requests at once', async () => {
    await using limited = await temporaryCluster({limits: true});
    await using impatient = clientOf(limited, {deadline: 900});
    let times = 0;
    // Two requests each time; one more is allowed every three seconds.
    const error = await failure(
      (async () => {
        for (; times < 100; times += 1) await impatient.hostAuthorities();
      })(),
    );
    expect(times).to.be.within(20, 40);
    expect(error).to.include({code: 'CLUSTER_BUSY', detail: 'rate limit exceeded, try again in 3s'});
  });

  const page = {body: '<html><body>Welcome</body></html>', headers: {'content-type': 'text/html'}};
  const cases: readonly (readonly [string, readonly (Partial<HttpReply> | undefined)[], string, RegExp])[] = [
    ['a web page', [page], 'CLUSTER_REPLY_INVALID', /answered with a web page/],
    ['a page that says 403', [{...page, status: 403}], 'CLUSTER_REPLY_INVALID', /answered with a web page/],
    ['nothing', [{}], 'CLUSTER_REPLY_INVALID', /the TLS authorities from the cluster .*cannot be read/],
    ['no SSH keys', [undefined, {}], 'CLUSTER_REPLY_INVALID', /there is none/],
    ['another line', [undefined, {body: 'hello\n'}], 'CLUSTER_REPLY_INVALID', /no line of one: hello/],
    [
      'a key that is none',
      [undefined, {body: '@cert-authority dev.example,*.dev.example ssh-ed25519 AAAA type=host\n'}],
      'CLUSTER_REPLY_INVALID',
      /not right/,
    ],
    [
      'keys of another cluster',
      [undefined, {body: `@cert-authority other.example,*.other.example ${hostKey()} type=host\n`}],
      'CLUSTER_REPLY_INVALID',
      /one is for other\.example,\*\.other\.example, not for dev\.example/,
    ],
    ['a redirect', [{status: 302}], 'CLUSTER_REPLY_INVALID', /redirect/],
    ['no such path', [{status: 404, body: 'not found'}], 'REQUEST_REFUSED', /does not export .*404/],
    [
      'a type that it does not know',
      [{status: 400, body: '"tls-host" authority type is not supported\n'}],
      'REQUEST_REFUSED',
      /does not export the host authorities \(status 400\)/,
    ],
    ['a failure', [{status: 500, body: 'oops'}], 'CLUSTER_BUSY', /keeps failing/],
    ['a gateway', [{...page, status: 502}], 'CLUSTER_UNREACHABLE', /does not reach the cluster behind it/],
  ];
  for (const [what, replies, code, says] of cases) {
    it(`are refused: ${what}`, async () => {
      answering(...replies);
      const error = await refused({deadline: 900});
      expect(error.code).to.equal(code);
      expect(error.message).to.match(says);
      expect(error.hint).to.be.a('string').that.is.not.empty;
      expect(error.detail ?? '').to.not.include('<html>');
    });
  }

  it('are refused: TLS authorities of another cluster', async () => {
    await using other = await temporaryCluster({name: 'other.example'});
    const {identity} = await joined(other);
    answering({body: identity.authorities.join('')});
    const error = await refused();
    expect(error).to.include({code: 'CLUSTER_REPLY_INVALID'});
    expect(error.message).to.match(/belongs to "other\.example", not to dev\.example/);
  });

  it('lead a host back that has been silent since before a rotation, until the rotation ends', async () => {
    const {identity} = await joined(server);
    const pins = [server.caPin];
    for (const phase of ['init', 'update_clients', 'update_servers'] as const)
      await server.rotate('host', phase);
    pins.push(...server.pins());
    await using cluster = clientOf(server, {caPin: pins});
    const lost = await failure(cluster.as(identity).authority('host'));
    expect(lost).to.include({code: 'CLUSTER_UNTRUSTED'});
    const {tls} = await cluster.hostAuthorities();
    const informed = {...identity, authorities: [...identity.authorities, ...tls]};
    const request = {nodeId: identity.nodeId, nodeName: 'web1', additionalPrincipals: []};
    const {identity: renewed} = await cluster.as(informed).certify(request, [hostKey()]);
    await server.rotate('host', 'standby');
    await using later = clientOf(server);
    expect((await later.as(renewed).authority('host')).rotation.phase).to.equal('standby');
    expect(await failure(later.as(informed).authority('host'))).to.include({
      code: 'REQUEST_REFUSED',
      hint: 'join again with a token',
    });
  });
});
