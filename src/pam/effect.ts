// What a line of ours does to the rules around it: both chains, without and with our line, are walked side by side
// through everything that modules can return.
import type {Link} from './chain.js';
import {type Action, RESULTS, type Result} from './control.js';
import {start, step, verdict, type Walk} from './flow.js';
import type {Rule} from './stack.js';

export interface Effect {
  /** Every other rule is called as before, and PAM answers as before, whatever any module returns. */
  readonly unchanged: boolean;
  /** No login is let in without having passed our line. */
  readonly passedByAll: boolean;
  /** A login that our rules deny is denied: no rule below makes PAM forget it. */
  readonly heeded: boolean;
}

/** Both chains: `after` has a line more than `before`, our own, whose number is `ours`. */
export interface Sides {
  readonly before: readonly Link[];
  readonly after: readonly Link[];
  readonly ours: number;
  /** Whether our rules may turn a yes into a no. While they do not, and for every no, the rest holds just the same. */
  readonly mayDeny: boolean;
  /** What can come of one of our rules. */
  readonly results: (rule: Rule) => readonly Result[];
}

/** Judges what our line does. */
export function effect(sides: Sides): Effect {
  if (!sides.mayDeny) return explore(sides, false);
  const passing = explore(sides, true);
  const {unchanged, heeded} = explore(sides, false);
  return {...passing, unchanged: passing.unchanged && unchanged, heeded};
}

interface State {
  /** Undefined once the two ways have parted, which may be only where the answer is no in any case. */
  readonly before: Walk | undefined;
  readonly after: Walk;
  readonly passed: boolean;
  /** One of our rules has spoken against the login. */
  readonly denied: boolean;
}

/** With `passing`, none of our rules denies the login. */
function explore(sides: Sides, passing: boolean): Effect {
  const mayDeny = sides.mayDeny && !passing;
  let unchanged = true;
  let passedByAll = true;
  let heeded = true;
  const seen = new Set<string>();
  const waiting: State[] = [
    {before: start(sides.before), after: start(sides.after), passed: false, denied: false},
  ];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    const key = JSON.stringify(state);
    if (seen.has(key)) continue;
    seen.add(key);
    const {before, after, passed, denied} = state;
    const link = sides.after[after.at];
    if (link === undefined) {
      passedByAll &&= passed || verdict(after) !== 'success';
      heeded &&= !denied || verdict(after) !== 'success';
      unchanged &&= answersAlike(sides, state, mayDeny);
    } else if (link.line === sides.ours) {
      for (const result of outcomes(
        link,
        typeof link.what === 'object' ? sides.results(link.what) : RESULTS,
      )) {
        if (passing && denies(link, result)) continue;
        const next = step(sides.after, after, result);
        waiting.push({before, after: next, passed: true, denied: denied || denies(link, result)});
      }
    } else {
      const together = before !== undefined && before.at === indexBefore(sides, after.at);
      if (!together && !(mayDeny && after.mood === 'bad'))
        return {unchanged: false, passedByAll: false, heeded: false};
      for (const result of outcomes(link, RESULTS)) {
        const other = together ? step(sides.before, before, result) : undefined;
        waiting.push({before: other, after: step(sides.after, after, result), passed, denied});
      }
    }
  }
  return {unchanged, passedByAll, heeded};
}

/** Whether an entry that returns this speaks against the login. */
export function denies({control}: Link, result: Result): boolean {
  return control[result] === 'bad' || control[result] === 'die';
}

function answersAlike(sides: Sides, {before, after}: State, mayDeny: boolean): boolean {
  if (mayDeny && verdict(after) !== 'success') return true;
  return before !== undefined && before.at === sides.before.length && verdict(before) === verdict(after);
}

/** The same entry in the chain without our line. */
function indexBefore({after, ours}: Sides, at: number): number {
  return after.slice(0, at).filter(({line}) => line !== ours).length;
}

/**
 * What an entry can return, out of `possible`. Two failures stand for all that its control treats alike: one more would
 * tell nothing new, as PAM only passes their names on.
 */
export function outcomes({what, control}: Link, possible: readonly Result[]): Result[] {
  if (what === 'failure' || what === 'substack') return ['perm_denied'];
  const known = knownResult(what);
  if (known !== undefined) return [known];
  const counts = new Map<Action, number>();
  return possible.filter((result) => {
    if (result === 'success' || result === 'ignore' || result === 'new_authtok_reqd') return true;
    const count = counts.get(control[result]) ?? 0;
    counts.set(control[result], count + 1);
    return count < 2;
  });
}

const DENIALS = {
  auth: 'auth_err',
  account: 'auth_err',
  password: 'authtok_err',
  session: 'session_err',
} as const;

/** Two modules of Linux-PAM return the same every time. Without `.so` they are not found. */
function knownResult({module, type}: Rule): Result | undefined {
  const [, name] = /^(?:(?:\/usr)?\/lib\w*\/(?:.*\/)?security\/|\$ISA\/)?(\w+\.so)$/.exec(module) ?? [];
  if (name === 'pam_permit.so') return 'success';
  return name === 'pam_deny.so' ? DENIALS[type] : undefined;
}
