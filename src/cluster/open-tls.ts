// One TLS connection, directly or through an HTTP proxy's CONNECT.

import {isIP} from 'node:net';
import tls, {type ConnectionOptions, type TLSSocket} from 'node:tls';
import type {Address} from '../ssh/address.js';
import type {HttpProxy} from './http-proxy.js';
import {connectThrough} from './http-tunnel.js';

/** Where to connect, and through what. */
export interface Route {
  readonly target: Address;
  readonly httpProxy: HttpProxy | undefined;
}

/**
 * Resolves after the handshake. Whoever asks has to look at the peer's certificate: without `rejectUnauthorized` the
 * connection is made with anybody. Rejects with the error of the socket, or with the signal's reason.
 */
export async function openTls(
  route: Route,
  options: ConnectionOptions,
  signal: AbortSignal,
): Promise<TLSSocket> {
  signal.throwIfAborted();
  const {host, port} = route.target;
  const through = route.httpProxy && (await connectThrough(route.httpProxy, route.target, signal));
  const name = options.servername ?? (isIP(host) === 0 ? host : undefined);
  return handshake(
    {...options, ...(name && {servername: name}), host, port, ...(through && {socket: through})},
    signal,
  );
}

export function handshake(options: ConnectionOptions, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(options);
    socket.setNoDelay(true);
    const settle = (error?: unknown) => {
      signal.removeEventListener('abort', abort);
      socket.off('error', fail).off('close', closed);
      // Nobody may be listening yet; whoever uses the socket sees that it is closed. Of a TLS alert Node only tells, and
      // whoever came to read the socket later would wait for ever.
      socket.on('error', (failed) => socket.destroy(failed));
      if (error === undefined) resolve(socket);
      else reject(error);
    };
    const fail = (error: unknown) => {
      settle(error);
      socket.destroy();
    };
    const abort = () => fail(signal.reason);
    const closed = () => fail(Object.assign(new Error('closed during the handshake'), {code: 'ECONNRESET'}));
    signal.addEventListener('abort', abort);
    socket
      .once('secureConnect', () => settle())
      .once('error', fail)
      .once('close', closed);
  });
}
