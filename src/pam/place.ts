// Our two lines go into a service file where they take effect and change nothing else; where that cannot be had, the
// file is left alone. spot.ts has the rules for the place.
import {chain, type Includes} from './chain.js';
import {OUR_TYPES, type OurType, type OwnLine, presence, removed, withOurLines} from './own-lines.js';
import {type Refusal, refusal} from './refusal.js';
import {findSpot, type Spot, type Subject, stillGood} from './spot.js';
import {type Line, parseStack, type Stack} from './stack.js';

/** What is to be included. */
export interface Wish {
  /** Name of the file in /etc/pam.d that our lines include. */
  readonly service: string;
  /** Whether our rules may deny a login; else a place is good only if they cannot. */
  readonly required: boolean;
  /**
   * What `serviceIncludes` names, by the same names, and what those include in turn; `service` too, with the text it
   * will have when our lines are written.
   */
  readonly includes: Includes;
}

export interface Placed {
  readonly kind: 'placed';
  readonly text: string;
  /** What cannot be had where our lines stand: one line each, with the line numbers of the file without them. */
  readonly notes: readonly string[];
}

/**
 * Puts our two lines into a service file. Placing over what was placed gives the same text as long as the place is
 * good, and moves the lines once it is not. Where one of the two is gone both are placed anew.
 */
export function place(text: string, wish: Wish): Placed | Refusal {
  const {lines} = parseStack(text);
  const found = presence(lines);
  if (found.kind === 'damaged') return refusal(found.problem, found.line);
  const stack = parseStack(removed(text));
  const unfit = whyUnfit(stack, wish);
  if (unfit !== undefined) return unfit;
  if (found.kind === 'placed') {
    const notes = notesOf(Object.values(found.lines), lines, stack, wish);
    if (notes !== undefined) return {kind: 'placed', text, notes};
  }
  const spots: Spot[] = [];
  for (const type of OUR_TYPES) {
    const spot = findSpot(subject(stack, type, wish));
    if (spot.kind === 'refused') return spot;
    spots.push(spot);
  }
  return {
    kind: 'placed',
    text: withOurLines(stack, spots, wish.service),
    notes: spots.flatMap(({notes}) => notes),
  };
}

/** What is to be said of lines that stand already; undefined where they had better stand elsewhere. */
function notesOf(
  own: readonly OwnLine[],
  lines: readonly Line[],
  stack: Stack,
  wish: Wish,
): string[] | undefined {
  const notes: string[] = [];
  for (const line of own) {
    const gap = lines
      .slice(0, lines.indexOf(line))
      .filter((other) => !own.some((one) => one === other)).length;
    const spot = stillGood(subject(stack, line.content.type, wish), gap);
    if (spot === undefined || line.content.service !== wish.service) return undefined;
    notes.push(...spot.notes);
  }
  return notes;
}

function subject(stack: Stack, type: OurType, {service, required, includes}: Wish): Subject {
  return {stack, type, service, mayDeny: required, includes};
}

function whyUnfit(stack: Stack, {service, includes}: Wish): Refusal | undefined {
  const target = includes.get(service);
  if (target === undefined)
    return refusal(`there is no "${service}" to include, and pam would deny every login`);
  const ours = parseStack(target);
  // Of the other types nothing is asked from within: they are for Teleport's own SSH service.
  const inner = ours.lines.flatMap(({content}) =>
    content.kind === 'include' && OUR_TYPES.some((type) => (content.type ?? type) === type)
      ? [content.service]
      : [],
  )[0];
  if (inner !== undefined)
    return refusal(`"${service}" includes "${inner}", and has to stand on its own here`);
  for (const {number, content} of stack.lines) {
    if (content.kind === 'include' && content.service === service) {
      return refusal(`line ${number} includes "${service}" already, and is not ours`, number);
    }
    if (content.kind === 'broken' && content.type === undefined) return noRule(number, content.problem);
  }
  for (const type of OUR_TYPES) {
    const [ownFault] = chain(ours, type, includes).faults;
    if (ownFault) return refusal(`"${service}" cannot be included: ${ownFault.problem}`);
    if (chain(ours, type, includes).links.length === 0) return refusal(`"${service}" has no ${type} rule`);
    const {links, faults} = chain(stack, type, includes);
    const [fault] = faults;
    if (fault !== undefined) return noRule(fault.line, fault.problem);
    if (links.length === 0) {
      return refusal(
        `has no ${type} rule, so pam takes those of "other", and one line of ours would end that`,
      );
    }
  }
  return undefined;
}

function noRule(line: number, problem: string): Refusal {
  return refusal(`line ${line} is no rule that pam can use: ${problem}`, line);
}
