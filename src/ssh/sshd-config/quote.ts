import {Failure} from '../../errors.js';
import type {Dialect} from './dialect.js';

/**
 * A path as one argument that sshd of this dialect reads back unchanged: bare, or in double quotes. Fails with
 * HOST_UNSUITABLE for what no quoting can express.
 */
export function quotePath(path: string, dialect: Dialect): string {
  if (/^[\w./+,:@%^-]+$/.test(path)) return path;
  const impossible = dialect.hashCutsAnywhere ? /["#\p{Cc}]/u : /["\p{Cc}]/u;
  const culprit = path === '' ? 'an empty path' : impossible.exec(path)?.[0];
  if (culprit !== undefined) {
    throw new Failure('HOST_UNSUITABLE', `no sshd_config line can name ${JSON.stringify(path)}`, {
      hint: `use a path without ${culprit.length > 1 ? 'this' : JSON.stringify(culprit)}`,
    });
  }
  return `"${dialect.singleQuotes ? path.replaceAll('\\', '\\\\') : path}"`;
}
