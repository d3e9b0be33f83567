// gRPC over a TLS connection that has been dialled and verified. Loads the gRPC library, so it is imported when it is
// needed.

import {
  type ClientHttp2Session,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type {TLSSocket} from 'node:tls';
import {Code, ConnectError, type Interceptor, type Transport} from '@connectrpc/connect';
import {createGrpcTransport} from '@connectrpc/connect-node';
import {usePlainHeaders} from './plain-headers.js';
import {PROTOCOL_VERSION} from './version.js';

export interface GrpcConnection {
  readonly transport: Transport;
  readonly closed: boolean;
  /** Drops calls that are under way. An open HTTP/2 session would keep the process alive for minutes. */
  close(): void;
}

// Nodes come in pages; the largest other answer is a handful of certificates.
const LARGEST_MESSAGE = 16 * 1024 * 1024;

export function grpcOver(socket: TLSSocket, userAgent: string): GrpcConnection {
  usePlainHeaders();
  const baseUrl = 'https://auth.teleport.cluster.local';
  // HTTP/2 waits for ever on a socket that has failed before it was given it.
  const http2 = socket.destroyed ? undefined : connect(baseUrl, {createConnection: () => socket});
  http2?.on('error', () => {});
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager: onlySession(baseUrl, http2),
    interceptors: [metadata(userAgent)],
    acceptCompression: [],
    readMaxBytes: LARGEST_MESSAGE,
  });
  return {
    transport,
    get closed() {
      return socket.destroyed || http2 === undefined || http2.closed || http2.destroyed;
    },
    // The socket takes its session along. To destroy the session itself, after calls that were answered by an error, corrupts
    // the memory of the process: seen with Node 20.20 as a crash after about fifty times.
    close() {
      socket.destroy();
    },
  };
}

/**
 * One HTTP/2 session that is never replaced: a lost connection is dialled, and its peer verified, by ourselves. (The
 * library's own manager leaves an error uncaught when the connection fails just as it becomes ready.)
 */
function onlySession(authority: string, http2: ClientHttp2Session | undefined) {
  return {
    authority,
    async request(
      method: string,
      path: string,
      headers: OutgoingHttpHeaders,
      options: ClientSessionRequestOptions,
    ) {
      if (http2 === undefined) throw new ConnectError('closed', Code.Unavailable);
      return http2.request({...headers, ':method': method, ':path': path}, options);
    },
    notifyResponseByteRead() {},
  };
}

function metadata(userAgent: string): Interceptor {
  return (next) => (request) => {
    request.header.set('version', PROTOCOL_VERSION);
    request.header.set('user-agent', userAgent);
    return next(request);
  };
}
