// By what right this host joins, from flags and environment. What is typed wins over what is in the environment.

import type {JoinMethod} from '../../cluster/proof.js';
import {Failure} from '../../errors.js';
import type {Admission} from '../../operations/admission.js';
import {readIdentity} from '../identity.js';
import {isAbsentToken, readToken} from '../token.js';

export interface AdmissionFlags {
  readonly token: string | undefined;
  readonly 'token-file': string | undefined;
  readonly identity: string | undefined;
  readonly manual: boolean;
  readonly 'discard-identity': boolean | undefined;
  readonly 'join-method': JoinMethod;
}

/**
 * `typed`: names of the flags on the command line. Undefined: nothing was given, which a joined host can do with; a Failure:
 * a token was to be had where none is any more, which matters to others only.
 */
export async function admissionFrom(
  flags: AdmissionFlags,
  typed: ReadonlySet<string>,
  warn: (text: string) => void,
): Promise<Admission | Failure | undefined> {
  refuseContradictions(flags, typed);
  const environment = process.env['AGENTLESS_TOKEN'];
  const token = await readToken(flags.token, flags['token-file'], environment).catch((error: unknown) => {
    if (isAbsentToken(error)) return error;
    throw error;
  });
  if (token instanceof Failure) return token;
  const byIdentity = flags.manual || typed.has('identity') || token === undefined;
  if (!byIdentity) return {by: 'token', token};
  if (flags.identity === undefined || flags.identity === '') return undefined;
  if (flags['join-method'] !== 'token') {
    const message = `--join-method ${flags['join-method']} needs a token of that method`;
    throw new Failure('USAGE', message, {hint: 'the one that is made with --identity is of method token'});
  }
  const identity = await readIdentity(flags.identity, warn);
  return {by: flags.manual ? 'signature' : 'operator', identity};
}

function refuseContradictions(flags: AdmissionFlags, typed: ReadonlySet<string>): void {
  const token = ['token', 'token-file'].find((name) => typed.has(name));
  const either = ['identity', 'manual'].find((name) => typed.has(name));
  if (token !== undefined && either !== undefined) {
    throw new Failure('USAGE', `--${either} and --${token} exclude each other`, {
      hint: 'with --identity a token is made for this join and deleted; with --manual none is needed',
    });
  }
  if (!flags.manual) return;
  if (flags.identity === undefined || flags.identity === '') {
    throw new Failure('USAGE', '--manual needs --identity', {
      hint: 'give the identity that signs for this host: --identity FILE, or AGENTLESS_IDENTITY',
    });
  }
  if (flags['discard-identity'] === false) {
    throw new Failure('USAGE', '--manual leaves no credential on this host that could be kept', {
      hint: 'leave out --no-discard-identity, or --manual',
    });
  }
}
