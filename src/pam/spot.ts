// The place for one line of ours. It is good when PAM, reading the file with our line in it, calls every other rule as
// before and answers as before, whatever any module returns: judged by walking through both, not by the look of the
// file. Of the good places the last one that no login gets past is taken, behind whatever may deny the login; a stack
// that ends early (`sufficient`, `done`) moves it up. Where pam_selinux is, our session rules run between its close and
// its open: in between they are root's, and behind the open they would be the user's.
import {type Chain, chain, type Includes} from './chain.js';
import {RESULTS, type Result} from './control.js';
import {effect, outcomes} from './effect.js';
import {run} from './flow.js';
import {openGaps} from './gaps.js';
import {numberAt, type OurType, withOurLines} from './own-lines.js';
import {type Refusal, refusal} from './refusal.js';
import {againstSelinux} from './selinux.js';
import {parseStack, type Rule, type Stack} from './stack.js';
import {denials, whyChanged} from './tell.js';

/** One line's part of what is asked for. */
export interface Subject {
  readonly stack: Stack;
  readonly type: OurType;
  readonly service: string;
  readonly mayDeny: boolean;
  readonly includes: Includes;
}

/** A place for one line: before the line with this index, or at the end. */
export interface Spot {
  readonly kind: 'spot';
  readonly type: OurType;
  readonly gap: number;
  readonly notes: readonly string[];
}

/** The best place there is, or why there is none. */
export function findSpot(subject: Subject): Spot | Refusal {
  const {stack, type} = subject;
  const before = chainOf(subject, stack);
  const open = openGaps(stack.lines);
  let second: Spot | undefined;
  let outside: Refusal | undefined;
  let why: Refusal | undefined;
  for (const room of rooms(stack, before).reverse()) {
    const gap = room.find((index) => open.has(index));
    const beyond = againstSelinux(before.links, numberAt(stack, gap ?? room[0] ?? 0));
    outside ??= beyond;
    if (beyond !== undefined) continue;
    const judged = gap === undefined ? inBlock(stack, room) : judge(subject, before, gap);
    if (judged.kind === 'refused') why ??= judged;
    else if (judged.passedByAll) return judged;
    else second ??= judged;
  }
  const reason = why ?? outside ?? refusal('no rule is there');
  return second ?? refusal(`no place for our ${type} line: ${reason.reason}`, reason.line);
}

/** The place that a line of ours has already, if it does all that a new one would. */
export function stillGood(subject: Subject, gap: number): Spot | undefined {
  const {stack} = subject;
  const before = chainOf(subject, stack);
  if (!openGaps(stack.lines).has(gap) || againstSelinux(before.links, numberAt(stack, gap))) return undefined;
  const judged = judge(subject, before, gap);
  return judged.kind === 'spot' && judged.passedByAll ? judged : undefined;
}

interface Judged extends Spot {
  /** No login is let in without our rules having run. */
  readonly passedByAll: boolean;
}

function judge(subject: Subject, before: Chain, gap: number): Judged | Refusal {
  const {stack, type, service, mayDeny} = subject;
  const ours = numberAt(stack, gap);
  const after = chainOf(subject, parseStack(withOurLines(stack, [{type, gap}], service)));
  const {unchanged, passedByAll, heeded} = effect({
    before: before.links,
    after: after.links,
    ours,
    mayDeny,
    results: (rule) => ownResults(rule, service),
  });
  if (!unchanged) return whyChanged(before.links, ours, service);
  if (!heeded)
    return refusal('a rule further down makes pam forget the no of ours', stack.lines[gap]?.number);
  const {reached} = run(after, (_, link) => outcomes(link, ['success'])[0] ?? 'success');
  const last = reached.at(-1)?.line;
  if (!reached.some(({line}) => line === ours)) {
    return refusal(`line ${last} ends the stack, and what stands below is never reached`, last);
  }
  const notes = type === 'account' ? denials(before.links, ours) : [];
  if (!passedByAll) notes.push(`some logins are let in without passing our ${type} line`);
  return {kind: 'spot', type, gap, notes, passedByAll};
}

/**
 * What our rules can return. None asks for a new password; and one that asks whether the service is the included one
 * itself never gets a yes from within another: this is how a file tells for which of the two it is read.
 */
function ownResults({module, args}: Rule, service: string): Result[] {
  const asks = module === 'pam_succeed_if.so' && args.join(' ').endsWith(`service = ${service}`);
  return RESULTS.filter((result) => result !== 'new_authtok_reqd' && !(asks && result === 'success'));
}

function chainOf({type, includes}: Subject, stack: Stack): Chain {
  return chain(stack, type, includes);
}

/** For each place among the rules, the first one above them all: the gaps in which it lies, the nearest first. */
function rooms({lines}: Stack, {links}: Chain): number[][] {
  const numbers = new Set(links.map(({line}) => line));
  const rules = lines.flatMap(({number}, index) => (numbers.has(number) ? [index] : []));
  return [-1, ...rules].map((rule, index) => {
    const end = rules[index] ?? lines.length;
    const gaps = Array.from({length: end - rule}, (_, offset) => rule + 1 + offset);
    return index === 0 ? gaps.reverse() : gaps;
  });
}

/** Above the first rule there is always room: at the top of the file. */
function inBlock({lines}: Stack, [gap = 0]: readonly number[]): Refusal {
  const number = lines[gap - 1]?.number;
  return refusal(`line ${number} is within a block that another tool has marked as its own`, number);
}
