import {readFileSync} from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {connect, joinFields, newHostKeys, postJoin, readJoin, request, split} from '../support/raw-client.js';

// The web API beside the join endpoint, and the ways to reach it.

const golden = (file: string) =>
  readFileSync(new URL(`../golden/teleport-18.0.0/${file}`, import.meta.url), 'utf8');

/** Same keys in the same order with values of the same type; addresses and names may differ. */
function shape(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.entries(value).map(([key, item]) => [key, shape(item)]);
}

describe('embedded cluster: web API', () => {
  const hooks: Partial<ClusterOptions> = {};
  let cluster: TemporaryCluster;
  before(async () => {
    cluster = await temporaryCluster(hooks);
  });
  after(() => cluster.stop());
  const get = (path: string) => request(cluster, path);

  for (const what of ['find', 'ping']) {
    it(`answers ${what} in the shape of the real one`, async () => {
      const real = JSON.parse(golden(`balanced-v1/${what}.json`));
      for (const path of [`/webapi/${what}`, `/v1/webapi/${what}`, `/webapi/${what}?group=a&update_id=b`]) {
        const answer = await get(path);
        expect(answer).to.include({status: 200, contentType: 'application/json'});
        const body = JSON.parse(answer.body);
        expect(shape(body)).to.eql(shape(real));
        expect(body.auth).to.eql(real.auth);
        expect(body).to.include({cluster_name: 'dev.example', server_version: '18.0.0'});
        expect(body.min_client_version).to.equal(real.min_client_version);
        expect(body.proxy.ssh.public_addr).to.equal(cluster.proxy);
      }
    });
  }

  for (const [type, file] of [
    ['host', 'host'],
    ['user', 'user'],
    ['openssh', 'openssh'],
    ['', 'empty'],
    ['tls', 'tls'],
  ]) {
    it(`exports authorities as the real one, type ${JSON.stringify(type)}`, async () => {
      const mask = (text: string) =>
        text
          .replaceAll('bal.lab.test', 'dev.example')
          .replaceAll(/AAAA[A-Za-z0-9+/=]+/g, 'KEY')
          .replace(/(?<=-----\n)[A-Za-z0-9+/=\n]+(?=\n-----)/, 'BODY');
      const answer = await get(`/webapi/auth/export?type=${type}`);
      expect(answer.status).to.equal(200);
      expect(mask(answer.body)).to.equal(mask(golden(`balanced-v1/export/${file}.txt`)));
      const sites = await get(`/webapi/sites/dev.example/auth/export?type=${type}`);
      expect(sites.body).to.equal(answer.body);
      const [{data}] = JSON.parse((await get(`/webapi/auth/export?type=${type}&format=json`)).body);
      expect(Buffer.from(data, 'base64').toString()).to.equal(answer.body);
    });
  }

  it('refuses to export what it does not know, in plain text', async () => {
    const answer = await get('/webapi/auth/export?type=bogus');
    expect(answer).to.include({status: 400, body: golden('balanced-v1/export/bogus.txt')});
    expect(answer.contentType).to.match(/^text\/plain/);
    expect((await get('/webapi/auth/export?type=constructor')).status).to.equal(400);
    expect((await get('/webapi/auth/export?type=host&format=bogus')).status).to.equal(400);
    expect(await get('/webapi/auth/export?type=jwt')).to.include({status: 200, body: ''});
  });

  it('says in Go what is wrong with a body', async () => {
    const post = async (body: string) => {
      const headers = {'content-type': 'application/json; charset=utf-8'};
      const answer = await request(cluster, '/webapi/host/credentials', {method: 'POST', headers, body});
      return `${answer.status} ${JSON.parse(answer.body).error.message}`;
    };
    expect(await post('')).to.equal('400 request: unexpected end of JSON input');
    expect(await post('<html>')).to.match(/^400 request: invalid character '<' looking for/);
    expect(await post('[]')).to.match(/^400 request: json: cannot unmarshal array into Go/);
    expect(await post('{"node_name": 7}')).to.match(/^400 request: json: cannot unmarshal number into Go/);
    expect(await post('{"public_tls_key": "a*"}')).to.equal(
      '400 request: illegal base64 data at input byte 0',
    );
    expect(await post('null')).to.equal('400 missing parameter HostID');
    expect(await post('{"HOSTID": "x", "unknown": {}}')).to.equal('400 missing parameter Token');
  });

  it('serves HTTP/2 to clients that offer it first', async () => {
    const socket = await connect({
      ...split(cluster.proxy),
      ALPNProtocols: ['h2', 'http/1.1'],
      ca: readFileSync(cluster.caFile),
      servername: 'localhost',
    });
    expect(socket.alpnProtocol).to.equal('h2');
    const session = http2.connect('https://localhost', {createConnection: () => socket});
    const stream = session.request({':path': '/webapi/find'});
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(JSON.parse(Buffer.concat(chunks).toString()).cluster_name).to.equal('dev.example');
    session.destroy();
  });

  it('closes on protocols nobody serves, on other clusters, and on what is no TLS', async () => {
    for (const offered of [
      'teleport-reversetunnel',
      `teleport-auth@${'00'.repeat(4)}.teleport.cluster.local`,
    ]) {
      const target = {...split(cluster.proxy), ALPNProtocols: [offered], rejectUnauthorized: false};
      const error = await connect(target).then(
        () => undefined,
        (reason) => reason,
      );
      expect(error?.code).to.equal('ECONNRESET');
    }
    const {host, port} = split(cluster.proxy);
    const answer = await new Promise((resolve) => {
      const socket = net.connect(port, host, () => socket.write('GET / HTTP/1.1\r\n\r\n'));
      socket.on('close', () => resolve(socket.bytesRead)).on('error', () => {});
    });
    expect(answer).to.equal(0);
  });

  it('reads a client hello that arrives byte by byte', async () => {
    const {host, port} = split(cluster.proxy);
    const slow = net.createServer((client) => {
      const server = net.connect(port, host);
      server.setNoDelay(true);
      server.pipe(client);
      client.on('data', (data) => {
        for (const byte of data) server.write(Buffer.of(byte));
      });
    });
    await new Promise<void>((resolve) => slow.listen(0, '127.0.0.1', resolve));
    const address = slow.address();
    const via = typeof address === 'object' && address ? `127.0.0.1:${address.port}` : '';
    const answer = await request({proxy: via, caFile: cluster.caFile}, '/webapi/find');
    expect(answer.status).to.equal(200);
    slow.close();
  });

  it('counts connections, bytes and requests', async () => {
    const {bytesIn, bytesOut, connections} = cluster.stats;
    const found = cluster.stats.requests['GET /webapi/find'] ?? 0;
    await get('/webapi/find');
    expect(cluster.stats.connections).to.equal(connections + 1);
    expect(cluster.stats.requests['GET /webapi/find']).to.equal(found + 1);
    expect(cluster.stats.bytesIn).to.be.above(bytesIn + 200);
    expect(cluster.stats.bytesOut).to.be.above(bytesOut + 500);
  });

  it('misbehaves on request', async () => {
    const keys = newHostKeys();
    let failures = 2;
    hooks.testOnlyHttp = ({path}) =>
      path === '/webapi/host/credentials' && failures-- > 0 ? {status: 500, body: '<html>'} : undefined;
    hooks.testOnlyFind = (body) => ({...body, cluster_name: 'other.example'});
    hooks.testOnlyJoinReply = (reply) => ({...reply, ssh: Buffer.from('junk')});
    const join = () => postJoin(cluster, joinFields(cluster.token, keys, 'a'));
    expect([await join(), await join()]).to.deep.include({status: 500, contentType: '', body: '<html>'});
    expect(readJoin(await join()).ssh).to.equal('junk');
    expect(JSON.parse((await get('/webapi/find')).body).cluster_name).to.equal('other.example');
    hooks.testOnlyHttp = hooks.testOnlyFind = hooks.testOnlyJoinReply = undefined;
  });
});

