// What is said to others than root.

import {Failure} from '../errors.js';
import {asRoot} from '../host/as-root.js';
import type {Host} from '../host/host.js';
import {codeOf} from '../system-error.js';

/** An ordinary user may not even look what earlier runs have left. */
export function forRoot(host: Host, dataDir: string): (error: unknown) => never {
  return (error) => {
    const cause = error instanceof Failure ? error.cause : error;
    if (codeOf(cause) !== 'EACCES') throw error;
    throw new Failure('HOST_UNSUITABLE', `${dataDir} is for root only`, {
      cause: error,
      hint: asRoot(host),
    });
  };
}
