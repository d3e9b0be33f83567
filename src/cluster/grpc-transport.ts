// gRPC over a TLS connection that has been dialled and verified. Loads the gRPC library, so it is imported when it is
// needed.

import type {ClientHttp2Session, ClientSessionRequestOptions, OutgoingHttpHeaders} from 'node:http2';
import {Code, ConnectError, type Interceptor, type Transport} from '@connectrpc/connect';
import {createGrpcTransport} from '@connectrpc/connect-node';
import {AUTHORITY, type Http2Connection} from './http2-connection.js';
import {usePlainHeaders} from './plain-headers.js';
import {PROTOCOL_VERSION} from './version.js';

// Nodes come in pages; the largest other answer is a handful of certificates.
const LARGEST_MESSAGE = 16 * 1024 * 1024;

/** Calls over a connection; whoever has dialled it closes it. An open one would keep the process alive for minutes. */
export function grpcOver({session}: Http2Connection, userAgent: string): Transport {
  usePlainHeaders();
  return createGrpcTransport({
    baseUrl: AUTHORITY,
    sessionManager: onlySession(session),
    interceptors: [metadata(userAgent)],
    acceptCompression: [],
    readMaxBytes: LARGEST_MESSAGE,
  });
}

/**
 * One HTTP/2 session that is never replaced: a lost connection is dialled, and its peer verified, by ourselves. (The
 * library's own manager leaves an error uncaught when the connection fails just as it becomes ready.)
 */
function onlySession(session: ClientHttp2Session | undefined) {
  return {
    authority: AUTHORITY,
    async request(
      method: string,
      path: string,
      headers: OutgoingHttpHeaders,
      options: ClientSessionRequestOptions,
    ) {
      if (session === undefined) throw new ConnectError('closed', Code.Unavailable);
      return session.request({...headers, ':method': method, ':path': path}, options);
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
