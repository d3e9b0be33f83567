// What a change does, seen through `sshd -T`: only our two keywords may differ, and only by our own files.

import type {EffectiveConfig} from '../ssh/sshd-config/index.js';
import type {Layout} from './layout.js';

/**
 * Differences between two answers of `sshd -T`, beyond what a join means to do; empty when all is as meant. Paths that an
 * earlier join of ours put into effect (`previous`) may go. `service`: what PAMServiceName is to be, where that is ours to say.
 */
export function differences(
  before: EffectiveConfig,
  after: EffectiveConfig,
  layout: Layout,
  previous: readonly string[] = [],
  service?: string,
): string[] {
  const found: string[] = [];
  for (const keyword of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.all(keyword), after.all(keyword)];
    if (keyword === 'hostcertificate') found.push(...certificateDifferences(was, is, layout, previous));
    else if (keyword === 'pamservicename' && service !== undefined) continue;
    else if (keyword !== 'trustedusercakeys' && was.join('\n') !== is.join('\n')) {
      found.push(`${keyword} would change from "${was.join(' ')}" to "${is.join(' ')}"`);
    }
  }
  const trusted = after.one('trustedusercakeys');
  if (trusted !== layout.userAuthorities) {
    found.push(`TrustedUserCAKeys is ${trusted ?? 'not set'} instead of ${layout.userAuthorities}`);
  }
  const asked = after.one('pamservicename');
  if (service !== undefined && asked !== service)
    found.push(`PAMServiceName is ${asked ?? 'not set'} instead of ${service}`);
  return found;
}

function certificateDifferences(
  was: readonly string[],
  is: readonly string[],
  layout: Layout,
  previous: readonly string[],
): string[] {
  const ours = [...layout.certificates.values()];
  const missing = ours
    .filter((path) => !is.includes(path))
    .map((path) => `HostCertificate ${path} is not in effect`);
  const lost = was
    .filter((path) => path !== 'none' && ![...previous, ...ours, ...is].includes(path))
    .map((path) => `HostCertificate ${path} would no longer be in effect`);
  return [...missing, ...lost];
}

/** What leaving should make of our two keywords. */
export interface Expected {
  /** Files that HostCertificate no longer names. */
  readonly gone: ReadonlySet<string>;
  /** What TrustedUserCAKeys is then, as `sshd -T` shows it. */
  readonly trusted: string;
  /** What PAMServiceName is then, where it was ours. */
  readonly service?: string;
}

/** Differences between two answers of `sshd -T`, beyond what leaving means to do; empty when all is as meant. */
export function differencesOfLeaving(
  before: EffectiveConfig,
  after: EffectiveConfig,
  {gone, trusted, service}: Expected,
): string[] {
  const found: string[] = [];
  const wanted = (keyword: string): readonly string[] => {
    if (keyword === 'trustedusercakeys') return [trusted];
    if (keyword === 'pamservicename' && service !== undefined) return [service];
    const was = before.all(keyword);
    return keyword === 'hostcertificate' ? was.filter((path) => !gone.has(path) && path !== 'none') : was;
  };
  for (const keyword of new Set([...before.keys(), ...after.keys()])) {
    const is = after.all(keyword).filter((value) => keyword !== 'hostcertificate' || value !== 'none');
    if (is.join('\n') === wanted(keyword).join('\n')) continue;
    found.push(`${keyword} is "${is.join(' ')}" instead of "${wanted(keyword).join(' ')}"`);
  }
  return found;
}
