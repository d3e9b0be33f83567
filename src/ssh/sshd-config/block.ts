// The marked block: the only lines of ours that ever stand in somebody else's file.
import {bytesOf, latin1, lineEnd, rawOf, splitLines, withoutEnd} from './file.js';

const BEGIN = /^# BEGIN agentless(\s|$)/;
const END = /^# END agentless\s*$/;

/** A block's place among the lines of a file: from its BEGIN line up to, not including, `end`. */
export interface BlockRange {
  readonly start: number;
  readonly end: number;
}

/** Complete blocks only: a BEGIN without END (or the other way round) is somebody's comment and stays. */
export function findBlocks(lines: readonly string[]): BlockRange[] {
  const blocks: BlockRange[] = [];
  let start: number | undefined;
  lines.forEach((line, index) => {
    if (BEGIN.test(line)) start = index;
    else if (start !== undefined && END.test(line)) {
      blocks.push({start, end: index + 1});
      start = undefined;
    }
  });
  return blocks;
}

/** Takes our marked blocks out of a file and leaves every other byte as it is. */
export function removeBlock(bytes: Uint8Array): Uint8Array {
  const lines = splitLines(latin1(bytes));
  const blocks = findBlocks(lines);
  return bytesOf(lines.filter((_, i) => !blocks.some(({start, end}) => start <= i && i < end)).join(''));
}

/** Empties the lines of our marked blocks, so that every other line keeps its number. */
export function blankBlock(bytes: Uint8Array): Uint8Array {
  const lines = splitLines(latin1(bytes));
  const blocks = findBlocks(lines);
  const isOurs = (i: number) => blocks.some(({start, end}) => start <= i && i < end);
  return bytesOf(lines.map((line, i) => (isOurs(i) ? line.slice(withoutEnd(line).length) : line)).join(''));
}

/** A file with a block of these lines at its top, and no other; the file's own end of line is used. */
export function withBlockOnTop(bytes: Uint8Array, content: readonly string[]): Uint8Array {
  const text = latin1(removeBlock(bytes));
  return bytesOf(blockText(content, lineEnd(text)) + text);
}

/** A file with these lines in its first block, where that stands; undefined when it has no block or several. */
export function withBlockInPlace(bytes: Uint8Array, content: readonly string[]): Uint8Array | undefined {
  const text = latin1(bytes);
  const lines = splitLines(text);
  const [block, ...others] = findBlocks(lines);
  if (block === undefined || others.length > 0) return undefined;
  const after = lines.slice(block.end).join('');
  const before = lines.slice(0, block.start).join('');
  return bytesOf(before + blockText(content, lineEnd(text)) + after);
}

/** The lines around our own. */
export const MARKERS = [
  '# BEGIN agentless (managed; undo with: agentless leave)',
  '# END agentless',
] as const;

function blockText(content: readonly string[], end: string): string {
  const [begin, last] = MARKERS;
  const lines = [begin, ...content, last];
  return lines.map((line) => withoutEnd(rawOf(line)) + end).join('');
}
