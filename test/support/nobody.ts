// Running the program as an ordinary user, for tests that run as root.

import {spawnSync} from 'node:child_process';
import type {Context} from 'mocha';
import {PROGRAM} from './cli.js';
import {skip} from './skip.js';

/** Words before a command. */
export const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;

/** Skips where nobody else could be, or where nobody else can read the program that is tested. */
export function skipUnlessNobodyCanRunIt(test: Context): void {
  if (process.getuid?.() !== 0) skip(test, 'only root can become somebody else');
  const [program, ...words] = [...NOBODY, 'test', '-r', PROGRAM];
  if (spawnSync(program, words).status !== 0) skip(test, 'this checkout can be read by its owner only');
}
