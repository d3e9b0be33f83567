import http, {type Server} from 'node:http';
import net, {type AddressInfo} from 'node:net';
import {inspect} from 'node:util';
import {expect} from 'chai';
import {gatherProof} from '../../src/cluster/proof.js';
import {ACCOUNT, CALLERS, CREDENTIALS_ENV} from '../support/aws.js';
import {clientOf, failure, joinRequest} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// HTTP proxies, by the variables everybody knows. The cluster's name exists only behind the proxy.

describe('through an HTTP proxy', () => {
  let server: TemporaryCluster;
  let proxy: Server;
  let address = '';
  let asked: {readonly url: string; readonly authorization: string | undefined}[] = [];
  let status = 200;

  before(async () => {
    server = await temporaryCluster({
      testOnlyWebCertificate: {names: ['cluster.test']},
      testOnlyAws: {callers: CALLERS},
    });
    proxy = http.createServer();
    proxy.on('connect', (request, socket, head) => {
      asked.push({url: request.url ?? '', authorization: request.headers['proxy-authorization']});
      socket.on('error', () => {});
      if (status !== 200) {
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const upstream = net.connect(Number(server.proxy.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      upstream.on('error', () => socket.destroy());
      socket.on('close', () => upstream.destroy());
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  });
  beforeEach(() => {
    asked = [];
    status = 200;
  });
  after(async () => {
    proxy.closeAllConnections();
    proxy.close();
    await server.stop();
  });

  const behind = (env: Record<string, string>) =>
    clientOf({...server, proxy: 'cluster.test:3080'}, {env, deadline: 3000});

  it('reaches the web address and Auth', async () => {
    await using cluster = behind({HTTPS_PROXY: `http://${address}`});
    const {identity} = await cluster.join(joinRequest(server.token));
    expect((await cluster.as(identity).authority('openssh')).active).to.have.length(1);
    expect(asked).to.deep.equal([
      {url: 'cluster.test:3080', authorization: undefined},
      {url: 'cluster.test:3080', authorization: undefined},
    ]);
  });

  it('joins by method iam', async () => {
    const token = server.addToken({roles: ['Node'], joinMethod: 'iam', allow: [{awsAccount: ACCOUNT}]});
    await using cluster = behind({HTTPS_PROXY: `http://${address}`});
    await cluster.join(joinRequest(token, {proof: await gatherProof('iam', CREDENTIALS_ENV)}));
    expect(asked.map(({url}) => url)).to.deep.equal(['cluster.test:3080', 'cluster.test:3080']);
  });

  it('gives the user and password of the URL, decoded', async () => {
    await using cluster = behind({https_proxy: `us%40er:p%3Aw@${address}`});
    await cluster.describe();
    expect(asked[0]?.authorization).to.equal(`Basic ${Buffer.from('us@er:p:w').toString('base64')}`);
  });

  it('says that a password is wanted, and never shows the one it has', async () => {
    status = 407;
    await using cluster = behind({HTTPS_PROXY: `http://user:s3cr3t@${address}`});
    const refused = await failure(cluster.describe());
    expect(refused).to.include({
      code: 'CLUSTER_UNREACHABLE',
      message: `the HTTP proxy ${address} wants a user and a password`,
    });
    const basic = Buffer.from('user:s3cr3t').toString('base64');
    expect(inspect(refused, {depth: 9}))
      .not.to.contain('s3cr3t')
      .and.not.to.contain(basic);
    expect(asked).to.have.length(1);
  });

  it('says that the proxy refuses the address', async () => {
    status = 403;
    await using cluster = behind({HTTPS_PROXY: `http://${address}`});
    const refused = await failure(cluster.describe());
    expect(refused.message).to.equal(
      `the HTTP proxy ${address} does not connect to cluster.test:3080 (status 403)`,
    );
    expect(asked).to.have.length(1);
  });

  it('asks a proxy again that fails', async () => {
    status = 502;
    await using cluster = behind({HTTPS_PROXY: `http://${address}`});
    const refused = await failure(cluster.describe());
    expect(refused).to.include({code: 'CLUSTER_UNREACHABLE'});
    expect(asked).to.have.length(3);
  });

  it('says that it is the proxy that cannot be reached', async () => {
    await using cluster = behind({HTTPS_PROXY: 'http://user:s3cr3t@127.0.0.1:1'});
    const refused = await failure(cluster.describe());
    expect(refused.message).to.equal('the HTTP proxy 127.0.0.1:1 refuses connections');
    expect(inspect(refused, {depth: 9})).not.to.contain('s3cr3t');
  });

  it('goes around it where NO_PROXY says so, and on loopback', async () => {
    await using excluded = behind({HTTPS_PROXY: `http://${address}`, NO_PROXY: '.test'});
    expect(await failure(excluded.describe())).to.include({code: 'CLUSTER_UNREACHABLE'});
    await using loopback = clientOf(server, {env: {HTTPS_PROXY: `http://${address}`}});
    // Reached directly, so only the name in the certificate is wrong.
    expect(await failure(loopback.describe())).to.include({code: 'CLUSTER_UNTRUSTED'});
    expect(asked).to.deep.equal([]);
  });
});
