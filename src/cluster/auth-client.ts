// gRPC with Auth over a connection that has been dialled. Loads the gRPC library, so it is imported when it is needed.

import type {TLSSocket} from 'node:tls';
import {type CallOptions, type Client, createClient, type Interceptor} from '@connectrpc/connect';
import {createGrpcTransport, Http2SessionManager} from '@connectrpc/connect-node';
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
  readonly #manager: Http2SessionManager;
  readonly #services: AuthServices;
  #socketError: Error | undefined;

  constructor(socket: TLSSocket, userAgent: string) {
    const baseUrl = 'https://auth.teleport.cluster.local';
    this.#socket = socket.on('error', (error) => {
      this.#socketError ??= error;
    });
    this.#manager = new Http2SessionManager(baseUrl, {}, {createConnection: () => socket});
    const transport = createGrpcTransport({
      baseUrl,
      sessionManager: this.#manager,
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
    return this.#socket.destroyed || this.#socket.readableEnded;
  }

  /** Fails with a Failure, or with Passing where another attempt may help. */
  async call<T>(
    context: CallContext,
    deadline: Deadline,
    call: (services: AuthServices, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      return await call(this.#services, {timeoutMs: deadline.left});
    } catch (error) {
      deadline.check();
      const failure = callFailure(error, this.#socketError, this.closed, context);
      throw failure;
    }
  }

  /** Drops calls that are under way. An open HTTP/2 session would keep the process alive for minutes. */
  close(): void {
    this.#manager.abort();
    this.#socket.destroy();
  }
}

function metadata(userAgent: string): Interceptor {
  return (next) => (request) => {
    request.header.set('version', PROTOCOL_VERSION);
    request.header.set('user-agent', userAgent);
    return next(request);
  };
}
