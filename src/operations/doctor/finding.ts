// One thing that was looked at on the way from a client to a shell on this host.

import {kindOf, type Problem, type ProblemCode} from '../status/problem.js';

/** In the order in which a connection meets them. */
export const CHECKS = [
  'name',
  'tcp',
  'tls',
  'version',
  'auth',
  'identity',
  'signer',
  'node',
  'address',
  'record',
  'sshd',
  'config',
  'options',
  'served',
  'names',
  'user CA',
  'revoked',
  'settings',
  'policy',
  'login',
  'PAM',
] as const;

export type Check = (typeof CHECKS)[number];

export interface Finding {
  readonly check: Check;
  /** warn: works, but not for everybody or not for long; skip: could not be looked at, and why. */
  readonly status: 'ok' | 'warn' | 'fail' | 'skip';
  /** One line, lower case, no full stop. */
  readonly text: string;
  /** What was seen, verbatim. */
  readonly proof?: string;
  /** Why it is so, where that is not the text itself. */
  readonly cause?: string;
  /** What to do: a command where there is one. */
  readonly fix?: string;
  /** The login, for check "login". */
  readonly login?: string;
  /** The code of `status`, where it says the same. */
  readonly code?: ProblemCode;
}

export function ok(check: Check, text: string, proof?: string): Finding {
  return {check, status: 'ok', text, ...(proof !== undefined && proof !== '' && {proof})};
}

export function skip(check: Check, text: string, fix?: string): Finding {
  return {check, status: 'skip', text, ...(fix !== undefined && {fix})};
}

export function bad(
  status: 'warn' | 'fail',
  check: Check,
  text: string,
  more: Pick<Finding, 'proof' | 'cause' | 'fix'> = {},
): Finding {
  const told = Object.entries(more).filter(([, value]) => value !== undefined && value !== '');
  return {check, status, text, ...Object.fromEntries(told)};
}

/** What `status` calls a problem; renewals that are due are no failures yet. */
export function findingOf(check: Check, one: Problem): Finding {
  const {code, message, detail, fix} = one;
  const text = code.endsWith('LINES_MISSING') ? `missing: ${message}` : message;
  return {...bad(kindOf(one) === 'due' ? 'warn' : 'fail', check, text, {proof: detail ?? '', fix}), code};
}

/** Problems as findings, or that all is well. */
export function findingsOf(check: Check, problems: readonly Problem[], well: Finding | undefined): Finding[] {
  if (problems.length > 0) return problems.map((one) => findingOf(check, one));
  return well === undefined ? [] : [well];
}
