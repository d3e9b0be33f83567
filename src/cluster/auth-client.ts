// gRPC with Auth over a connection that has been dialled. Loads the gRPC library, so it is imported when it is needed.

import type {TLSSocket} from 'node:tls';
import {type CallOptions, type Client, Code, ConnectError, createClient} from '@connectrpc/connect';
import {type CallContext, callFailure} from './auth-failure.js';
import type {Deadline} from './deadline.js';
import {AuthService} from './gen/auth_pb.js';
import {TrustService} from './gen/teleport/trust/v1/trust_pb.js';
import {type GrpcConnection, grpcOver} from './grpc-transport.js';

export interface AuthServices {
  readonly auth: Client<typeof AuthService>;
  readonly trust: Client<typeof TrustService>;
}

/** One connection to Auth and the calls on it. */
export class AuthClient {
  readonly #socket: TLSSocket;
  readonly #connection: GrpcConnection;
  readonly #services: AuthServices;

  constructor(socket: TLSSocket, userAgent: string) {
    this.#socket = socket;
    this.#connection = grpcOver(socket, userAgent);
    const {transport} = this.#connection;
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
      if (this.closed) throw this.#socket.errored ?? new ConnectError('closed', Code.Unavailable);
      // A call whose connection is dropped by ourselves would wait for its timeout.
      return await call(this.#services, {timeoutMs: deadline.left, signal: deadline.closing});
    } catch (error) {
      deadline.check();
      throw callFailure(error, this.#socket.errored, this.closed, context);
    }
  }

  /** Drops calls that are under way. */
  close(): void {
    this.#connection.close();
  }
}
