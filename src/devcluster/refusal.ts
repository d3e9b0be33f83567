// A refusal in the words of the real cluster. Its kind decides the HTTP status and the gRPC code, as in Teleport's
// trace and trail packages.

import {Code} from '@connectrpc/connect';

const KINDS = {
  'bad parameter': {http: 400, grpc: Code.InvalidArgument},
  'access denied': {http: 403, grpc: Code.PermissionDenied},
  'not found': {http: 404, grpc: Code.NotFound},
  'already exists': {http: 409, grpc: Code.AlreadyExists},
  'limit exceeded': {http: 429, grpc: Code.ResourceExhausted},
  'not implemented': {http: 501, grpc: Code.Unimplemented},
  unknown: {http: 500, grpc: Code.Unknown},
} as const;

export type RefusalKind = keyof typeof KINDS;

export class Refusal extends Error {
  readonly kind: RefusalKind;
  readonly status: number;
  readonly code: Code;

  constructor(kind: RefusalKind, message: string) {
    super(message);
    this.name = 'Refusal';
    this.kind = kind;
    this.status = KINDS[kind].http;
    this.code = KINDS[kind].grpc;
  }
}

/** Missing permission on a resource, one clause for each verb. */
export function denied(resource: string, ...verbs: readonly string[]): Refusal {
  const clauses = verbs.map((verb) => `access denied to perform action "${verb}" on "${resource}"`);
  return new Refusal('access denied', clauses.join(', '));
}

/** What the proxy makes of Auth's refusals: those of no kind get a frame. */
export function passedOn(refusal: Refusal): Refusal {
  const {kind, message} = refusal;
  return kind === 'unknown' ? new Refusal(kind, `rpc error: code = Unknown desc = ${message}`) : refusal;
}
