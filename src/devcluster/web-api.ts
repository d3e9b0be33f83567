// The proxy's web API, over HTTP/1.1 and HTTP/2 alike.

import type {IncomingMessage, ServerResponse} from 'node:http';
import type {Http2ServerRequest, Http2ServerResponse} from 'node:http2';
import type {Certs} from '../cluster/gen/auth_pb.js';
import {peerAddress} from './address.js';
import {exportAuthorities} from './authority-export.js';
import {type Context, join} from './context.js';
import {findBody, pingBody} from './find.js';
import {readJoinRequest} from './join-request.js';
import type {HttpReply} from './options.js';
import {type Limits, RateLimiter} from './rate-limit.js';
import {passedOn, Refusal} from './refusal.js';
import {describeVersion} from './version.js';

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly contentType: string;
  readonly body: string;
  /** The peer's IP address. */
  readonly address: string;
}

const JSON_TYPE = {'content-type': 'application/json'};
const TEXT_TYPE = {'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff'};
const BODY_LIMIT = 10 * 1024 * 1024;

export function webApi(context: Context): (request: Request, response: Response) => void {
  const limiters = context.limits && limitersFor(context.limits);
  const answer = (call: Call): HttpReply => {
    context.stats.count(`${call.method} ${call.path}`);
    const path = call.path.replace(/^\/v1(?=\/webapi\/)/, '');
    return context.hooks.testOnlyHttp?.(call) ?? route(context, limiters, {...call, path});
  };
  return (request, response) => {
    readCall(request)
      .then(answer)
      .catch((error: unknown) => internalError(error))
      .then((reply) => send(response, reply));
  };
}

type Limiters = ReturnType<typeof limitersFor>;

const limitersFor = (limits: Limits) => ({
  join: new RateLimiter(limits.join),
  export: new RateLimiter(limits.export),
});

function route(context: Context, limiters: Limiters | undefined, call: Call): HttpReply {
  const {path, address} = call;
  if (call.method === 'GET' && path === '/webapi/find') return json(findBody(context));
  if (call.method === 'GET' && /^\/webapi\/ping(\/[^/]+)?$/.test(path)) return json(pingBody(context));
  if (call.method === 'POST' && path === '/webapi/host/credentials') {
    if (limiters && !limiters.join.take(address)) return overLimit(limiters.join);
    return hostCredentials(context, call);
  }
  if (call.method === 'GET' && isExport(path, context.cluster.name)) {
    if (limiters && !limiters.export.take(address)) {
      return {status: 429, headers: TEXT_TYPE, body: `${limiters.export.message}\n`};
    }
    return authorityExport(context, call.query);
  }
  const fields = {proxyVersion: describeVersion(context.version)};
  return {...json({error: {message: 'path not found'}, fields}), status: 404};
}

const isExport = (path: string, cluster: string) =>
  path === '/webapi/auth/export' || path === `/webapi/sites/${cluster}/auth/export`;

function hostCredentials(context: Context, call: Call): HttpReply {
  try {
    if (call.contentType !== 'application/json') throw new Refusal('bad parameter', 'invalid request');
    return json(certsBody(join(context, readJoinRequest(call.body), call.address)));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return problem(passedOn(error));
  }
}

function certsBody({ssh, tls, tlsCaCerts, sshCaCerts}: Certs): object {
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
  return {
    ssh: base64(ssh),
    tls: base64(tls),
    tls_ca_certs: tlsCaCerts.map(base64),
    ssh_ca_certs: sshCaCerts.map(base64),
  };
}

function authorityExport(context: Context, query: URLSearchParams): HttpReply {
  const format = query.get('format') ?? '';
  try {
    const body = exportAuthorities(context.authorities(), query.get('type') ?? '', format);
    return {status: 200, headers: format === 'json' ? JSON_TYPE : TEXT_TYPE, body};
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {status: error.status, headers: TEXT_TYPE, body: `${error.message}\n`};
  }
}

const json = (body: object): HttpReply => ({status: 200, headers: JSON_TYPE, body: JSON.stringify(body)});

const overLimit = (limiter: RateLimiter) => problem(new Refusal('limit exceeded', limiter.message));

/** Errors are indented, answers are not. */
function problem({status, message}: Pick<Refusal, 'status' | 'message'>): HttpReply {
  return {status, headers: JSON_TYPE, body: JSON.stringify({error: {message}}, null, 4)};
}

function internalError(error: unknown): HttpReply {
  return problem({status: 500, message: error instanceof Error ? error.message : String(error)});
}

async function readCall(request: Request): Promise<Call> {
  const {pathname, searchParams} = new URL(request.url ?? '/', 'https://proxy');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > BODY_LIMIT) throw new Error('http: request body too large');
    chunks.push(chunk);
  }
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: searchParams,
    contentType: (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '',
    body: Buffer.concat(chunks).toString(),
    address: peerAddress(request.socket.remoteAddress),
  };
}

function send(response: Response, {status, headers, body}: HttpReply): void {
  response.statusCode = status;
  for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value);
  response.end(body);
}
