// The request to AWS that a host hands in to join by method iam: read and checked as by 18.0.0, with its words.

import {Refusal} from '../refusal.js';
import {STS_HOSTS} from './sts-hosts.js';

export interface StsRequest {
  readonly method: string;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  readonly authorization: Authorization;
}

export interface Authorization {
  readonly accessKeyId: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  /** The header's whole value. */
  readonly text: string;
}

type Parsed = Omit<StsRequest, 'authorization'>;

/** Bytes of HTTP/1.1. */
export function parseStsRequest(bytes: Uint8Array): Parsed {
  const [head = '', ...rest] = Buffer.from(bytes).toString('latin1').split('\r\n\r\n');
  const [first = '', ...lines] = head.split('\r\n');
  const [, method, uri] = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(first) ?? [];
  if (method === undefined) throw new Refusal('unknown', `malformed HTTP request ${quoted(first)}`);
  if (uri !== '/') throw denied(`unexpected sts identity request URI: ${quoted(uri ?? '')}`);
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    }),
  );
  const length = Number(headers.get('content-length') ?? 0);
  return {method, headers, body: rest.join('\r\n\r\n').slice(0, length)};
}

const CHALLENGE = 'x-teleport-challenge';
const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';

/** Everything that can be said without asking AWS. */
export function checkStsRequest(request: Parsed, challenge: string): StsRequest {
  const {method, headers, body} = request;
  checkHost(headers.get('host') ?? '');
  // The real one leaves out which method it was.
  if (method !== 'POST') throw denied('sts identity request method "" does not match expected method "POST"');
  if (headers.get(CHALLENGE) !== challenge) {
    throw denied('sts identity request does not include challenge header or it does not match');
  }
  const authorization = readAuthorization(headers.get('authorization') ?? '');
  if (!authorization.signedHeaders.includes(CHALLENGE)) {
    const header = `auth header ${quoted(authorization.text)}`;
    throw denied(`sts identity request ${header} does not include ${CHALLENGE} as a signed header`);
  }
  if (body !== BODY) {
    throw new Refusal(
      'bad parameter',
      `sts request body ${quoted(body)} does not equal expected ${quoted(BODY)}`,
    );
  }
  return {...request, authorization};
}

function checkHost(host: string): void {
  if (STS_HOSTS.includes(host)) return;
  throw denied(
    `IAM join request uses unknown STS host ${quoted(host)}. This could mean that the Teleport Node attempting to ` +
      'join the cluster is running in a new AWS region which is unknown to this Teleport auth server. ' +
      'Alternatively, if this URL looks suspicious, an attacker may be attempting to join your Teleport cluster. ' +
      'Following is the list of valid STS endpoints known to this auth server. If a legitimate STS endpoint is not ' +
      `included, please file an issue at https://github.com/gravitational/teleport. [${STS_HOSTS.join(' ')}]`,
  );
}

function readAuthorization(text: string): Authorization {
  const bad = (message: string) => new Refusal('bad parameter', message);
  if (text === '') throw bad('empty AWS SigV4 header');
  const [algorithm, ...words] = text.split(' ');
  if (algorithm !== 'AWS4-HMAC-SHA256' || words.length === 0) {
    throw bad('missing AWS SigV4 authorization algorithm');
  }
  const parts = words.join(' ').split(',');
  if (parts.length !== 3) {
    const many = `3 comma-separated components but got ${parts.length}`;
    throw bad(`expected AWS SigV4 Authorization header with ${many}`);
  }
  const fields = new Map(parts.map((part) => part.trim().split('=') as [string, string]));
  const credential = (fields.get('Credential') ?? '').split('/');
  const [accessKeyId = '', , region = '', service = ''] = credential;
  if (credential.length !== 5) throw bad('invalid size of "Credential" section');
  if (!fields.get('Signature')) throw bad('invalid signature');
  const signedHeaders = (fields.get('SignedHeaders') ?? '').split(';');
  return {accessKeyId, region, service, signedHeaders, text};
}

const denied = (message: string) => new Refusal('access denied', message);
const quoted = (text: string) => JSON.stringify(text);
