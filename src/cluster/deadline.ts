// How long to keep trying, and when to try again.

import {setTimeout as sleep} from 'node:timers/promises';
import type {Failure} from '../errors.js';

/** A point in time until which one thing that was asked for may take; ends early when `closing` is aborted. */
export class Deadline {
  readonly #end: number;
  /** Aborted when the client is closed. */
  readonly closing: AbortSignal;

  constructor(milliseconds: number, closing: AbortSignal) {
    this.#end = performance.now() + milliseconds;
    this.closing = closing;
  }

  /** Milliseconds, never negative. */
  get left(): number {
    return Math.max(0, Math.ceil(this.#end - performance.now()));
  }

  /**
   * Runs something that ends early when the signal aborts: after that many milliseconds, when the deadline has passed
   * (a TimeoutError), or when the client is closed. Timers of our own, because in Node 20 a signal made by
   * AbortSignal.any of an AbortSignal.timeout may be collected before it fires.
   */
  async within<T>(atMost: number, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.check();
    const controller = new AbortController();
    const close = () => controller.abort(this.closing.reason);
    const expire = () => controller.abort(new DOMException('no answer in time', 'TimeoutError'));
    const timer = setTimeout(expire, Math.min(atMost, this.left));
    this.closing.addEventListener('abort', close);
    try {
      return await run(controller.signal);
    } finally {
      clearTimeout(timer);
      this.closing.removeEventListener('abort', close);
    }
  }

  /** Throws the reason for which the client was closed, if it was. */
  check(): void {
    this.closing.throwIfAborted();
  }

  async pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, {signal: this.closing}).catch(() => this.closing.throwIfAborted());
  }
}

/** A failure that may pass: worth another attempt, `attempts` of them at most. Does not leave this folder. */
export class Passing extends Error {
  readonly failure: Failure;
  readonly attempts: number;

  constructor(failure: Failure, attempts = Number.POSITIVE_INFINITY) {
    super(failure.message);
    this.failure = failure;
    this.attempts = attempts;
  }
}

// A wrong address and a cluster that is just restarting look the same: three attempts take under two seconds.
export const CONNECTION_ATTEMPTS = 3;

/** Repeats while it fails with `Passing` and there is time; throws the failure of the last attempt. */
export async function retry<T>(deadline: Deadline, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      const pause = backoff(tries);
      if (tries >= error.attempts || pause >= deadline.left) throw error.failure;
      await deadline.pause(pause);
    }
  }
}

/** Doubles up to eight seconds; half of it is chance, so that a fleet that was refused at once does not return at once. */
function backoff(tries: number): number {
  const longest = Math.min(8000, 250 * 2 ** tries);
  return longest / 2 + (Math.random() * longest) / 2;
}
