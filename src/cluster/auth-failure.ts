// What a failed call to Auth means. Texts are ours, by code: HTTP/2 in node loses some of the server's messages.

import {Code, ConnectError} from '@connectrpc/connect';
import {Failure, type FailureDetails} from '../errors.js';
import type {CallerWords} from './caller-words.js';
import {CONNECTION_ATTEMPTS, Passing} from './deadline.js';
import {errorCode, networkFailure} from './network-failure.js';
import {oneLine} from './one-line.js';

export interface CallContext {
  /** What the call was for, as in "the cluster refused to …". */
  readonly doing: string;
  /** host:port that was dialled. */
  readonly where: string;
  readonly caller: CallerWords;
  /** Takes secrets out of what the cluster says. */
  readonly hide?: (text: string) => string;
}

// Auth refuses a client certificate after the handshake of TLS 1.3 has ended, so it shows on the first read.
const IDENTITY_REFUSED =
  /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN|REQUIRED)|ACCESS_DENIED)/;

/** The failure of a call; `socketError` and `closed` are what has become of its connection. */
export function callFailure(
  error: unknown,
  socketError: Error | undefined,
  closed: boolean,
  context: CallContext,
): unknown {
  for (const one of [socketError, error]) {
    if (IDENTITY_REFUSED.test(errorCode(one) ?? '')) return identityRefused(one, context.caller);
  }
  if (!(error instanceof ConnectError)) return networkFailure(error, context.where);
  if (error.code === Code.DeadlineExceeded) return networkFailure(timeout(error), context.where);
  // A status that Auth has sent says more than the closing that followed it; what the library makes of a closing has
  // one of a few codes.
  const isStatus = error.cause === undefined && !(closed && TRANSPORT_CODES.has(error.code));
  if (isStatus) return statusFailure(error, context);
  const failure = networkFailure(socketError ?? error.cause, context.where);
  return failure instanceof Failure || failure instanceof Passing ? failure : disconnected(error, context);
}

const TRANSPORT_CODES = new Set([Code.Aborted, Code.Canceled, Code.Internal, Code.Unavailable, Code.Unknown]);

function identityRefused(cause: unknown, {remedy}: CallerWords): Failure {
  return new Failure('REQUEST_REFUSED', 'the cluster no longer accepts this identity', {
    hint: remedy,
    cause,
  });
}

function timeout(cause: Error): Error {
  return Object.assign(new Error('deadline exceeded', {cause}), {code: 'ETIMEDOUT'});
}

function disconnected(cause: ConnectError, {doing, where}: CallContext): Passing {
  const message = `the connection to the auth service through ${where} was closed when it was asked to ${doing}`;
  const hint = "the log of the cluster's auth service may say why";
  return new Passing(new Failure('CLUSTER_UNREACHABLE', message, {hint, cause}), CONNECTION_ATTEMPTS);
}

/** A status that Auth itself has sent. */
function statusFailure(error: ConnectError, {doing, where, caller, hide}: CallContext): Failure | Passing {
  const said = oneLine(hide?.(error.rawMessage) ?? error.rawMessage);
  const details = (hint: string): FailureDetails => ({
    hint,
    ...(hide === undefined && {cause: error}),
    ...(said !== '' && {detail: `the cluster says: ${said}`}),
  });
  switch (error.code) {
    case Code.PermissionDenied:
    case Code.Unauthenticated: {
      const {message, hint} = caller.denial(doing, said);
      return new Failure('REQUEST_REFUSED', message, details(hint));
    }
    case Code.ResourceExhausted: {
      if (/larger than max/.test(said)) return refused(doing, details('the request is too large'));
      const busy = new Failure(
        'CLUSTER_BUSY',
        `the cluster is too busy to ${doing}`,
        details('try again later'),
      );
      return new Passing(busy);
    }
    case Code.Unavailable:
      return new Passing(
        new Failure(
          'CLUSTER_UNREACHABLE',
          `the auth service behind ${where} is not available`,
          details('try again later'),
        ),
      );
    case Code.Unimplemented:
      return new Failure(
        'VERSION_UNSUPPORTED',
        `this version of the cluster is not able to ${doing}`,
        details('upgrade the cluster'),
      );
    case Code.Unknown:
    case Code.Internal:
    case Code.DataLoss:
    case Code.Aborted:
      return new Passing(
        new Failure(
          'CLUSTER_BUSY',
          `the cluster failed to ${doing}`,
          details("look at the log of the cluster's auth service"),
        ),
        CONNECTION_ATTEMPTS,
      );
    default:
      return refused(doing, details("the log of the cluster's auth service may say more"));
  }
}

function refused(doing: string, details: FailureDetails): Failure {
  return new Failure('REQUEST_REFUSED', `the cluster refused to ${doing}`, details);
}