describe('embedded cluster: web certificate and limits', () => {
  it('shows an expired certificate on request', async () => {
    const validTo = new Date(Date.now() - 1000);
    await using cluster = await temporaryCluster({testOnlyWebCertificate: {validTo}});
    const error = await request(cluster, '/webapi/find').then(
      () => undefined,
      (reason) => reason,
    );
    expect(error?.code).to.equal('CERT_HAS_EXPIRED');
  });

  it('limits exports and joins as the real one', async () => {
    await using cluster = await temporaryCluster({limits: true});
    const until = async (limit: number, ask: () => Promise<{status: number}>) => {
      for (let count = 1; count <= limit + 20; count++) if ((await ask()).status === 429) return count;
      return undefined;
    };
    const exporting = () => request(cluster, '/webapi/auth/export?type=host');
    expect(await until(40, exporting)).to.be.within(41, 43);
    const refused = await exporting();
    expect(refused.contentType).to.match(/^text\/plain/);
    expect(refused.body).to.equal('rate limit exceeded, try again in 3s\n');

    const agent = new (await import('node:https')).Agent({keepAlive: true, ca: readFileSync(cluster.caFile)});
    const {host, port} = split(cluster.proxy);
    const https = await import('node:https');
    const joining = () =>
      new Promise<{status: number; body: string}>((resolve, reject) => {
        const call = https.request(
          {host, port, path: '/webapi/host/credentials', method: 'POST', agent},
          (reply) => {
            let body = '';
            reply.on('data', (chunk) => {
              body += chunk;
            });
            reply.on('end', () => resolve({status: reply.statusCode ?? 0, body}));
          },
        );
        call.on('error', reject);
        call.end('{}');
      });
    expect(await until(480, joining)).to.be.within(481, 495);
    const {message} = JSON.parse((await joining()).body).error;
    expect(message).to.equal('rate limit exceeded, try again in 500ms');
    agent.destroy();
  });
});
