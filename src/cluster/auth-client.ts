// gRPC with Auth over a connection that has been dialled. Loads the gRPC library, so it is imported when it is needed.

import {type CallOptions, type Client, Code, ConnectError, createClient} from '@connectrpc/connect';
import {type CallContext, callFailure} from './auth-failure.js';
import type {Deadline} from './deadline.js';
import {AuthService} from './gen/auth_pb.js';
import {TrustService} from './gen/teleport/trust/v1/trust_pb.js';
import {grpcOver} from './grpc-transport.js';
import type {Http2Connection} from './http2-connection.js';

export interface AuthServices {
  readonly auth: Client<typeof AuthService>;
  readonly trust: Client<typeof TrustService>;
}

/** One connection to Auth and the calls on it. */
export class AuthClient {
  readonly #connection: Http2Connection;
  readonly #services: AuthServices;

  constructor(connection: Http2Connection, userAgent: string) {
    this.#connection = connection;
    const transport = grpcOver(connection, userAgent);
    this.#services = {
      auth: createClient(AuthService, transport),
      trust: createClient(TrustService, transport),
    };
  }

  get closed(): boolean {
    return this.#connection.closed;
  }

  /** Fails with a Failure, or with Passing where another attempt may help. */
  async call<T>(
    context: CallContext,
    deadline: Deadline,
    call: (services: AuthServices, options: CallOptions) => Promise<T>,
  ): Promise<T> {
    try {
      if (this.closed) throw this.#connection.error ?? new ConnectError('closed', Code.Unavailable);
      // A call whose connection is dropped by ourselves would wait for its timeout.
      return await call(this.#services, {timeoutMs: deadline.left, signal: deadline.closing});
    } catch (error) {
      deadline.check();
      throw callFailure(error, this.#connection.error, this.closed, context);
    }
  }

  /** Drops calls that are under way. */
  close(): void {
    this.#connection.close();
  }
}
