// The ways in which a cluster refuses a join, told apart by status and text: the endpoint has no error codes. The texts
// are those of 18.0.0, kept in test/golden.

import {Failure} from '../errors.js';
import {oneLine} from './one-line.js';
import type {Refused} from './web-status.js';

const NEW_TOKEN = 'make a new one with `tctl tokens add --type=node`';

const REFUSALS: readonly {
  readonly text: RegExp;
  readonly code: 'TOKEN_REFUSED' | 'ROLE_REFUSED' | 'REQUEST_REFUSED';
  readonly message: (match: RegExpExecArray) => string;
  readonly hint: string;
}[] = [
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
    text: /only valid for the (\w+) join method|IDToken not provided for (\w+)/,
    code: 'TOKEN_REFUSED',
    message: ([, method, provider]) =>
      `the token is for the join method ${method ?? provider}, which is not supported`,
    hint: `${NEW_TOKEN}, which has the method "token"`,
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

/** Token, role and everything else that repeating cannot help. */
export function joinRefusal({status, message}: Refused): Failure {
  const said = oneLine(message);
  const detail = said === '' ? {} : {detail: `the cluster says: ${said}`};
  for (const refusal of REFUSALS) {
    const match = refusal.text.exec(message);
    if (match) return new Failure(refusal.code, refusal.message(match), {hint: refusal.hint, ...detail});
  }
  return new Failure('REQUEST_REFUSED', `the cluster refused the join (status ${status})`, {
    hint: "the log of the cluster's auth service may say more",
    ...detail,
  });
}
