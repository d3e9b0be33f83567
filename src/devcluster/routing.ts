// The proxy's one port: TLS is routed by what the client says in its first message. `teleport-auth@…` goes to Auth
// with its bytes untouched; all else ends at the proxy.

import type {Socket} from 'node:net';
import {type ClientHello, readClientHello} from './client-hello.js';

export type Route = 'auth' | 'join' | 'h2' | 'http/1.1';

const AUTH = 'teleport-auth@';
const JOIN = 'teleport-proxy-grpc';
const PATIENCE = 10_000;

/** "<hex of the cluster's name>.teleport.cluster.local". */
export function encodeCluster(name: string): string {
  return `${Buffer.from(name).toString('hex')}.teleport.cluster.local`;
}

/** The first protocol in the client's list that is served here; none offered means HTTP/1.1. */
export function routeOf({protocols}: ClientHello, cluster: string): Route | undefined {
  if (protocols.length === 0) return 'http/1.1';
  for (const protocol of protocols) {
    if (protocol === AUTH + encodeCluster(cluster)) return 'auth';
    if (protocol === JOIN) return 'join';
    if (protocol === 'h2' || protocol === 'http/1.1') return protocol;
  }
  return undefined;
}

/** Reads the client hello, puts it back, and hands the socket on. What is no TLS, or fits no route, is closed. */
export function routeConnection(
  socket: Socket,
  cluster: string,
  handlers: Readonly<Record<Route, (socket: Socket) => void>>,
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const timer = setTimeout(() => socket.destroy(), PATIENCE).unref();
  socket.on('data', read);

  function read(chunk: Buffer): void {
    bytes = Buffer.concat([bytes, chunk]);
    const handler = find();
    if (handler === 'more') return;
    clearTimeout(timer);
    socket.off('data', read);
    socket.pause();
    if (handler === undefined) {
      socket.destroy();
      return;
    }
    socket.unshift(bytes);
    handler(socket);
  }

  function find(): ((socket: Socket) => void) | 'more' | undefined {
    try {
      const hello = readClientHello(bytes);
      if (hello === undefined) return 'more';
      const route = routeOf(hello, cluster);
      return route && handlers[route];
    } catch {
      return undefined;
    }
  }
}
