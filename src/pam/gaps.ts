// Between which lines ours may stand: not inside a block that another tool has marked as its own, for that tool writes
// the block anew one day, or finds that it is not what it was.
import type {Line} from './stack.js';

const BEGIN = /^[ \t]*#[#\s<>=*:@-]*BEGIN\b|^[ \t]*#\s*>>> /;
const END = /^[ \t]*#[#\s<>=*:@-]*END\b|^[ \t]*#\s*<<< /;

/**
 * Indexes of lines before which a line may be put in, and the number of lines for the end of the file. A block that is
 * never closed reaches to the end.
 */
export function openGaps(lines: readonly Line[]): ReadonlySet<number> {
  const gaps = new Set<number>();
  let depth = 0;
  lines.forEach(({raw, content}, index) => {
    if (depth === 0) gaps.add(index);
    if (content.kind !== 'comment') return;
    if (BEGIN.test(raw)) depth += 1;
    else if (END.test(raw)) depth = Math.max(0, depth - 1);
  });
  if (depth === 0) gaps.add(lines.length);
  return gaps;
}
