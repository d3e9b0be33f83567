// HTTP/2 over a TLS connection. It is begun in the very turn in which the handshake has ended: Auth refuses a client
// certificate after that, and node drops the alert when nobody listens yet. A call that is made later would then wait
// until its time is up.

import {type ClientHttp2Session, connect} from 'node:http2';
import type {TLSSocket} from 'node:tls';

export interface Http2Connection {
  /** Undefined when the connection was lost before it could begin. */
  readonly session: ClientHttp2Session | undefined;
  readonly closed: boolean;
  /** What has ended the connection. Node does not keep an alert in `socket.errored`. */
  readonly error: Error | undefined;
  close(): void;
}

/** The name in every request; the connection is what decides who answers. */
export const AUTHORITY = 'https://auth.teleport.cluster.local';

export function beginHttp2(socket: TLSSocket): Http2Connection {
  let error = socket.errored ?? undefined;
  socket.on('error', (seen) => {
    error ??= seen;
  });
  // HTTP/2 waits for ever on a socket that has failed before it was given it.
  const session = socket.destroyed ? undefined : connect(AUTHORITY, {createConnection: () => socket});
  session?.on('error', () => {});
  return {
    session,
    get closed() {
      return socket.destroyed || session === undefined || session.closed || session.destroyed;
    },
    get error() {
      return error;
    },
    // The socket takes its session along. To destroy the session itself, after calls that were answered by an error,
    // corrupts the memory of the process: seen with Node 20.20 as a crash after about fifty times.
    close() {
      socket.destroy();
    },
  };
}
