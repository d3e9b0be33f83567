// A TCP forwarder on loopback that is as slow as a network: it delays every byte by half a round-trip time each way,
// charges one round trip for opening a connection, and counts what passes.

import net, {type Socket} from 'node:net';
import {split} from './raw-client.js';

export interface Forwarder {
  /** host:port to connect to instead of the target. */
  readonly address: string;
  readonly port: number;
  readonly connections: number;
  /** Payload bytes from the client, and to it. */
  readonly bytesUp: number;
  readonly bytesDown: number;
  /**
   * The longest chain of "sent, then waited for an answer to it" so far, over all connections, opening each included:
   * what a slow network makes somebody wait for. Needs an rtt well above the answering time of the target.
   */
  readonly roundTrips: number;
  close(): Promise<void>;
}

export interface ForwarderOptions {
  /** host:port */
  readonly target: string;
  /** Milliseconds; 0: no delay. */
  readonly rtt: number;
}

/** Every chunk carries how many round trips were needed before it could exist. */
class Counter {
  connections = 0;
  bytesUp = 0;
  bytesDown = 0;
  roundTrips = 0;
}

export async function startForwarder({target, rtt}: ForwarderOptions): Promise<Forwarder> {
  const counter = new Counter();
  const sockets = new Set<Socket>();
  const server = net.createServer({allowHalfOpen: true}, (client) => {
    const upstream = net.connect({...split(target), allowHalfOpen: true});
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true).on('error', () => socket.destroy()));
      socket.on('close', () => sockets.delete(socket));
    }
    link(client, upstream, counter, rtt);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('no port');
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return Object.defineProperties({address: `127.0.0.1:${bound.port}`, port: bound.port, close} as Forwarder, {
    connections: {get: () => counter.connections},
    bytesUp: {get: () => counter.bytesUp},
    bytesDown: {get: () => counter.bytesDown},
    roundTrips: {get: () => counter.roundTrips},
  });
}

function link(client: Socket, upstream: Socket, counter: Counter, rtt: number): void {
  counter.connections += 1;
  // The handshake of TCP, which the loopback interface makes for nothing.
  const opened = counter.roundTrips + 1;
  counter.roundTrips = opened;
  // Depth of the latest bytes that have reached the target on this connection.
  let arrived = opened;
  const up = delayLine(upstream, rtt / 2, rtt);
  const down = delayLine(client, rtt / 2, 0);
  client.on('data', (chunk) => {
    counter.bytesUp += chunk.length;
    const depth = counter.roundTrips;
    up(() => {
      arrived = Math.max(arrived, depth);
      upstream.write(chunk);
    });
  });
  upstream.on('data', (chunk) => {
    counter.bytesDown += chunk.length;
    const depth = arrived + 1;
    down(() => {
      counter.roundTrips = Math.max(counter.roundTrips, depth);
      client.write(chunk);
    });
  });
  client.on('end', () => up(() => upstream.end())).on('close', () => up(() => upstream.destroy()));
  upstream.on('end', () => down(() => client.end())).on('close', () => down(() => client.destroy()));
}

/** Runs things after a delay, in order; whatever comes in the first moments waits for `head` in addition. */
function delayLine(to: Socket, delay: number, head: number): (deliver: () => void) => void {
  const ready = performance.now() + head;
  const waiting: (() => void)[] = [];
  // Timers keep whole milliseconds, so the one that was set later may come first: it has the next in line delivered.
  const next = () => {
    const deliver = waiting.shift();
    if (!to.destroyed) deliver?.();
  };
  let last = 0;
  return (deliver) => {
    waiting.push(deliver);
    const due = Math.max(last, performance.now() + delay, ready + delay);
    last = due;
    if (delay === 0 && head === 0) next();
    else setTimeout(next, due - performance.now());
  };
}
