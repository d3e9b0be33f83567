// The lines of a file as Linux-PAM puts them together (_pam_assemble_line in libpam/pam_handlers.c up to 1.6.0,
// libpam_internal/pam_line.c since). Where releases read the same bytes differently, that is a problem, not a guess.

/** One line, or several that a backslash at the end joins. */
export interface LogicalLine {
  /** Of its first line, counted from 1. */
  readonly number: number;
  /** Every byte, ends of line included. */
  readonly raw: string;
  /** What PAM reads: without comment and leading blanks, joined by blanks; empty for a blank line and a comment. */
  readonly text: string;
  /** Why no rule can come of it, whatever it says. */
  readonly problem?: string;
  /** PAM gives up the whole file for this line, and with it every login. */
  readonly rejectsFile?: true;
}

/** Releases before 1.6 read at most this many bytes into their buffer and take the rest for another line. */
const LONGEST = 1022;

/** Any text at all can be read; the lines' `raw` put together are the text. */
export function assemble(text: string): LogicalLine[] {
  const physical = text.match(/[^\n]*\n|[^\n]+/g) ?? [];
  const lines: LogicalLine[] = [];
  for (let at = 0; at < physical.length; ) {
    const count = span(physical, at);
    lines.push(join(physical.slice(at, at + count), at + 1));
    at += count;
  }
  return lines;
}

/** How many lines belong together from this one on. Older releases pass over blank lines and comments on the way. */
function span(physical: readonly string[], from: number): number {
  let at = from;
  let open = false;
  for (; at < physical.length; at += 1) {
    const line = physical[at] ?? '';
    if (open && isEmpty(line)) continue;
    open = continues(line);
    if (!open) return at - from + 1;
  }
  return at - from;
}

function join(parts: readonly string[], number: number): LogicalLine {
  const raw = parts.join('');
  const text = parts
    .filter((part) => !isEmpty(part))
    .map(content)
    .join('')
    .replace(/^[ \t]+/, '');
  const line = {number, raw, text};
  // The line's own end does not count: what is left over for the next read is blank.
  if (raw.replace(/\n$/, '').length > LONGEST) {
    return {...line, problem: `longer than the ${LONGEST} bytes that every release of pam can read`};
  }
  if (text !== '' && raw.includes('\0')) return {...line, problem: 'holds a NUL byte'};
  if (parts.length === 1 && !continues(raw)) return line;
  if (continues(parts.findLast((part) => !isEmpty(part)) ?? '')) {
    const problem = 'the file ends in a continued line, for which pam gives up the whole file';
    return {...line, problem, rejectsFile: true};
  }
  if (parts.some(isEmpty)) {
    return {
      ...line,
      problem: 'goes on behind a blank line or comment, which releases of pam read differently',
    };
  }
  return line;
}

/** A comment takes everything from # on, quotes and brackets or not, and a backslash in front of it counts for nothing. */
function content(part: string): string {
  if (part.includes('#')) return part.slice(0, part.indexOf('#'));
  return continues(part) ? part.replace(/\\[ \t\n]*$/, ' ') : part;
}

function continues(part: string): boolean {
  return !part.includes('#') && /\\[ \t\n]*$/.test(part);
}

function isEmpty(part: string): boolean {
  return /^[ \t\n]*(#|$)/.test(part);
}
