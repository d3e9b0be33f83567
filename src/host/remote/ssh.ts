// The system's ssh as a child of this process.

import {execa} from 'execa';

/**
 * Ctrl-C on our terminal is ours to answer, by undoing what was begun over this very connection: ssh must live through it.
 * It stays in our session all the same, to ask for a password where one is needed.
 */
const DEAF = 'trap "" INT; exec ssh "$@"';

/** Its standard input, output and error are pipes; it never rejects, and ends with this process. */
export function startSsh(words: readonly string[]) {
  return execa('/bin/sh', ['-c', DEAF, 'sh', ...words], {
    reject: false,
    buffer: false,
    stdin: 'pipe',
    encoding: 'buffer',
  });
}

export type Child = ReturnType<typeof startSsh>;
