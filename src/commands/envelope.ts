// The JSON contract: one envelope for every command, success or not. Schemas are in test/golden/schemas/.

import {EXIT, Failure} from '../errors.js';

/** What a command's `run` returns. `status` is the exit code where it is not 0 although nothing failed. */
export interface Outcome<Result extends object = object> {
  readonly changed: boolean;
  readonly result: Result;
  readonly status?: number;
}

const VERSION = 1;

export function successEnvelope(command: string, outcome: Outcome, warnings: readonly string[] = []): object {
  const {changed, result, status = EXIT.done} = outcome;
  return {version: VERSION, command, status, changed, result, warnings};
}

export function errorEnvelope(command: string, error: unknown, warnings: readonly string[] = []): object {
  const failure = error instanceof Failure ? error : undefined;
  return {
    version: VERSION,
    command,
    status: failure?.exitCode ?? EXIT.bug,
    changed: failure?.code === 'RESTORE_INCOMPLETE' || failure?.changed === true,
    error: {
      code: failure?.code ?? 'BUG',
      message: error instanceof Error ? error.message : String(error),
      ...(failure?.hint !== undefined && {hint: failure.hint}),
      ...(failure?.detail !== undefined && {detail: failure.detail}),
      restored: failure?.restored ?? false,
    },
    warnings,
  };
}
