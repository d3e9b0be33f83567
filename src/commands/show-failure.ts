// How an error ends a command. People get `error:` and `hint:`, programs get the envelope; both get the exit code.

import {stripVTControlCharacters, styleText} from 'node:util';
import {EXIT, Failure} from '../errors.js';
import {errorEnvelope} from './envelope.js';

export interface FailureContext {
  readonly json: boolean;
  readonly command: string;
  readonly warnings?: readonly string[];
}

/** Prints the failure and returns the exit code. What is no `Failure` and no usage error is a bug and says so. */
export function showFailure(error: unknown, context: FailureContext): number {
  if (isOclifExit(error)) return error.oclif.exit;
  const failure = asFailure(error);
  if (context.json) {
    process.stdout.write(
      `${JSON.stringify(errorEnvelope(context.command, failure ?? error, context.warnings))}\n`,
    );
  }
  if (failure === undefined) {
    process.stderr.write(bugReport(error));
    return EXIT.bug;
  }
  if (!context.json) process.stderr.write(failureText(failure));
  return failure.exitCode;
}

/** The text form: one error line, other people's words, the hint; continuation lines are aligned. */
export function failureText(failure: Failure): string {
  const lines = [`${red('error:')} ${failure.message}`];
  if (failure.detail !== undefined) lines.push(...block('       ', '       ', failure.detail));
  if (failure.hint !== undefined) lines.push(...block('hint:  ', '       ', failure.hint));
  return `${lines.join('\n')}\n`;
}

function block(first: string, rest: string, text: string): string[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line, index) => `${index === 0 ? first : rest}${line}`);
}

function red(text: string): string {
  return styleText('red', text, {stream: process.stderr});
}

/** oclif's own way to say "stop here, all is well" (help and version end like that). */
function isOclifExit(error: unknown): error is {oclif: {exit: number}} {
  return error instanceof Error && 'code' in error && error.code === 'EEXIT' && 'oclif' in error;
}

/** Parse errors of oclif become usage failures. */
export function asFailure(error: unknown): Failure | undefined {
  if (error instanceof Failure) return error;
  if (!(error instanceof Error) || !('oclif' in error)) return undefined;
  const {message, detail} = usageWords(error.message);
  return new Failure('USAGE', message, {
    hint: 'see `agentless --help`, or `--help` after the command',
    ...(detail !== undefined && {detail}),
    cause: error,
  });
}

/** oclif's words in our form: one line that says what is wrong, the rest under it. */
function usageWords(text: string): {message: string; detail?: string} {
  // On a terminal oclif colours its words.
  const lines = stripVTControlCharacters(text)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('See more help'))
    .map((line) => line.charAt(0).toLowerCase() + line.slice(1))
    // The value of a mistyped flag may be a token.
    .map((line) => (line.startsWith('nonexistent flag') ? line.replace(/=\S*/g, '') : line));
  const listed = /^the following errors? occurred:$/.test(lines[0] ?? '') ? lines.slice(1) : lines;
  const [first = 'wrong usage', ...rest] = listed;
  const flag = /^parsing (--\S+)$/.exec(first)?.[1];
  if (flag !== undefined) return {message: `${flag}: ${rest.join(' ')}`};
  if (rest.length === 0) return {message: first};
  return listed === lines
    ? {message: first, detail: rest.join('\n')}
    : {message: `${listed.length} flags are wrong or missing`, detail: listed.join('\n')};
}

function bugReport(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${red('error:')} this is a bug in agentless; please report it with the lines below\n${stack}\n`;
}
