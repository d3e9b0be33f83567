// A main file for a rehearsal: it may lie anywhere, and sshd makes of it what it will make of the installed tree.
import {findBlocks} from './block.js';
import type {Dialect} from './dialect.js';
import {bytesOf, latin1, lineEnd, parseConfig, rawOf, splitLines, withoutEnd} from './file.js';
import {escapeGlob} from './glob.js';
import {type Placement, withFile, without} from './place.js';
import {quotePath} from './quote.js';
import {filesOf, patternsOf, type Tree} from './tree.js';

/**
 * The text of a candidate main file with our lines in it and nothing of ours on disk. An Include line that would bring
 * in our drop-in is spelled out: the files it names stay included one by one, for a Match in one of them ends with it.
 */
export function staged(tree: Tree, placement: Placement, dialect: Dialect): Uint8Array {
  const main =
    placement.kind === 'block' ? inlined(placement) : (tree.files.get(tree.main) ?? new Uint8Array());
  const end = lineEnd(latin1(main));
  const ours = placement.kind === 'drop-in' ? placement.path : undefined;
  const installed = without(ours === undefined ? tree : withFile(tree, placement), placement.stale);
  const moved = new Set([ours, ...placement.stale]);
  const lines = parseConfig(main, dialect).lines.map((line) => {
    const patterns = patternsOf(line, dialect);
    const before = patterns.flatMap((pattern) => filesOf(withFile(tree, placement), pattern));
    if (!before.some((path) => moved.has(path))) return line.raw;
    const files = patterns.flatMap((pattern) => filesOf(installed, pattern));
    return files
      .map((path) => (path === ours ? ownLines(placement.bytes, end) : includeOf(path, dialect) + end))
      .join('');
  });
  return bytesOf(lines.join(''));
}

/** The edited main file with the fragment's lines in place of the Include of the block. */
function inlined({bytes, fragment}: Placement & {kind: 'block'}): Uint8Array {
  if (fragment === undefined) return bytes;
  const text = latin1(bytes);
  const lines = splitLines(text);
  const kept = findBlocks(lines).flatMap(({start, end}) => {
    const own = ownLines(fragment.bytes, lineEnd(text));
    return [...lines.slice(0, start + 1), own, ...lines.slice(end - 1)];
  });
  return bytesOf(kept.join(''));
}

function ownLines(bytes: Uint8Array, end: string): string {
  return splitLines(latin1(bytes))
    .map((line) => withoutEnd(line) + end)
    .join('');
}

function includeOf(path: string, dialect: Dialect): string {
  return `Include ${rawOf(quotePath(escapeGlob(path), dialect))}`;
}
