// pam_selinux frames a session: its close comes first and its open last, but for what is to run as the user. Source:
// pam_selinux(8), and the comments of the service files that Fedora and Debian ship.
import type {Link} from './chain.js';
import {type Refusal, refusal} from './refusal.js';

/** Whether a line put in above line `ours` would stand outside that frame. */
export function againstSelinux(links: readonly Link[], ours: number): Refusal | undefined {
  for (const {line, what} of links) {
    const part = partOf(what);
    if (part === 'close' && line >= ours) return refusal('pam_selinux close has to come first', line);
    if (part === 'open' && line < ours) return refusal('pam_selinux open has to come last', line);
  }
  return undefined;
}

/** Without either word the module does both, and what counts is where it opens. */
function partOf(what: Link['what']): 'open' | 'close' | undefined {
  if (typeof what !== 'object' || !/(^|\/)pam_selinux\.so$/.test(what.module)) return undefined;
  return what.args.includes('close') && !what.args.includes('open') ? 'close' : 'open';
}
