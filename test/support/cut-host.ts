// A remote host whose connection is cut at the n-th change.

import type {Host, Undo} from '../../src/host/host.js';
import {inSequence, type Sequence} from '../../src/host/sequence.js';

export const CUTS = ['before', 'during', 'after'] as const;
export type Cut = (typeof CUTS)[number];

const CHANGES: readonly string[] = ['write', 'makeDirectory', 'remove', 'copy', 'append', 'run', 'lock'];
const TOLD: readonly string[] = ['stage', 'begin', 'note', 'confirm'];

export interface CutHost {
  readonly host: Host;
  /** What was changed so far, in words. */
  readonly changes: string[];
  readonly isCut: () => boolean;
}

/**
 * `cut` is called at the change with this number: before it is asked for, while it is being made, or once it is made. What
 * is told to the watch counts as well. 'during' is where more may be on its way already.
 */
export function cuttable(real: Host, cut: () => void, at = 0, when: Cut = 'before'): CutHost {
  const changes: string[] = [];
  let done = false;
  const changing = async <T>(
    what: string,
    act: () => Promise<T>,
    {isAhead, reached}: Sequence,
  ): Promise<T> => {
    const mine = changes.push(what) === at;
    const now = () => {
      done = true;
      cut();
    };
    if (mine && when === 'before') {
      // Elsewhere nothing waits, for what is asked for after this must not overtake it.
      if (isAhead) await reached().catch(() => undefined);
      now();
    }
    const acting = act();
    if (mine && when === 'during') {
      acting.catch(() => undefined);
      setTimeout(now, 2);
    }
    const result = await acting;
    if (mine && when === 'after') {
      await reached().catch(() => undefined);
      now();
    }
    return result;
  };
  return {
    host: cutting({host: real, isAhead: false, reached: async () => undefined}, changing).host,
    changes,
    isCut: () => done,
  };
}

type Changing = <T>(what: string, act: () => Promise<T>, sequence: Sequence) => Promise<T>;

/** The same sequence, on a host whose changes are seen. */
function cutting(sequence: Sequence, changing: Changing): Sequence {
  const {host: real} = sequence;
  const {watch} = real;
  const member = <T extends object>(target: T, name: keyof T & string, counted: readonly string[]) => {
    const method = target[name];
    if (typeof method !== 'function') return method;
    const bound = method.bind(target) as (...words: unknown[]) => Promise<unknown>;
    if (!counted.includes(name)) return bound;
    return (...words: unknown[]) => changing(inWords(name, words), () => bound(...words), sequence);
  };
  const counting = <T extends object>(target: T, counted: readonly string[]): T =>
    new Proxy(target, {get: (inner, name) => member(inner, name as keyof T & string, counted)});
  const host = new Proxy(real, {
    get(target, name: keyof Host) {
      if (name === 'watch' && watch !== undefined) return counting(watch, TOLD);
      if (name === 'sequence') return target.sequence && (() => cutting(inSequence(target), changing));
      return member(target, name, CHANGES);
    },
  });
  return {...sequence, host};
}

function inWords(name: string, [first]: readonly unknown[]): string {
  if (name === 'note') return `note ${(first as Undo).kind}`;
  return typeof first === 'string' || Array.isArray(first) ? `${name} ${first}` : name;
}
