// Draws progress. The rules: everything on stderr; a line per step, verb first, proof last; aligned and calm; colour
// only on a terminal; no spinner, no box, nothing that is redrawn, so that a log reads like the screen.

import {styleText} from 'node:util';
import type {Reporter} from '../operations/reporter.js';

const VERB_WIDTH = 10;
const TEXT_WIDTH = 80;
const TIME_WIDTH = 8;

/** Lines for people, on a terminal or in a log. Warnings are kept as well, for the JSON envelope. */
export class TextReporter implements Reporter {
  readonly warnings: string[] = [];
  readonly #out: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out;
  }

  heading(text: string): void {
    this.#out.write(`${text}\n\n`);
  }

  step(verb: string, text: string, milliseconds?: number): void {
    const line = `  ${verb.padEnd(VERB_WIDTH)} ${text}`;
    if (milliseconds === undefined) {
      this.#out.write(`${line}\n`);
      return;
    }
    const time = `${Math.round(milliseconds)} ms`.padStart(TIME_WIDTH);
    const width = Math.min(TEXT_WIDTH, (this.#out.columns || TEXT_WIDTH + TIME_WIDTH) - TIME_WIDTH);
    this.#out.write(`${line.padEnd(width)}${styleText('dim', time, {stream: this.#out})}\n`);
  }

  warn(text: string): void {
    this.warnings.push(text);
    const [first = '', ...rest] = text.split('\n');
    this.#out.write(`${styleText('yellow', 'warn:', {stream: this.#out})}  ${first}\n`);
    for (const line of rest) this.#out.write(`       ${line}\n`);
  }
}

/** Says nothing; keeps the warnings for the envelope. */
export class JsonReporter implements Reporter {
  readonly warnings: string[] = [];

  heading(): void {}

  step(): void {}

  warn(text: string): void {
    this.warnings.push(text);
  }
}
