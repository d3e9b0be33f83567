// Our lines in a file that somebody else has edited as well: they go, every other byte stays.
import {MARKERS, removeBlock} from './block.js';
import type {Dialect} from './dialect.js';
import {bytesOf, type Line, parseConfig, textOf, withoutEnd} from './file.js';
import {escapeGlob} from './glob.js';

/** The only keywords that we write. */
const OURS: ReadonlySet<string | undefined> = new Set([
  'hostcertificate',
  'trustedusercakeys',
  'pamservicename',
  'include',
]);

/**
 * The file without our marked blocks and, where the markers have been damaged or the file is a drop-in, without each
 * line that does nothing but name a file or a PAM service of ours (`own`, absolute paths and names), and without our comments (`header`).
 */
export function withoutOwnLines(
  bytes: Uint8Array,
  dialect: Dialect,
  {own, header}: {readonly own: ReadonlySet<string>; readonly header: readonly string[]},
): Uint8Array {
  const comments = new Set<string>([...MARKERS, ...header]);
  const named = new Set([...own].flatMap((path) => [path, escapeGlob(path)]));
  const isOurs = ({raw, keyword, args: [argument, ...others]}: Line): boolean => {
    if (keyword === undefined) return comments.has(withoutEnd(raw));
    return OURS.has(keyword) && others.length === 0 && argument !== undefined && named.has(textOf(argument));
  };
  const {lines} = parseConfig(removeBlock(bytes), dialect);
  return bytesOf(
    lines
      .filter((line) => !isOurs(line))
      .map(({raw}) => raw)
      .join(''),
  );
}

/** True when nothing but blanks is left. */
export function isBlank(bytes: Uint8Array): boolean {
  return Buffer.from(bytes).toString('latin1').trim() === '';
}
