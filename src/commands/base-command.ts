// What every command shares: --json with one envelope, errors to exit codes, a reporter, and signals that let a change
// be undone before the process ends.

import {Command} from '@oclif/core/command';
import * as Flags from '@oclif/core/flags';
import type * as Interfaces from '@oclif/core/interfaces';
import {EXIT} from '../errors.js';
import {type Outcome, successEnvelope} from './envelope.js';
import {JsonReporter, TextReporter} from './reporter.js';
import {showFailure} from './show-failure.js';

export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true;

  // In the place of oclif's own, which it lists wherever JSON is enabled.
  static override baseFlags: Record<string, Interfaces.BooleanFlag<boolean>> = {
    json: Flags.boolean({summary: 'print one JSON envelope, for programs', helpGroup: 'GLOBAL'}),
  };

  readonly #abort = new AbortController();
  #reporter: TextReporter | JsonReporter | undefined;

  /** Draws for a person, or stays silent under --json. */
  protected get reporter(): TextReporter | JsonReporter {
    this.#reporter ??= this.jsonEnabled() ? new JsonReporter() : new TextReporter();
    return this.#reporter;
  }

  /** Aborts on the first SIGINT or SIGTERM; later ones are ignored while things are being put back. */
  protected interruptible(): AbortSignal {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => this.#abort.abort(signal));
    return this.#abort.signal;
  }

  /** What a connection to a cluster wants to know of the command that opens it. */
  protected get surroundings(): {readonly clientVersion: string; readonly warn: (text: string) => void} {
    return {clientVersion: this.config.version, warn: (text) => this.reporter.warn(text)};
  }

  /** The command as typed: "join openssh". */
  protected get spaced(): string {
    return (this.id ?? '').replaceAll(':', ' ');
  }

  /** The outcome under --exit-code, where it says by 3 that something would change. */
  protected exitBy(flags: {readonly 'exit-code': boolean}, outcome: Outcome): Outcome {
    if (!flags['exit-code'] || !outcome.changed) return outcome;
    process.exitCode = EXIT.drift;
    return {...outcome, status: EXIT.drift};
  }

  abstract override run(): Promise<Outcome | undefined>;

  protected override toSuccessJson(outcome: Outcome): object {
    return successEnvelope(this.spaced, outcome, this.#reporter?.warnings);
  }

  protected override async catch(error: Error): Promise<void> {
    process.exitCode = showFailure(error, {
      json: this.jsonEnabled(),
      command: this.spaced,
      warnings: this.#reporter?.warnings ?? [],
    });
  }

  protected override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json)}\n`);
  }
}
