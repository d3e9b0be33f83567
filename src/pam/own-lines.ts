// Our two lines in a file that is edited by hand. The mark stands on the line itself, as a comment behind the rule: it
// moves with the rule, and it keeps the carriage return of a file with CR LF away from the name that is included.
import {type Include, type Line, parseStack, type Stack, type Type} from './stack.js';

const MARK = '# Managed by agentless; undo with: sudo agentless leave';

/** Says that the line before had no end of line until ours was put behind it. */
const ENDED = ' (the line above had no newline)';

/** The types that our lines are of. */
export const OUR_TYPES = ['account', 'session'] as const satisfies readonly Type[];

export type OurType = (typeof OUR_TYPES)[number];

/**
 * One of our lines, without end of line.
 *
 * It is a `substack`: whatever the included file comes to hold, `done` and `die` end no more than that file, and a jump
 * over our line counts it as one. `include` would let it end sshd's own stack; `@include` is Debian's alone and brings
 * in all four types at once.
 */
function ownLine(type: OurType, service: string, endsTheLineAbove: boolean): string {
  return `${ownRule(type, service)} ${MARK}${endsTheLineAbove ? ENDED : ''}`;
}

/** What such a line says to PAM. */
export function ownRule(type: OurType, service: string): string {
  return `${type} substack ${service}`;
}

/** Where a line of ours goes: before the line with this index, or at the end. */
export interface OwnPlace {
  readonly type: OurType;
  readonly gap: number;
}

/** The number that a line put in there has: that of the line which makes room for it. */
export function numberAt({lines}: Stack, gap: number): number {
  const last = lines.at(-1);
  return (
    lines[gap]?.number ?? (last === undefined ? 1 : last.number + (last.raw.match(/\n./g)?.length ?? 0) + 1)
  );
}

/** The text with lines of ours. A line above that has no end gets a bare LF, for a CR would become part of its rule. */
export function withOurLines({lines}: Stack, places: readonly OwnPlace[], service: string): string {
  const end = /^[^\n]*\r\n/.test(lines[0]?.raw ?? '') ? '\r\n' : '\n';
  let text = '';
  for (let gap = 0; gap <= lines.length; gap += 1) {
    for (const {type} of places.filter((place) => place.gap === gap)) {
      const unended = text !== '' && !text.endsWith('\n');
      text += `${unended ? '\n' : ''}${ownLine(type, service, unended)}${end}`;
    }
    text += lines[gap]?.raw ?? '';
  }
  return text;
}

/** What is there of ours. */
export type Presence =
  | {readonly kind: 'absent'}
  | {readonly kind: 'placed'; readonly lines: Readonly<Record<OurType, OwnLine>>}
  | {readonly kind: 'half'; readonly missing: OurType}
  | {readonly kind: 'damaged'; readonly line: number; readonly problem: string};

export type OwnLine = Line & {readonly content: Include & {readonly type: OurType}};

export function presence(lines: readonly Line[]): Presence {
  const marked = lines.filter(({raw}) => raw.includes(MARK));
  const [account, ...accounts] = marked.filter((line) => isOwn(line, 'account'));
  const [session, ...sessions] = marked.filter((line) => isOwn(line, 'session'));
  if (marked.length === 0) return {kind: 'absent'};
  const odd = marked.find((line) => !OUR_TYPES.some((type) => isOwn(line, type)));
  if (odd)
    return {kind: 'damaged', line: odd.number, problem: 'has our mark and is not the line that was placed'};
  const twice = [...accounts, ...sessions][0];
  if (twice) return {kind: 'damaged', line: twice.number, problem: 'is a line of ours that is there already'};
  if (account && session) return {kind: 'placed', lines: {account, session}};
  return {kind: 'half', missing: account ? 'session' : 'account'};
}

/** Whether both our lines are there, each once and as they were placed. */
export function isPlaced(text: string): boolean {
  return presence(parseStack(text).lines).kind === 'placed';
}

/**
 * The text without our lines, every other byte as it is; the text itself where there are none. Lines of ours that were
 * commented out go too. A line with our mark that says something else is somebody's rule by now, and stays: whoever
 * removes the included file afterwards looks first whether `serviceIncludes` still names it, for PAM denies every login
 * where an included file is missing.
 */
export function removed(text: string): string {
  const {lines} = parseStack(text);
  const kept = lines.filter((line) => !isRemovable(line));
  const rest = kept.map(({raw}) => raw).join('');
  // Only while nothing has been added below: the line above ours then gets back the end it had, none.
  const last = lines.indexOf(kept.at(-1) ?? NO_LINE);
  const ended = lines[last + 1]?.raw.includes(MARK + ENDED) ?? false;
  return ended ? rest.replace(/\n$/, '') : rest;
}

const NO_LINE: Line = {number: 0, raw: '', content: {kind: 'blank'}};

function isOwn(line: Line, type: OurType): line is OwnLine {
  const {content, raw} = line;
  return (
    content.kind === 'include' &&
    content.how === 'substack' &&
    content.type === type &&
    isOneLine(raw) &&
    commentOf(raw).startsWith(MARK)
  );
}

const COMMENTED_OUT = /^[#\s]*(-?(account|session)[ \t]+(include|substack)[ \t]+\S+[ \t]*)?$/i;

function isRemovable({raw}: Line): boolean {
  const mark = raw.indexOf(MARK);
  return mark >= 0 && isOneLine(raw) && COMMENTED_OUT.test(raw.slice(0, mark));
}

function commentOf(raw: string): string {
  return raw.slice(raw.indexOf('#'));
}

/** A line that has become part of a continuation cannot be taken out without joining its neighbours. */
function isOneLine(raw: string): boolean {
  return !/\n./.test(raw);
}
