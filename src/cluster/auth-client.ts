// gRPC with Auth over a connection that has been dialled. Loads the gRPC library, so it is imported when it is needed.

import {
  type ClientHttp2Session,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type {TLSSocket} from 'node:tls';
import {
  type CallOptions,
  type Client,
  Code,
  ConnectError,
  createClient,
  type Interceptor,
} from '@connectrpc/connect';
import {createGrpcTransport} from '@connectrpc/connect-node';
import {type CallContext, callFailure} from './auth-failure.js';
import type {Deadline} from './deadline.js';
import {AuthService} from './gen/auth_pb.js';
import {TrustService} from './gen/teleport/trust/v1/trust_pb.js';
import {PROTOCOL_VERSION} from './version.js';

export interface AuthServices {
  readonly auth: Client<typeof AuthService>;
  readonly trust: Client<typeof TrustService>;
}

// Nodes come in pages; the largest other answer is a handful of certificates.
const LARGEST_MESSAGE = 16 * 1024 * 1024;

/** One connection to Auth and the calls on it. */
export class AuthClient {
  readonly #socket: TLSSocket;
  readonly #http2: ClientHttp2Session | undefined;
  readonly #services: AuthServices;

  constructor(socket: TLSSocket, userAgent: string) {
    const baseUrl = 'https://auth.teleport.cluster.local';
    this.#socket = socket;
    // HTTP/2 waits for ever on a socket that has failed before it was given it.
    const http2 = socket.destroyed ? undefined : connect(baseUrl, {createConnection: () => socket});
    http2?.on('error', () => {});
    this.#http2 = http2;
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: onlySession(baseUrl, http2),
      interceptors: [metadata(userAgent)],
      acceptCompression: [],
      readMaxBytes: LARGEST_MESSAGE,
    });
    this.#services = {
      auth: createClient(AuthService, transport),
      trust: createClient(TrustService, transport),
    };
  }

  get closed(): boolean {
    return this.#socket.destroyed || this.#http2 === undefined || this.#http2.closed || this.#http2.destroyed;
  }

  /** Fails with a Failure, or with Passing where another attempt may help. */
  async call<T>(
    context: CallContext,
    deadline: Deadline,
    call: (services: AuthServices, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      if (this.closed) throw this.#socket.errored ?? new ConnectError('closed', Code.Unavailable);
      return await call(this.#services, {timeoutMs: deadline.left});
    } catch (error) {
      deadline.check();
      throw callFailure(error, this.#socket.errored, this.closed, context);
    }
  }

  /** Drops calls that are under way. An open HTTP/2 session would keep the process alive for minutes. */
  close(): void {
    this.#http2?.destroy();
    this.#socket.destroy();
  }
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
