// A remote host whose connection is cut at the n-th change.

import type {Host, Undo} from '../../src/host/host.js';
import {inSequence, type Sequence} from '../../src/host/sequence.js';

export const CUTS = ['before', 'during', 'after'] as const;
export type Cut = (typeof CUTS)[number];

const CHANGES = ['write', 'makeDirectory', 'remove', 'copy', 'append', 'run', 'lock'] as const;

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
    reached: Sequence['reached'],
  ): Promise<T> => {
    const mine = changes.push(what) === at;
    const now = () => {
      done = true;
      cut();
    };
    if (mine && when === 'before') {
      await reached().catch(() => undefined);
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

type Changing = <T>(what: string, act: () => Promise<T>, reached: Sequence['reached']) => Promise<T>;

/** The same sequence, on a host whose changes are seen. */
function cutting(sequence: Sequence, changing: Changing): Sequence {
  const {host: real, reached} = sequence;
  const {watch} = real;
  const host = new Proxy(real, {
    get(target, name: keyof Host) {
      if (name === 'watch' && watch !== undefined) {
        return new Proxy(watch, {
          get: (inner, of: keyof typeof watch) =>
            of === 'note'
              ? (undo: Undo) => changing(`note ${undo.kind}`, () => inner.note(undo), reached)
              : typeof inner[of] === 'function'
                ? inner[of].bind(inner)
                : inner[of],
        });
      }
      if (name === 'sequence') return target.sequence && (() => cutting(inSequence(target), changing));
      const method = target[name];
      if (typeof method !== 'function') return method;
      const bound = method.bind(target) as (...words: unknown[]) => Promise<unknown>;
      if (!(CHANGES as readonly string[]).includes(name)) return bound;
      return (...words: unknown[]) => changing(`${name} ${String(words[0])}`, () => bound(...words), reached);
    },
  });
  return {...sequence, host};
}
