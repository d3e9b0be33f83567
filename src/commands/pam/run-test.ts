// From flags to the operation, and how its outcome reads. Loaded only when hooks are really tried, so that help stays
// quick.

import {resolve} from 'node:path';
import {styleText} from 'node:util';
import {type Phase, printable} from '../../operations/pam/hooks.js';
import {PHASES} from '../../operations/pam/places.js';
import {type Trial, type TriedPhase, tryHooks} from '../../operations/pam/trial.js';
import type {HookRecord} from '../../operations/pam/watched.js';
import type {Outcome} from '../envelope.js';
import {atMachine, type MachineFlags} from '../machine.js';
import type {TextReporter} from '../reporter.js';

/** The flags of `pam test` as parsed. */
export interface TestFlags extends MachineFlags {
  readonly login: string;
  readonly cert: string | undefined;
  readonly user: string | undefined;
  readonly role: readonly string[] | undefined;
  readonly phase: readonly Phase[] | undefined;
  readonly 'dry-run': boolean;
  readonly 'openssh-config': string | undefined;
  readonly 'data-dir': string;
}

/** What hooks change is theirs: where one has run, something may have changed. */
export async function testFromFlags(
  {login, cert, user = 'agentless-test', role: roles = [], phase, ...flags}: TestFlags,
  report: Pick<TextReporter, 'warn'>,
  signal: AbortSignal,
): Promise<Outcome<Trial>> {
  const {'dry-run': dryRun, 'openssh-config': config, 'data-dir': dataDir} = flags;
  const result = await atMachine({...flags, signal}, (host) =>
    tryHooks(
      {host, report, signal},
      {
        login,
        user,
        roles,
        // In the order of a login, whatever the order of the words.
        phases: PHASES.filter((one) => phase?.includes(one) ?? true),
        ...(cert !== undefined && {certificate: resolve(cert)}),
        dryRun,
        dataDir,
        ...(config !== undefined && {config}),
      },
    ),
  );
  return {changed: !dryRun && result.phases.some(({hooks}) => hooks.length > 0), result};
}

/** Whether a hook has, or the script by itself. */
export function failed({phases}: Trial): boolean {
  return phases.some(({status}) => status !== 0);
}

const WORD_WIDTH = 9;
const LONGEST_VALUE = 200;
const MOST_LINES = 20;

/** Ends in a newline. Colour only where the stream is a terminal. */
export function testText(trial: Trial, dryRun: boolean, out: NodeJS.WriteStream): string {
  const blocks = trial.phases.map((phase) => phaseLines(phase, trial, dryRun, out).join('\n'));
  return `${[headline(trial, dryRun), ...blocks].join('\n\n')}\n`;
}

function headline({login, certificate: {file, user = 'somebody', roles}}: Trial, dryRun: boolean): string {
  const having =
    roles === undefined ? '' : roles.length === 0 ? ' without roles' : ` with ${roles.join(', ')}`;
  const by = file === undefined ? 'a throw-away certificate' : file;
  const done = dryRun ? 'No hook was run.' : 'Hooks ran for real.';
  return `A login as ${login} by ${printable(`${user}${having}`)}, with ${by}. ${done}`;
}

function phaseLines(
  {phase, status, hooks, leftOut, shown, log, note}: TriedPhase,
  {required}: Trial,
  dryRun: boolean,
  out: NodeJS.WriteStream,
): string[] {
  const bad = status !== 0;
  const refused =
    bad && required === true && phase !== 'close_session' ? ', so PAM would refuse the login' : '';
  const ended = status === undefined ? 'took too long' : `exit status ${status}`;
  const [first] = hooks;
  // What the script says of hooks that it leaves out stands in their lines.
  const said = log.filter((line) => !/^\S+: left out, /.test(line));
  return [
    `${phase}  ${dryRun && !bad ? '' : ended}${refused}`.trimEnd(),
    ...(first === undefined ? [] : variableLines(first, out)),
    ...hooks.flatMap((hook) => hookLines(hook, dryRun, out)),
    ...leftOut.map(({name, reason}) => row('left out', `${printable(name)}  ${reason ?? ''}`, 'yellow', out)),
    ...(hooks.length + leftOut.length === 0 && note === undefined ? ['  no hook'] : []),
    ...said.map((line) => row('log', line, undefined, out)),
    ...cut(linesOf(shown)).map((line) => row('shown', printable(line), undefined, out)),
    ...(note === undefined ? [] : [row('note', note, undefined, out)]),
  ];
}

/** All hooks of a phase get the same. */
function variableLines({variables}: HookRecord, out: NodeJS.WriteStream): string[] {
  return Object.entries(variables)
    .filter(([name]) => /^(TELEPORT|PAM)_|^SSH_CONNECTION$/.test(name))
    .map(([name, value]) => {
      const rest = value.length - LONGEST_VALUE;
      const text = rest > 0 ? `${value.slice(0, LONGEST_VALUE)}… and ${rest} characters more` : value;
      return `    ${styleText('dim', `${name}=${printable(text)}`, {stream: out})}`;
    });
}

function hookLines(
  {name, file, real, status, seconds, log}: HookRecord,
  dryRun: boolean,
  out: NodeJS.WriteStream,
) {
  const link = real === file ? '' : ` -> ${printable(real)}`;
  if (dryRun) return [row('would run', `${printable(name)}${link}`, undefined, out)];
  const took = seconds === undefined ? '' : `, ${seconds.toFixed(2)} s`;
  const ended =
    status === undefined ? 'cut off' : status === 124 ? 'out of time (124)' : `exit status ${status}`;
  const word = status === 0 ? 'ok' : 'fail';
  const lines = log.map((line) => (line.startsWith(`${name}: `) ? line.slice(name.length + 2) : line));
  return [
    row(word, `${printable(name)}${link}  ${ended}${took}`, status === 0 ? 'green' : 'red', out),
    ...cut(lines).map((line) => `  ${''.padEnd(WORD_WIDTH)} | ${line}`),
  ];
}

function row(
  word: string,
  text: string,
  colour: 'green' | 'red' | 'yellow' | undefined,
  out: NodeJS.WriteStream,
) {
  const padded = word.padEnd(WORD_WIDTH);
  return `  ${colour === undefined ? padded : styleText(colour, padded, {stream: out})} ${text}`;
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

function cut(lines: readonly string[]): readonly string[] {
  const rest = lines.length - MOST_LINES;
  return rest > 0 ? [...lines.slice(0, MOST_LINES), `… and ${rest} lines more`] : lines;
}
