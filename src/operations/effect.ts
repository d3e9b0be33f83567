// What a change does, seen through `sshd -T`: only our two keywords may differ, and only by our own files.

import type {EffectiveConfig} from '../ssh/sshd-config/index.js';
import type {Layout} from './layout.js';

/**
 * Differences between two answers of `sshd -T`, beyond what a join means to do; empty when all is as meant. Paths that an
 * earlier join of ours put into effect (`previous`) may go.
 */
export function differences(
  before: EffectiveConfig,
  after: EffectiveConfig,
  layout: Layout,
  previous: readonly string[] = [],
): string[] {
  const found: string[] = [];
  for (const keyword of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.all(keyword), after.all(keyword)];
    if (keyword === 'hostcertificate') found.push(...certificateDifferences(was, is, layout, previous));
    else if (keyword !== 'trustedusercakeys' && was.join('\n') !== is.join('\n')) {
      found.push(`${keyword} would change from "${was.join(' ')}" to "${is.join(' ')}"`);
    }
  }
  const trusted = after.one('trustedusercakeys');
  if (trusted !== layout.userAuthorities) {
    found.push(`TrustedUserCAKeys is ${trusted ?? 'not set'} instead of ${layout.userAuthorities}`);
  }
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
