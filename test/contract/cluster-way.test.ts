import {readFileSync} from 'node:fs';
import http from 'node:http';
import net, {type AddressInfo, type Server} from 'node:net';
import {expect} from 'chai';
import {type Step, wayTo} from '../../src/cluster/examine.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';

// The way to a cluster, step by step, over real sockets.

describe('the way to a cluster', () => {
  let server: TemporaryCluster;
  before(async () => {
    server = await temporaryCluster();
  });
  after(() => server.stop());

  const way = (proxy = server.proxy, more: Partial<Parameters<typeof wayTo>[0]> = {}) =>
    wayTo({proxy, caFile: [readFileSync(server.caFile, 'utf8')], env: {}, patience: 5000, ...more});
  const value = <T>(step: Step<T>): T => {
    if ('failure' in step) throw step.failure;
    return step.value;
  };
  const message = (step: Step<unknown>) => ('failure' in step ? step.failure.message : 'it did not fail');

  it('can be gone to its end', async () => {
    const {first, throughHttpProxy, ...steps} = way();
    expect([first, throughHttpProxy]).to.deep.equal([server.proxy, false]);
    expect(value(await steps.resolve())).to.deep.equal(['127.0.0.1']);
    expect(value(await steps.connect())).to.be.at.least(0);
    const certificate = value(await steps.verify());
    expect(certificate.names).to.match(/IP Address:127\.0\.0\.1|DNS:/);
    expect(certificate.validTo.getTime()).to.be.above(Date.now());
    expect(value(await steps.route('dev.example'))).to.include('DNS:*.teleport.cluster.local');
  });

  it('resolves names, and says of one that has no address that it has none', async () => {
    expect(value(await way('localhost:1').resolve())).to.include.oneOf(['127.0.0.1', '::1']);
    expect(message(await way('no-such-host.invalid').resolve())).to.include(
      'no-such-host.invalid:443 cannot be found',
    );
  });

  it('ends at a port where nobody is', async () => {
    expect(message(await way('127.0.0.1:1').connect())).to.equal('127.0.0.1:1 refuses connections');
  });

  it('ends at a certificate of an unknown authority', async () => {
    expect(message(await way(server.proxy, {caFile: []}).verify())).to.include(
      'signed by an authority that this host does not know',
    );
  });

  it('does not lead to Auth of another cluster', async () => {
    expect(message(await way().route('other.example'))).to.match(/does not route|closed the connection/);
  });

  it('is not waited for longer than told', async () => {
    const silent: Server = net.createServer(() => undefined);
    const sockets: net.Socket[] = [];
    silent.on('connection', (socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    try {
      const {verify, route} = way(`127.0.0.1:${(silent.address() as AddressInfo).port}`, {patience: 200});
      expect(message(await verify())).to.include('does not answer');
      expect(message(await route('dev.example'))).to.include('does not answer');
    } finally {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => silent.close(resolve));
    }
  });

  it('does not lead to Auth where something else speaks TLS', async () => {
    const {proxy, stop} = await temporaryCluster({name: 'other.example'});
    try {
      const step = await way(proxy).route('dev.example');
      expect(message(step)).to.match(/does not route|closed the connection/);
    } finally {
      await stop();
    }
  });

  it('may begin at an HTTP proxy', async () => {
    const tunnel = http.createServer();
    tunnel.on('connect', (_, socket, head) => {
      const upstream = net.connect(Number(server.proxy.split(':')[1]), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        upstream.write(head);
        upstream.pipe(socket).pipe(upstream);
      });
      for (const one of [socket, upstream]) one.on('error', () => undefined);
    });
    await new Promise<void>((resolve) => tunnel.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(tunnel.address() as AddressInfo).port}`;
    try {
      const {first, throughHttpProxy, resolve, route} = way('cluster.test:443', {
        env: {HTTPS_PROXY: `http://${address}`},
      });
      expect([first, throughHttpProxy]).to.deep.equal([address, true]);
      expect(value(await resolve()), 'the name is for the HTTP proxy to resolve').to.deep.equal([
        '127.0.0.1',
      ]);
      expect(value(await route('dev.example'))).to.include('teleport.cluster.local');
    } finally {
      tunnel.closeAllConnections();
      await new Promise((resolve) => tunnel.close(resolve));
    }
  });
});
