// Whoever asks something of Auth, as its refusals are told: a host speaks of tokens, a person or a bot of roles.

import {userDenial} from './permissions.js';

export interface CallerWords {
  /** What to do once the cluster no longer accepts the identity. */
  readonly remedy: string;
  /** Permission is missing. `said` is what Auth says about it, in one line; it may be lost on the way. */
  readonly denial: (doing: string, said: string) => {readonly message: string; readonly hint: string};
}

export const HOST_WORDS: CallerWords = {
  remedy: 'join again with a token',
  denial: (doing) => ({
    message: `the cluster does not allow this host to ${doing}`,
    hint: 'see `tctl get locks` for a lock on this host; otherwise join again with a token',
  }),
};

export const NEW_IDENTITY =
  'make a new one: `tctl auth sign --format=file --user=USER --out=FILE` on the auth host, or let tbot renew it';

export function userWords(user: string): CallerWords {
  return {remedy: NEW_IDENTITY, denial: (doing, said) => userDenial(user, doing, said)};
}
