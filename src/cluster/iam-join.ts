// Joining by method iam: a gRPC stream through the proxy's web address. The cluster sends a challenge, the host answers
// with a request to AWS that holds it and is signed, the cluster sends certificates. Loads the gRPC library, so it is
// imported when it is needed.

import type {TLSSocket} from 'node:tls';
import {type Client, Code, ConnectError, createClient} from '@connectrpc/connect';
import {Failure} from '../errors.js';
import {callFailure} from './auth-failure.js';
import {type CallerProof, signedIdentityRequest} from './aws/caller-identity.js';
import {HOST_WORDS} from './caller-words.js';
import type {Deadline} from './deadline.js';
import {retry} from './deadline.js';
import {type Certs, JoinService} from './gen/auth_pb.js';
import {grpcOver} from './grpc-transport.js';
import {beginHttp2} from './http2-connection.js';
import {type Issued, ROLE, readCerts} from './identity.js';
import {hider, type JoinFields, notAJoin} from './join-fields.js';
import {joinRefusal, plainWords} from './join-refusal.js';
import type {WebConnection} from './web-connection.js';
import {Refused} from './web-status.js';

export interface IamJoining {
  readonly web: WebConnection;
  /** host:port of the proxy. */
  readonly where: string;
  readonly deadline: Deadline;
}

const PROTOCOLS = ['teleport-proxy-grpc', 'h2'];

/** Each attempt signs a fresh challenge. What is returned is unverified. */
export async function joinByIam(
  {web, where, deadline}: IamJoining,
  fields: JoinFields,
  proof: CallerProof,
): Promise<Issued> {
  const hide = hider(fields, proof);
  return retry(deadline, async () => {
    const socket = await web.dial(PROTOCOLS, deadline);
    checkProtocol(socket, where);
    const connection = beginHttp2(socket);
    const client = createClient(JoinService, grpcOver(connection, web.userAgent));
    try {
      const answer = (challenge: string) => signedIdentityRequest(proof, challenge);
      return readCerts(
        await deadline.within(deadline.left, (signal) => exchange(client, fields, answer, signal)),
      );
    } catch (error) {
      deadline.check();
      throw joinFailure(error, connection.error, connection.closed, {where, hide});
    } finally {
      connection.close();
    }
  });
}

function checkProtocol(socket: TLSSocket, where: string): void {
  if (PROTOCOLS.includes(String(socket.alpnProtocol))) return;
  socket.destroy();
  throw new Failure(
    'CLUSTER_UNREACHABLE',
    `${where} does not pass gRPC on, which the join method iam needs`,
    {
      hint:
        'behind a layer 7 load balancer use a token of method "token" or "ec2", ' +
        'or an address that leads to the proxy itself (layer 4)',
    },
  );
}

async function exchange(
  client: Client<typeof JoinService>,
  fields: JoinFields,
  answer: (challenge: string) => Buffer,
  signal: AbortSignal,
): Promise<Certs> {
  let send = (_request: Buffer) => {};
  const sent = new Promise<Buffer>((resolve) => {
    send = resolve;
  });
  async function* answers() {
    const stsIdentityRequest = await sent;
    yield {
      registerUsingTokenRequest: {...fields, token: fields.token.reveal(), role: ROLE},
      stsIdentityRequest,
    };
  }
  let issued: Certs | undefined;
  try {
    for await (const {challenge, certs} of client.registerUsingIAMMethod(answers(), {signal})) {
      if (certs === undefined) send(answer(challenge));
      else issued = certs;
    }
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  }
  if (issued === undefined) throw notAJoin();
  return issued;
}

/** Statuses that are a verdict about the request. */
const VERDICTS: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.NotFound,
  Code.AlreadyExists,
  Code.PermissionDenied,
  Code.FailedPrecondition,
]);

function joinFailure(
  error: unknown,
  socketError: Error | undefined,
  closed: boolean,
  {where, hide}: {readonly where: string; readonly hide: (text: string) => string},
): unknown {
  if (!(error instanceof ConnectError)) return callFailure(error, socketError, closed, context(where));
  const verdict = error.cause === undefined && VERDICTS.has(error.code);
  if (verdict) return joinRefusal(new Refused(error.code, error.rawMessage), hide);
  // Without the trailers: they repeat the message.
  const quotable = new ConnectError(
    hide(plainWords(error.rawMessage)),
    error.code,
    undefined,
    undefined,
    error.cause,
  );
  return callFailure(quotable, socketError, closed, context(where));
}

const context = (where: string) => ({doing: 'join this host', where, caller: HOST_WORDS});
