// What to tell somebody who is not root on a host.

import type {Host} from './host.js';

export function asRoot({reachedBy}: Pick<Host, 'reachedBy'>): string {
  return reachedBy === undefined ? 'run this as root, with sudo' : 'log in there as root, or give --sudo';
}
