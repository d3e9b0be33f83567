// Method iam: who a host is to AWS. This cluster never asks AWS: it knows the callers that a test has named.

import {authorization} from '../../cluster/aws/sigv4.js';
import type {RegisterUsingIAMMethodRequest} from '../../cluster/gen/auth_pb.js';
import {Secret} from '../../errors.js';
import type {AwsCaller} from '../options.js';
import {Refusal} from '../refusal.js';
import type {Token} from '../tokens.js';
import {within} from '../within.js';
import {checkStsRequest, parseStsRequest, type StsRequest} from './sts-request.js';

export type AwsCallers = Readonly<Record<string, AwsCaller>>;

/** Refuses what the real cluster refuses, in its order and words. `callers` absent: there is nobody to ask. */
export function checkCaller(
  token: Token,
  {stsIdentityRequest}: RegisterUsingIAMMethodRequest,
  challenge: string,
  callers: AwsCallers | undefined,
): void {
  if (token.joinMethod !== 'iam') {
    throw new Refusal('access denied', 'this token does not support the IAM join method');
  }
  const parsed = within('parsing STS request', () => parseStsRequest(stsIdentityRequest));
  const request = within('validating STS request', () => checkStsRequest(parsed, challenge));
  const caller = within('executing STS request', () => callerIdentity(request, callers));
  within('checking allow rules', () => checkRules(token, caller));
}

/** What AWS would answer. */
function callerIdentity(request: StsRequest, callers: AwsCallers | undefined): AwsCaller {
  if (callers === undefined) throw new Refusal('access denied', 'a development cluster does not ask AWS');
  const caller = callers[request.authorization.accessKeyId];
  const token = request.headers.get('x-amz-security-token');
  if (caller === undefined || caller.sessionToken !== token) {
    throw answer('InvalidClientTokenId', 'The security token included in the request is invalid.');
  }
  if (request.authorization.text !== expected(request, caller)) {
    throw answer(
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided. Check your AWS Secret ' +
        'Access Key and signing method. Consult the service documentation for details.',
    );
  }
  return caller;
}

function expected({method, headers, body, authorization: given}: StsRequest, {secret}: AwsCaller): string {
  const signed = given.signedHeaders.map((name) => [name, headers.get(name) ?? ''] as const);
  return authorization(
    {method, path: '/', query: '', headers: Object.fromEntries(signed), body},
    {accessKeyId: given.accessKeyId, secretAccessKey: new Secret(secret)},
    given,
  );
}

function answer(code: string, message: string): Refusal {
  const body = JSON.stringify({Error: {Code: code, Message: message, Type: 'Sender'}, RequestId: ''});
  const said = `aws sts api returned status: "403 Forbidden" body: ${JSON.stringify(body)}`;
  return new Refusal('access denied', said);
}

function checkRules({name, allow = []}: Token, {account, arn}: AwsCaller): void {
  const allowed = allow.some(
    ({awsAccount = account, awsArn = arn}) => awsAccount === account && matches(awsArn, arn),
  );
  if (allowed) return;
  throw new Refusal('access denied', `instance ${arn} did not match any allow rules in token ${name}`);
}

/** `*` is any text, `?` any one character. */
function matches(pattern: string, text: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(text);
}
