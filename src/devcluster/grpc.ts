// gRPC over sockets that are already accepted: who calls, what anonymous and locked callers may do, the version
// rule, and errors as Teleport sends them.

import {randomBytes} from 'node:crypto';
import type {Http2ServerRequest, Http2ServerResponse} from 'node:http2';
import {
  type Code,
  ConnectError,
  type ConnectRouter,
  createContextValues,
  type Interceptor,
} from '@connectrpc/connect';
import {connectNodeAdapter} from '@connectrpc/connect-node';
import {AuthService, JoinService} from '../cluster/gen/auth_pb.js';
import {TrustService} from '../cluster/gen/teleport/trust/v1/trust_pb.js';
import {authService} from './auth-service.js';
import {authorize} from './authorize.js';
import {type Caller, callerKey} from './caller.js';
import {type Context, join, joinByIam} from './context.js';
import {passedOn, Refusal} from './refusal.js';
import {trustService} from './trust-service.js';
import {acceptsClient} from './version.js';

type Handler = (request: Http2ServerRequest, response: Http2ServerResponse) => void;

const MESSAGE_LIMIT = 4 * 1024 * 1024;

/** Auth: everything, for callers that the connection has identified. */
export function authHandler(context: Context, callerOf: (request: Http2ServerRequest) => Caller): Handler {
  const handler = adapter(context, callerOf, (router) => {
    router.service(AuthService, authService(context));
    router.service(TrustService, trustService(context));
    joinRoutes(context)(router);
  });
  return (request, response) => {
    const {version} = request.headers;
    // A client that is too old, or says nonsense, is hung up on without a status.
    if (acceptsClient(context.version, version?.toString())) handler(request, response);
    else request.stream.session?.destroy();
  };
}

/** The proxy's join service: no client certificate, no version rule. */
export function joinHandler(context: Context, callerOf: (request: Http2ServerRequest) => Caller): Handler {
  return adapter(context, callerOf, joinRoutes(context));
}

const joinRoutes = (context: Context) => (router: ConnectRouter) => {
  router.service(JoinService, {
    registerUsingToken: (request, call) => join(context, request, call.values.get(callerKey).address),
    async *registerUsingIAMMethod(answers, call) {
      const challenge = randomBytes(32).toString('base64').replace(/=+$/, '');
      yield {challenge};
      for await (const answer of answers) {
        yield {
          certs: refusable(() => joinByIam(context, answer, challenge, call.values.get(callerKey).address)),
        };
        return;
      }
    },
  });
};

/** A stream's refusals are made when it has been accepted: no interceptor sees them. */
function refusable<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const {message, code} = passedOn(error);
    throw new ConnectError(message, code);
  }
}

function adapter(
  context: Context,
  callerOf: (request: Http2ServerRequest) => Caller,
  routes: (router: ConnectRouter) => void,
): Handler {
  const handler = connectNodeAdapter({
    routes,
    grpc: true,
    grpcWeb: false,
    connect: false,
    readMaxBytes: MESSAGE_LIMIT,
    interceptors: [guard(context)],
    contextValues: (request) => createContextValues().set(callerKey, callerOf(request as Http2ServerRequest)),
    fallback: (request, response) =>
      unknownMethod(request as Http2ServerRequest, response as Http2ServerResponse),
  });
  return (request, response) => {
    const name = request.url.slice(1);
    context.stats.count(name);
    const hook = context.hooks.testOnlyCall?.(name);
    if (hook === 'close') request.stream.session?.destroy();
    else if (hook !== undefined) sendStatus(response, hook.code, hook.message);
    else handler(request, response);
  };
}

/** Permission first, then the call; refusals become gRPC statuses and the server names its version. */
function guard({locks, version, hooks}: Context): Interceptor {
  return (next) => async (request) => {
    const name = `${request.service.typeName}/${request.method.name}`;
    try {
      authorize(request.contextValues.get(callerKey), name, locks, hooks);
      const reply = await next(request);
      reply.header.set('version', version);
      if (reply.stream || hooks.testOnlyReply === undefined) return reply;
      return {...reply, message: hooks.testOnlyReply(name, reply.message) as typeof reply.message};
    } catch (error) {
      if (error instanceof Refusal) throw new ConnectError(error.message, error.code);
      throw error;
    }
  };
}

/** Calls that this cluster does not know are Unimplemented, in Go's words. */
function unknownMethod(request: Http2ServerRequest, response: Http2ServerResponse): void {
  const [service = '', method = ''] = request.url.slice(1).split('/');
  const known = [AuthService, JoinService, TrustService].some(({typeName}) => typeName === service);
  const text = known ? `unknown method ${method} for service ${service}` : `unknown service ${service}`;
  const {code, message} = new Refusal('not implemented', text);
  sendStatus(response, code, message);
}

/** A status without a message, in the headers alone. */
function sendStatus(response: Http2ServerResponse, code: Code, message: string): void {
  response.stream.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': String(code),
      'grpc-message': encodeURIComponent(message),
    },
    {endStream: true},
  );
}
