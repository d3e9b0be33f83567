// From flags to the operations on tokens. Loaded only when one is really run, so that help stays quick.

import {oneLine} from '../../cluster/one-line.js';
import type {Secret} from '../../errors.js';
import {
  addNodeToken,
  listTokens,
  removeToken,
  removeTokenLike,
  type ShownToken,
  shownName,
} from '../../operations/tokens.js';
import {parseLabels} from '../../ssh/labels.js';
import {asOperator, type OperatorFlags, type Surroundings} from '../connection.js';
import {SecretFile} from '../secret-file.js';

/** The `result` of `tokens add`: the token, or the file that it is in. */
export interface AddedToken {
  readonly token?: string;
  readonly file?: string;
  readonly roles: readonly string[];
  /** ISO 8601. */
  readonly expires: string;
  readonly cluster: string;
  readonly proxy: string;
}

interface AddFlags extends OperatorFlags {
  readonly ttlSeconds: number;
  readonly labels: readonly string[] | undefined;
  readonly format: 'text' | 'json';
  readonly out: string | undefined;
}

/** `text` is what stands on standard output, or in the file. */
export async function addToken(
  flags: AddFlags,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<{readonly text: string; readonly added: AddedToken}> {
  const labels: Record<string, string> = Object.assign({}, ...(flags.labels ?? []).map(parseLabels));
  // Before the token is made: one that cannot be written down is of no use.
  await using file = flags.out === undefined ? undefined : await SecretFile.open(flags.out);
  return await asOperator(flags, surroundings, signal, async (operator, cluster) => {
    const {name, proxy} = await cluster.describe();
    const minted = await addNodeToken(operator, {ttlSeconds: flags.ttlSeconds, labels});
    const [value, roles, expires] = [minted.value.reveal(), ['Node'], minted.expires.toISOString()];
    const text =
      flags.format === 'json' ? `${JSON.stringify({token: value, roles, expires})}\n` : `${value}\n`;
    await file?.write(text).catch(async (error: unknown) => {
      await operator.removeToken(minted.value).catch(() => {
        surroundings.warn(`a token was made, written nowhere, and not deleted; it ends at ${expires}`);
      });
      throw error;
    });
    const where = flags.out === undefined ? {token: value} : {file: flags.out};
    return {text, added: {...where, roles, expires, cluster: name, proxy}};
  });
}

/** A token as it may be shown. */
export interface TokenEntry {
  /** First characters of the name, or all of it where it is no secret; empty when it is too short to show any. */
  readonly id: string;
  readonly secret: boolean;
  readonly roles: readonly string[];
  readonly joinMethod: string;
  /** ISO 8601; absent: never. */
  readonly expires?: string;
  readonly labels: Readonly<Record<string, string>>;
}

export async function lsTokens(
  flags: OperatorFlags,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<readonly TokenEntry[]> {
  const tokens = await asOperator(flags, surroundings, signal, listTokens);
  return tokens.map(entryOf);
}

function entryOf({shown, token}: ShownToken): TokenEntry {
  const {secret, roles, joinMethod, expires, labels} = token;
  const end = expires && {expires: expires.toISOString()};
  return {id: shown, secret, roles, joinMethod, ...end, labels};
}

/** "e92faee4…  node  until 2026-11-25 18:00:00Z  env=prod" */
export function tokenLine({id, secret, roles, joinMethod, expires, labels}: TokenEntry): string {
  const type = roles.join(',').toLowerCase();
  const end = expires?.replace('T', ' ').replace(/\.\d+Z$/, 'Z') ?? 'deleted';
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const parts = [
    (secret ? `${id}…` : id).padEnd(9),
    joinMethod === 'token' ? type : `${type} (${joinMethod})`,
    `until ${end}`,
    pairs.join(','),
  ];
  return oneLine(parts.join('  '));
}

interface RmFlags extends OperatorFlags {
  /** As typed. */
  readonly name: string;
  /** The value, where it came another way. */
  readonly token: Secret | undefined;
}

/** What was deleted, as `tokens ls` shows it. */
export async function rmToken(
  flags: RmFlags,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<{readonly id: string}> {
  const {name, token} = flags;
  return asOperator(flags, surroundings, signal, async (operator) => {
    if (token !== undefined) {
      await removeToken(operator, token);
      return {id: shownName({name: token, secret: true})};
    }
    const removed = await removeTokenLike(operator, name);
    if (removed.token.secret && name === removed.token.name.reveal()) {
      surroundings.warn('a token on the command line can be read by every user of this host');
    }
    return {id: removed.shown};
  });
}
