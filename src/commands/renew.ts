import * as Flags from '@oclif/core/flags';
import {EXIT, Failure} from '../errors.js';
import {rotationLines} from '../operations/rotation-phases.js';
import {commandsFor} from '../operations/status/problem.js';
import {parseInterval} from '../operations/timer/interval.js';
import {BaseCommand} from './base-command.js';
import {connectionFlags, identityFlag} from './connection-flags.js';
import type {Outcome} from './envelope.js';
import {dataDirFlag, reloadFlags} from './host-flags.js';
import {machineFlags} from './machine.js';
import type {RenewFlags, RenewReport} from './run-renew.js';

const {'proxy-server': _, ...trustFlags} = connectionFlags;

/** `agentless renew`: see `operations/renew.ts`. */
export default class Renew extends BaseCommand {
  static override summary =
    'renew what is due on this joined host: certificates, user CA, node record; no token needed';

  static override description =
    `Asks the cluster with this host's own identity. What is still right is kept; where nothing is due
nothing is written and sshd is not reloaded, so a timer may run this as often as it likes. Right in
every phase of a rotation of the cluster's authorities, also when phases were missed.

A host that keeps no credential (join --discard-identity, --manual) is renewed with --identity; without
it that is wrong usage.

Exit codes: 0 renewed (or nothing due), 2 usage, 3 due (--check), not joined, or our lines are missing
from sshd's configuration (put back with --repair), 4 the cluster no longer accepts this host: join
again with a token, 5 cluster unreachable or not trusted, 6 host not suitable, 7 failed and restored,
8 failed and not fully restored, 130 interrupted and restored.`;

  static override examples = [
    'sudo <%= config.bin %> renew',
    'sudo <%= config.bin %> renew --check --json | jq -r ".result.due[]"',
    'sudo <%= config.bin %> renew --repair',
    'sudo <%= config.bin %> renew --install-timer --every 1h',
  ];

  static override flags = {
    ...trustFlags,
    identity: {
      ...identityFlag.identity,
      summary: 'identity of a person or bot, which speaks for a host that keeps no credential',
    },
    check: Flags.boolean({
      summary: 'only tell what is due, which phase a rotation is in, and by when; exit 3 when something is',
      default: false,
    }),
    repair: Flags.boolean({
      summary: "also put our lines back into sshd's configuration where somebody has taken them out",
      default: false,
    }),
    'allow-fewer-names': Flags.boolean({
      summary: 'new certificates may leave out names of the old ones',
      default: false,
    }),
    'install-timer': Flags.boolean({
      summary: 'have this called by the clock from now on: a timer of systemd, else a line of cron',
      default: false,
    }),
    every: Flags.string({
      summary: 'with --install-timer: how often; it costs nothing where nothing is due',
      helpValue: '1h',
      defaultHelp: async () => 'as it is installed, else 1h',
    }),
    'remove-timer': Flags.boolean({summary: 'take that timer away again', default: false}),
    ...dataDirFlag,
    ...machineFlags,
    ...reloadFlags('new certificates'),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(Renew);
    refuseNonsense(flags);
    const {renewFromFlags} = await import('./run-renew.js');
    const outcome = await renewFromFlags(flags, this.reporter, this.interruptible(), this.config.version);
    if (!this.jsonEnabled()) process.stdout.write(`${summary(outcome.result, outcome.changed, flags)}\n`);
    const {due, drift} = outcome.result;
    const status = drift.length > 0 || (flags.check && due.length > 0) ? EXIT.drift : EXIT.done;
    process.exitCode = status;
    return {...outcome, status};
  }
}

/** oclif takes a default for given, so its own rules about flags that exclude each other say nothing. */
function refuseNonsense(flags: RenewFlags): void {
  const timer = [
    flags['install-timer'] && '--install-timer',
    flags['remove-timer'] && '--remove-timer',
  ].filter(Boolean);
  const hint = 'see `agentless renew --help`';
  if (timer.length > 1) throw new Failure('USAGE', `${timer.join(' and ')} cannot both be meant`, {hint});
  if (timer.length > 0 && flags.check)
    throw new Failure('USAGE', `--check changes nothing, so it does not go with ${timer[0]}`, {hint});
  if (flags.every !== undefined && !flags['install-timer'])
    throw new Failure('USAGE', '--every goes with --install-timer', {hint});
  if (flags.every !== undefined) parseInterval(flags.every);
}

/** The last word to a person: what was or is due, then what else there is to know. */
function summary(renewal: RenewReport, changed: boolean, flags: RenewFlags): string {
  const {hostname, due, drift, repaired, rotation, timer} = renewal;
  const {repair} = commandsFor({dataDir: flags['data-dir']}, flags.identity ? {identity: 'discarded'} : {});
  const lines = [...due, ...repaired.map((path) => `${path} has our lines again`)];
  const lost = drift.map((path) => `  ${path} lacks our lines, or has others; put them back with: ${repair}`);
  const first = lines.length > 0 ? '' : `Nothing is due on ${hostname}, but `;
  return [
    '',
    ...(lines.length > 0 || lost.length === 0 ? [headline(renewal, changed, flags.check)] : []),
    ...lines.map((line) => `  ${line}`),
    ...(lost.length > 0 ? [`${first}sshd does not read all of our lines:`, ...lost] : []),
    ...(timer === undefined ? [] : [`Renewed by the clock: ${timer}`]),
    ...rotationLines(rotation, flags.check && due.length > 0).map((line) => `Under way: ${line}`),
  ].join('\n');
}

function headline({hostname, due, repaired}: RenewReport, changed: boolean, check: boolean): string {
  if (check) return due.length > 0 ? `Due on ${hostname}:` : `Nothing is due on ${hostname}.`;
  if (repaired.length > 0) return `Repaired ${hostname}. What was wrong:`;
  return changed && due.length > 0
    ? `Renewed ${hostname}. What was due:`
    : `${hostname} is up to date; nothing to renew.`;
}
