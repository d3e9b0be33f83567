// A main file for a rehearsal: it may lie anywhere, and sshd makes of it what it will make of the installed tree.
import {findBlocks} from './block.js';
import type {Dialect} from './dialect.js';
import {bytesOf, latin1, lineEnd, parseConfig, rawOf, splitLines, withoutEnd} from './file.js';
import {escapeGlob, matchesGlob} from './glob.js';
import {type Placement, withFile, without} from './place.js';
import {quotePath} from './quote.js';
import {filesOf, patternsOf, type Tree} from './tree.js';

/**
 * Files that the tree has otherwise than the disk, by their path: where what the tree has lies for now; undefined: the tree
 * has none.
 */
export type Elsewhere = ReadonlyMap<string, string | undefined>;

/**
 * The text of a candidate main file with our lines in it and nothing of ours on disk. An Include line that would bring
 * in our drop-in is spelled out: the files it names stay included one by one, for a Match in one of them ends with it.
 */
export function staged(
  tree: Tree,
  placement: Placement,
  dialect: Dialect,
  elsewhere: Elsewhere = new Map(),
): Uint8Array {
  const main =
    placement.kind === 'block' ? inlined(placement) : (tree.files.get(tree.main) ?? new Uint8Array());
  const ours = placement.kind === 'drop-in' ? placement.path : undefined;
  const installed = without(ours === undefined ? tree : withFile(tree, placement), placement.stale);
  const gone = placement.stale.map((path) => [path, undefined] as const);
  const moved = new Map([...elsewhere, ...gone, ...(ours === undefined ? [] : [[ours, ours] as const])]);
  return spelledOut(installed, main, dialect, moved, (path) => {
    return path === ours ? ownLines(placement.bytes, lineEnd(latin1(main))) : undefined;
  });
}

/** `main` for this tree, to lie anywhere: Include lines that would bring in what is elsewhere name each file instead. */
export function spelledOut(
  tree: Tree,
  main: Uint8Array,
  dialect: Dialect,
  elsewhere: Elsewhere,
  inline: (path: string) => string | undefined = () => undefined,
): Uint8Array {
  const end = lineEnd(latin1(main));
  const lines = parseConfig(main, dialect).lines.map((line) => {
    const patterns = patternsOf(line, dialect);
    const isAsOnDisk = patterns.every((one) => ![...elsewhere.keys()].some((path) => matchesGlob(one, path)));
    if (isAsOnDisk) return line.raw;
    const files = patterns.flatMap((pattern) => filesOf(tree, pattern));
    return files
      .map((path) => inline(path) ?? includeOf(elsewhere.get(path) ?? path, dialect) + end)
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
