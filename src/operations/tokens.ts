// Provision tokens: what a host shows once, to join. Their values are made here, and shown to nobody but who asked.

import type {MintedToken, Operator, ProvisionToken} from '../cluster/cluster.js';
import {Failure, type Secret} from '../errors.js';
import type {Reporter} from './reporter.js';

export interface ShownToken {
  /** The whole name where it is no secret, else its first characters. */
  readonly shown: string;
  readonly token: ProvisionToken;
}

/** How much of a secret is shown: a quarter, and nothing of a short one, which could be guessed from it. */
const SHORTEST = 16;

export function addNodeToken(
  operator: Operator,
  wish: {readonly ttlSeconds: number; readonly labels: Readonly<Record<string, string>>},
): Promise<MintedToken> {
  return operator.createToken({...wish, roles: ['Node']});
}

/** Those that end first come first, then those that never do. */
export async function listTokens(operator: Operator): Promise<readonly ShownToken[]> {
  const tokens = [...(await operator.tokens())];
  const end = ({expires}: ProvisionToken) => expires?.getTime() ?? Number.POSITIVE_INFINITY;
  tokens.sort((a, b) => compare(end(a), end(b)) || compare(a.name.reveal(), b.name.reveal()));
  return tokens.map((token) => ({shown: shownName(token), token}));
}

const compare = <T extends number | string>(a: T, b: T) => (a < b ? -1 : a > b ? 1 : 0);

/** The whole name where it is no secret. */
export function shownName({name, secret}: Pick<ProvisionToken, 'name' | 'secret'>): string {
  const value = name.reveal();
  if (!secret) return value;
  return value.length < SHORTEST ? '' : value.slice(0, Math.min(8, Math.floor(value.length / 4)));
}

/** By its value. REQUEST_REFUSED when there is none. */
export async function removeToken(operator: Operator, value: Secret): Promise<void> {
  if (!(await operator.removeToken(value))) throw noSuchToken();
}

/** By what `listTokens` shows of it, or by its whole name. Gives the token that is gone. */
export async function removeTokenLike(operator: Operator, text: string): Promise<ShownToken> {
  const tokens = await listTokens(operator);
  const exact = tokens.filter(({token}) => token.name.reveal() === text);
  const like = tokens.filter(
    ({shown, token}) => shown !== '' && token.secret && startsLike(text, shown, token),
  );
  const [found, ...others] = exact.length > 0 ? exact : like;
  if (found === undefined) throw noSuchToken();
  if (others.length > 0) {
    throw new Failure('USAGE', `${others.length + 1} tokens begin like that; none was deleted`, {
      hint: 'give more characters of the one you mean, or its value on standard input: `tokens rm -`',
    });
  }
  await removeToken(operator, found.token.name);
  return found;
}

/** As many characters as are shown must be given at least: fewer were not read off a list. */
function startsLike(text: string, shown: string, {name}: ProvisionToken): boolean {
  return text.length >= shown.length && name.reveal().startsWith(text);
}

function noSuchToken(): Failure {
  return new Failure('REQUEST_REFUSED', 'the cluster has no such token', {
    hint: 'it may have expired, or been deleted already; see `agentless tokens ls`',
  });
}

const TEMPORARY = 5 * 60;

/**
 * Makes a token for nodes that is valid for five minutes, does something with it, and deletes it, whether that works or
 * not. A token that cannot be deleted is told of; it is no reason to undo what was done with it.
 */
export async function withTemporaryToken<T>(
  operator: Operator,
  report: Pick<Reporter, 'warn'>,
  work: (token: Secret) => Promise<T>,
): Promise<T> {
  const {value, expires} = await operator.createToken({roles: ['Node'], ttlSeconds: TEMPORARY});
  try {
    return await work(value);
  } finally {
    await operator.removeToken(value).catch((error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      const until = expires.toISOString();
      report.warn(`the token made for this join could not be deleted (${why}); it is valid until ${until}`);
    });
  }
}
