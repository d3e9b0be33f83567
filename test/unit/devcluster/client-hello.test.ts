import net from 'node:net';
import tls from 'node:tls';
import {expect} from 'chai';
import fc from 'fast-check';
import {ClientHelloError, readClientHello} from '../../../src/devcluster/client-hello.js';
import {encodeCluster, routeOf} from '../../../src/devcluster/routing.js';

/** What Node's client says first. */
function record(options: tls.ConnectionOptions): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', (bytes) => {
        resolve(bytes);
        socket.destroy();
        server.close();
      });
    });
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address ? address.port : 0;
      tls.connect({host: '127.0.0.1', port, rejectUnauthorized: false, ...options}).on('error', () => {});
    });
  });
}

describe('devcluster: client hello', () => {
  const servername = encodeCluster('dev.example');
  const ALPNProtocols = [`teleport-auth@${servername}`, 'h2'];

  it('reads the name and the protocols in the order of the client', async () => {
    const hello = readClientHello(await record({servername, ALPNProtocols}));
    expect(hello).to.eql({serverName: servername, protocols: ALPNProtocols});
    expect(readClientHello(await record({}))).to.eql({serverName: undefined, protocols: []});
    const old = await record({servername: 'x.example', maxVersion: 'TLSv1.2'});
    expect(readClientHello(old)?.serverName).to.equal('x.example');
  });

  it('waits for more while it is not complete, and needs no more than that', async () => {
    const bytes = await record({servername, ALPNProtocols});
    for (let length = 0; length < bytes.length; length++) {
      expect(readClientHello(bytes.subarray(0, length)), String(length)).to.equal(undefined);
    }
    expect(readClientHello(Buffer.concat([bytes, Buffer.from('more')]))?.protocols).to.eql(ALPNProtocols);
  });

  it('puts together what is split over records', async () => {
    const bytes = await record({servername, ALPNProtocols});
    const message = bytes.subarray(5);
    const pieces: Buffer[] = [];
    for (let at = 0; at < message.length; at += 50) {
      const piece = message.subarray(at, at + 50);
      pieces.push(Buffer.of(22, 3, 1, 0, piece.length), piece);
    }
    expect(readClientHello(Buffer.concat(pieces))).to.eql({serverName: servername, protocols: ALPNProtocols});
  });

  it('throws its own error for anything else, and nothing else', async () => {
    const bytes = await record({servername, ALPNProtocols});
    const reads = (input: Buffer) => {
      try {
        readClientHello(input);
      } catch (error) {
        expect(error).to.be.instanceOf(ClientHelloError);
      }
    };
    expect(() => readClientHello(Buffer.from('GET / HTTP/1.1'))).to.throw(ClientHelloError);
    fc.assert(fc.property(fc.uint8Array({maxLength: 200}), (noise) => reads(Buffer.from(noise))));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        reads(changed);
      }),
      {numRuns: 500},
    );
  });

  it('routes by the first protocol that is served', () => {
    const route = (...protocols: string[]) => routeOf({serverName: undefined, protocols}, 'dev.example');
    expect(route()).to.equal('http/1.1');
    expect(route(...ALPNProtocols)).to.equal('auth');
    expect(route('teleport-proxy-grpc', 'h2')).to.equal('join');
    expect(route('h2', 'http/1.1')).to.equal('h2');
    expect(route('http/1.1', 'h2')).to.equal('http/1.1');
    expect(route('teleport-reversetunnel')).to.equal(undefined);
    expect(route(`teleport-auth@${encodeCluster('other.example')}`)).to.equal(undefined);
  });
});
