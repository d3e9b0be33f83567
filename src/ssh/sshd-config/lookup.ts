// Who wins: the first global line for most keywords, every line for some, and a matching Match block over both.
import {canonicalKeyword} from './keywords.js';
import type {Scope, Setting} from './tree.js';

/** The global line that wins for a keyword with one value; a Match block that applies still overrides it. */
export function firstGlobal(settings: readonly Setting[], keyword: string): Setting | undefined {
  return settings.find((setting) => setting.scope === undefined && isFor(setting, keyword));
}

/** Every line of an accumulating keyword that the daemon takes at its start: global ones and those under Match all. */
export function allOf(settings: readonly Setting[], keyword: string): Setting[] {
  return settings.filter((setting) => appliesToAll(setting.scope) && isFor(setting, keyword));
}

/** The lines inside Match blocks, Match all included: each overrides the global value wherever it stands. */
export function inMatches(settings: readonly Setting[], keyword: string): Setting[] {
  return settings.filter((setting) => setting.scope !== undefined && isFor(setting, keyword));
}

/** The line whose value `sshd -T` shows when no connection is given: the first under Match all, else the first global. */
export function winning(settings: readonly Setting[], keyword: string): Setting | undefined {
  const overriding = inMatches(settings, keyword).find((setting) => appliesToAll(setting.scope));
  return overriding ?? firstGlobal(settings, keyword);
}

/** Whether lines of this scope count for every connection: no Match block, or only `Match all`. */
export function appliesToAll(scope: Scope | undefined): boolean {
  return scope === undefined || (scope.criteria === 'all' && appliesToAll(scope.within));
}

function isFor(setting: Setting, keyword: string): boolean {
  return canonicalKeyword(setting.keyword) === canonicalKeyword(keyword);
}
