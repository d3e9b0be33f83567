import {basename, dirname, join} from 'node:path';

/**
 * Where `write` and `copy` prepare a file before the rename. The name is fixed, so that whoever cleans up after a
 * crash knows what to look for.
 */
export function temporaryName(path: string): string {
  return join(dirname(path), `.${basename(path)}.agentless-tmp`);
}
