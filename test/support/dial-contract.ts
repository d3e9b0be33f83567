import {randomBytes} from 'node:crypto';
import {once} from 'node:events';
import {type AddressInfo, createServer, type Server, type Socket} from 'node:net';
import {expect} from 'chai';
import type {Host} from '../../src/host/host.js';
import {freePort} from './free-port.js';
import {skip} from './skip.js';

export interface DialOptions {
  readonly make: () => Promise<Host>;
  readonly close?: (host: Host) => Promise<void>;
  /**
   * It is one of the many programs called nc: some know no IPv6, some go on when the other end has ended, and none tells
   * that it is connected.
   */
  readonly poor?: boolean;
}

/** What every Host promises of connections to ports of its own. */
export function describeDial(
  name: string,
  {make, close = async () => undefined, poor = false}: DialOptions,
): void {
  describe(`connections from a host: ${name}`, () => {
    let host: Host;
    let server: Server | undefined;
    let taken: Promise<Socket>;
    const sockets: Socket[] = [];

    before(async () => {
      host = await make();
    });
    after(() => close(host));
    afterEach(() => {
      server?.close();
      server = undefined;
      for (const socket of sockets.splice(0)) socket.destroy();
    });

    async function listen(greeting: string, address = '127.0.0.1'): Promise<number> {
      const listening = createServer((socket) => {
        sockets.push(socket);
        socket.on('error', () => undefined);
        socket.write(greeting);
      });
      server = listening;
      taken = new Promise((resolve) => listening.once('connection', resolve));
      listening.listen(0, address);
      await once(listening, 'listening');
      return (listening.address() as AddressInfo).port;
    }

    it('carry every byte both ways, also of whoever speaks first', async () => {
      const port = await listen('hello\r\n');
      const stream = await host.dial('127.0.0.1', port);
      const peer = await taken;
      peer.pipe(peer);
      const bytes = randomBytes(300_000);
      stream.write(bytes);
      const wanted = Buffer.concat([Buffer.from('hello\r\n'), bytes]);
      let got = Buffer.alloc(0);
      for await (const chunk of stream) {
        got = Buffer.concat([got, chunk as Buffer]);
        if (got.length >= wanted.length) break;
      }
      expect(got.equals(wanted)).to.equal(true);
    });

    it('are there when somebody listens who waits to be spoken to', async function () {
      if (poor) skip(this, 'nc does not tell that it is connected');
      const port = await listen('');
      const stream = await host.dial('127.0.0.1', port);
      stream.write('GET');
      const [said] = await once(await taken, 'data');
      expect(String(said)).to.equal('GET');
      stream.destroy();
    });

    it('end when the other end ends', async function () {
      if (poor) skip(this, 'there is an nc that goes on until its input ends');
      const port = await listen('bye');
      const stream = await host.dial('127.0.0.1', port);
      (await taken).end();
      const words: Buffer[] = [];
      for await (const chunk of stream) words.push(chunk as Buffer);
      expect(Buffer.concat(words).toString()).to.equal('bye');
    });

    it('end at the other end when they are given up', async () => {
      const port = await listen('hello');
      const stream = await host.dial('127.0.0.1', port);
      const peer = await taken;
      peer.resume();
      stream.destroy();
      await closed(peer);
    });

    it('go to IPv6 as well', async function () {
      if (poor) skip(this, 'there is an nc that knows no IPv6');
      const port = await listen('hello', '::1').catch(() => undefined);
      if (port === undefined) skip(this, 'no IPv6 here');
      const stream = await host.dial('::1', port);
      stream.destroy();
    });

    it('are refused where nobody listens', async () => {
      const port = await freePort();
      const refused = await host.dial('127.0.0.1', port).then(
        () => 'connected',
        (error: {code?: string}) => error.code,
      );
      expect(refused).to.equal('ECONNREFUSED');
    });

    it('are given up by a signal, whether they are there or not', async () => {
      const port = await listen('');
      const controller = new AbortController();
      const dialling = host.dial('127.0.0.1', port, controller.signal);
      const peer = await taken;
      peer.resume();
      controller.abort();
      const stream = await dialling.catch(() => undefined);
      stream?.on('error', () => undefined);
      await closed(peer);
    });
  });
}

/** Also by a reset, which is an error besides. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => socket.once('close', () => resolve()));
