// What is asked of a host, and what of it is done: one by one, or the changes ahead of their answers. Answers come in the
// order of the questions, so whoever has one knows of everything before it.

import type {Answer, Caller} from './caller.js';
import type {RemoteShell} from './remote-shell.js';
import {check} from './system-errors.js';

export class Orders {
  readonly #shell: RemoteShell;
  readonly isAhead: boolean;
  #reached: Promise<void> = Promise.resolve();

  constructor(shell: RemoteShell, isAhead: boolean) {
    this.#shell = shell;
    this.isAhead = isAhead;
    if (isAhead) shell.forget();
  }

  /** Resolves when every change so far is made; rejects with the error of the first that was not. */
  reached(): Promise<void> {
    return this.#reached;
  }

  /** Rejects, or once ahead has `reached` reject, with an error of the system about this path. */
  async change(doing: string, path: string, ask: (caller: Caller) => Promise<Answer>): Promise<void> {
    const done = ask(this.isAhead ? this.#shell.ahead : this.#shell).then((answer) =>
      check(answer, doing, path),
    );
    if (!this.isAhead) return done;
    done.catch(() => undefined);
    // One after the other, for those that follow a failure are refused as well, and in the same breath.
    this.#reached = this.#reached.then(() => done);
    this.#reached.catch(() => undefined);
  }

  async read(name: string, path: string, ...words: readonly string[]): Promise<Buffer> {
    const answer = await this.#after(this.#shell.call(name, path, ...words));
    check(answer, name, path);
    return answer.output;
  }

  /** Not done where a change before it has failed: then it rejects with that. */
  run(ask: (caller: Caller) => Promise<Answer>): Promise<Answer> {
    return this.#after(ask(this.#shell.behind));
  }

  async #after(asked: Promise<Answer>): Promise<Answer> {
    const before = this.#reached;
    const answer = await asked;
    await before;
    return answer;
  }
}
