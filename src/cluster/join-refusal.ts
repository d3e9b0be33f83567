// The ways in which a cluster refuses a join, told apart by status and text: the endpoint has no error codes. The texts
// are those of 18.0.0, kept in test/golden.

import {Failure} from '../errors.js';
import {oneLine} from './one-line.js';
import type {Refused} from './web-status.js';

const NEW_TOKEN = 'make a new one with `tctl tokens add --type=node`';

interface Refusal {
  readonly text: RegExp;
  readonly code: 'TOKEN_REFUSED' | 'ROLE_REFUSED' | 'REQUEST_REFUSED' | 'NODE_EXISTS';
  readonly message: (match: RegExpExecArray) => string;
  readonly hint: string | ((match: RegExpExecArray) => string);
}

const BY_TOKEN: readonly Refusal[] = [
  {
    text: /token expired or not found/,
    code: 'TOKEN_REFUSED',
    message: () => 'the cluster refused the token: it has expired or does not exist',
    hint: `${NEW_TOKEN}, or \`agentless tokens add\` with an admin identity`,
  },
  {
    text: /the token is not valid|missing parameter Token/,
    code: 'TOKEN_REFUSED',
    message: () => 'the cluster refused the token: it is not valid',
    hint: NEW_TOKEN,
  },
  {
    text: /only valid for the (iam|EC2) join method/,
    code: 'TOKEN_REFUSED',
    message: ([, method = '']) => `the token is for the join method ${method.toLowerCase()}`,
    hint: `join with the --join-method that the token is for, or ${NEW_TOKEN}`,
  },
  {
    text: /only valid for the (\w+) join method|IDToken not provided for (\w+)/,
    code: 'TOKEN_REFUSED',
    message: ([, method, provider]) =>
      `the token is for the join method ${method ?? provider}, which is not supported`,
    hint: `${NEW_TOKEN}, which has the method "token"`,
  },
  {
    text: /getting token|does not support the IAM join method/,
    code: 'TOKEN_REFUSED',
    message: () => 'the token is not for the join method iam',
    hint: 'leave --join-method out, or use a token whose join_method is iam',
  },
  {
    text: /the token does not allow "\w+" role/,
    code: 'ROLE_REFUSED',
    message: () => 'the token does not allow this host to join as a node',
    hint: `${NEW_TOKEN}: its roles must include Node`,
  },
  {
    text: /lock targeting/,
    code: 'REQUEST_REFUSED',
    message: () => 'the cluster has locked this host out',
    hint: 'see `tctl get locks`; an administrator can remove the lock',
  },
];

const BY_PROOF: readonly Refusal[] = [
  {
    text: /did not match any allow rules/,
    code: 'TOKEN_REFUSED',
    message: () => 'no allow rule of the token matches what this host is to AWS',
    hint: "compare account, ARN and region with the token's rules: `tctl get tokens`",
  },
  {
    text: /aws sts api returned status/,
    code: 'REQUEST_REFUSED',
    message: () => 'the AWS credentials of this host are not accepted by AWS',
    hint: 'check the AWS credentials and the clock of this host',
  },
  {
    text: /unknown STS host|non-FIPS STS endpoint/,
    code: 'REQUEST_REFUSED',
    message: () => 'the cluster does not ask AWS in the region of this host',
    hint: 'set AWS_REGION to one that it knows (AWS_USE_FIPS_ENDPOINT=true for a FIPS cluster)',
  },
  {
    text: /host ID "([\w-]+)" and role "\w+" already exists/,
    code: 'NODE_EXISTS',
    message: () => 'the cluster has a node of this EC2 instance already',
    hint: ([, id]) => `if that was this host, remove the record with \`tctl rm node/${id}\` and join again`,
  },
  {
    text: /PendingTime .* is older than/,
    code: 'REQUEST_REFUSED',
    message: () => 'this EC2 instance was started too long ago for the token',
    hint: 'join sooner after the start, raise aws_iid_ttl of the token, or stop and start the instance',
  },
];

/** Token, role and everything else that repeating cannot help. `hide` takes secrets out of what is quoted. */
export function joinRefusal(
  {status, message}: Refused,
  hide: (text: string) => string = (text) => text,
): Failure {
  const said = oneLine(hide(plainWords(message)));
  const detail = said === '' ? {} : {detail: `the cluster says: ${said}`};
  for (const refusal of [...BY_TOKEN, ...BY_PROOF]) {
    const match = refusal.text.exec(message);
    if (match === null) continue;
    const hint = typeof refusal.hint === 'string' ? refusal.hint : refusal.hint(match);
    return new Failure(refusal.code, refusal.message(match), {hint, ...detail});
  }
  return new Failure('REQUEST_REFUSED', `the cluster refused the join (status ${status})`, {
    hint: "the log of the cluster's auth service may say more",
    ...detail,
  });
}

/** Without the frame that a proxy puts around what Auth has said. */
export function plainWords(message: string): string {
  return message.replace(/^rpc error: code = \w+ desc = /, '');
}
