// Many changes in a row. Where a host is far away, each answer would be waited for as long as all of them together.

import type {Host} from './host.js';

export interface Sequence {
  /**
   * The same host. Its changes are made in the order in which they are asked for, and none after one that has failed; what
   * is read, run or locked waits for all before it, and fails with the first of them that has failed.
   */
  readonly host: Host;
  /** True: the promise of a change resolves before it is made. */
  readonly isAhead: boolean;
  /** Resolves when everything asked for so far is done; rejects with the error of the first that failed. */
  reached(): Promise<void>;
}

/** A host that has no sequences is near: there each change is made when its promise resolves. */
export function inSequence(host: Host): Sequence {
  return host.sequence?.() ?? {host, isAhead: false, reached: async () => undefined};
}
