// From flags to the operation, and how its outcome reads. Loaded only when accounts are really asked for, so that help
// stays quick.

import type {Command} from '../../host/account-commands.js';
import {type Provisioned, type ProvisionedAccount, provision} from '../../operations/pam/provision.js';
import {shellLine} from '../../operations/timer/quote.js';
import type {Outcome} from '../envelope.js';
import {atMachine, type MachineFlags} from '../machine.js';
import type {TextReporter} from '../reporter.js';

/** The flags of `pam provision` as parsed. */
export interface ProvisionFlags extends MachineFlags {
  readonly 'from-template': string | undefined;
  readonly shell: string | undefined;
  readonly groups: string | undefined;
  readonly home: boolean;
  readonly 'dry-run': boolean;
}

/** The `result` of the envelope. */
export type ProvisionReport = Omit<Provisioned, 'changed'>;

export async function provisionFromFlags(
  logins: readonly string[],
  {'from-template': template, shell, groups, home, 'dry-run': dryRun, ...machine}: ProvisionFlags,
  report: Pick<TextReporter, 'warn'>,
  signal: AbortSignal,
): Promise<Outcome<ProvisionReport>> {
  const provisioning = atMachine({...machine, signal}, (host) =>
    provision(
      {host, report, signal},
      {
        logins,
        ...(template !== undefined && {template}),
        ...(shell !== undefined && {shell}),
        ...(groups !== undefined && {groups: [groups]}),
        home,
        dryRun,
      },
    ),
  );
  const {changed, ...result} = await provisioning;
  return {changed, result};
}

const VERBS = {created: 'created', exists: 'exists', missing: 'create'} as const;
const VERB_WIDTH = 10;

/** A line for each account, ends in a newline. */
export function provisionText({accounts}: ProvisionReport, dryRun: boolean): string {
  const missing = accounts.some(({state}) => state === 'missing');
  const head = dryRun ? [missing ? 'Nothing has been changed.' : 'Nothing would change.', ''] : [];
  const width = Math.max(...accounts.map(({login}) => login.length));
  const lines = accounts.flatMap((account) => {
    const label = `  ${VERBS[account.state].padEnd(VERB_WIDTH)} ${account.login.padEnd(width)}  `;
    return detailsOf(account).map((text, index) => (index === 0 ? label : ' '.repeat(label.length)) + text);
  });
  return `${[...head, ...lines].join('\n')}\n`;
}

function detailsOf({uid, home, shell, groups, commands}: ProvisionedAccount): readonly string[] {
  if (commands !== undefined) return commands.map(commandLine);
  const into = groups.length === 0 ? [] : [`in ${groups.join(', ')}`];
  return [[`uid ${uid}`, home, shell, ...into].join(', ')];
}

function commandLine({argv, input}: Command): string {
  const line = shellLine(argv);
  return input === undefined ? line : `echo ${shellLine([input.trimEnd()])} | ${line}`;
}
