// The port to whoever is watching. Operations say what happened; commands/reporter.ts draws it for a terminal, for a
// log, or not at all (JSON).

import {Failure} from '../errors.js';

export interface Reporter {
  /** What is about to be done, e.g. "Joining web1 to example.com". */
  heading(text: string): void;
  /** A step that is done: verb, what was acted on and the proof, and how long it took in milliseconds. */
  step(verb: string, text: string, milliseconds?: number): void;
  /** Something that does not stop us and that the user should know. */
  warn(text: string): void;
}

/** Times a piece of work and reports it as one step; `text` is made from the value. */
export async function timed<T>(
  report: Reporter,
  verb: string,
  work: Promise<T>,
  text: (value: T) => string,
): Promise<T> {
  const start = performance.now();
  const value = await work;
  report.step(verb, text(value), performance.now() - start);
  return value;
}

/** The same for work that may be given up: a signal ends the waiting at once with INTERRUPTED. */
export async function interruptible<T>(
  {report, signal}: {readonly report: Reporter; readonly signal: AbortSignal},
  verb: string,
  work: Promise<T>,
  text: (value: T) => string,
): Promise<T> {
  const interrupted = new Promise<never>((_, reject) => {
    const stop = () => reject(new Failure('INTERRUPTED', 'interrupted'));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, {once: true});
  });
  interrupted.catch(() => undefined);
  return timed(report, verb, Promise.race([work, interrupted]), text);
}
