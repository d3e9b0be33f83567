// Signature Version 4: how AWS knows who makes a request (IAM User Guide, "Create a signed AWS API request").

import {createHash, createHmac} from 'node:crypto';
import type {Secret} from '../../errors.js';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret;
  /** Only with temporary credentials, and part of them. */
  readonly sessionToken?: Secret;
}

export interface AwsRequest {
  readonly method: string;
  /** Absolute, encoded. */
  readonly path: string;
  /** Encoded and sorted; empty for none. */
  readonly query: string;
  /** Every one is signed. `host` and `x-amz-date` (20150830T123600Z) must be among them. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface AwsScope {
  readonly region: string;
  readonly service: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';

/** The value of the request's Authorization header. */
export function authorization(request: AwsRequest, credentials: AwsCredentials, scope: AwsScope): string {
  const headers = canonicalHeaders(request.headers);
  const time = headers.get('x-amz-date') ?? '';
  const steps = [time.slice(0, 8), scope.region, scope.service, 'aws4_request'];
  const signedHeaders = [...headers.keys()].join(';');
  const canonical = [
    request.method,
    request.path,
    request.query,
    ...[...headers].map(([name, value]) => `${name}:${value}`),
    '',
    signedHeaders,
    sha256(request.body),
  ].join('\n');
  const toSign = [ALGORITHM, time, steps.join('/'), sha256(canonical)].join('\n');
  const secret = Buffer.from(`AWS4${credentials.secretAccessKey.reveal()}`);
  const signature = hmac(steps.reduce(hmac, secret), toSign).toString('hex');
  const credential = [credentials.accessKeyId, ...steps].join('/');
  return `${ALGORITHM} Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
}

/** Lower-case names in order, values without superfluous blanks. */
function canonicalHeaders(headers: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  const pairs = Object.entries(headers).map(
    ([name, value]) => [name.toLowerCase(), value.trim().replace(/ +/g, ' ')] as const,
  );
  return new Map(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
