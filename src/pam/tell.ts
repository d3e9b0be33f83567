// What is said about a place for our line: why it is none, and what cannot be had there.
import type {Link} from './chain.js';
import {type Action, RESULTS} from './control.js';
import {outcomes} from './effect.js';
import {jump} from './flow.js';
import {type Refusal, refusal} from './refusal.js';

/** Why rules would not go on as before with our line above line `ours`. */
export function whyChanged(links: readonly Link[], ours: number, service: string): Refusal {
  const below = links.findIndex(({line}) => line >= ours);
  const index = below < 0 ? links.length : below;
  const jumper = links.find(
    (link, at) => at < index && actions(link).some((action) => crosses(links, at, action, index)),
  );
  if (jumper !== undefined)
    return refusal(`line ${jumper.line} jumps over the place, and would end up elsewhere`, jumper.line);
  return refusal(
    `with the rules of "${service}" in it, pam would not answer every login as before`,
    links[index - 1]?.line,
  );
}

/** A jump to the place itself stays what it is: it arrives at our line, and goes on from there. */
function crosses(links: readonly Link[], at: number, action: Action, index: number): boolean {
  if (typeof action !== 'number') return false;
  const {target, missing} = jump(links, at, action);
  return target > index || missing;
}

/**
 * Which rules may deny a login that our account rules run for. After a `required` rule has failed PAM goes on through
 * the stack, so that this cannot be had by any place where one is.
 */
export function denials(links: readonly Link[], ours: number): string[] {
  const above = links.filter((link) => link.line < ours && deniesAndGoesOn(link));
  const below = links.filter(
    (link) => link.line >= ours && actions(link).some((action) => action === 'bad' || action === 'die'),
  );
  const notes: string[] = [];
  if (above.length > 0)
    notes.push(`our account rules run for a login that ${named(above)} denied: pam goes on from there`);
  if (below.length > 0) notes.push(`our account rules run before ${named(below)} can deny the login`);
  return notes;
}

/** `die` ends a substack only. */
function deniesAndGoesOn(link: Link): boolean {
  return actions(link).some((action) => action === 'bad' || (action === 'die' && link.level > 0));
}

function actions(link: Link): Action[] {
  return outcomes(link, RESULTS).map((result) => link.control[result]);
}

function named(links: readonly Link[]): string {
  const numbers = [...new Set(links.map(({line}) => line))];
  return `${numbers.length > 1 ? 'lines' : 'line'} ${numbers.join(', ')}`;
}
