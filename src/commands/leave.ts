import * as Flags from '@oclif/core/flags';
import {BaseCommand} from './base-command.js';
import {connectionFlags, identityFlag} from './connection-flags.js';
import type {Outcome} from './envelope.js';
import {dataDirFlag, exitCodeFlag, refuseExitCodeAlone, reloadFlags} from './host-flags.js';
import {machineFlags} from './machine.js';
import type {LeaveReport} from './run-leave.js';

/** `agentless leave`: see `operations/leave.ts` for what it does, in order. */
export default class Leave extends BaseCommand {
  static override summary = 'undo the join: this host as it was before, and out of the cluster';

  static override description =
    `Gives sshd back its own configuration and has it taken, removes what the join has written, proves both
by a real handshake, and deletes the node record with the host's own identity. What somebody else
has changed meanwhile stays theirs; only our own lines go. If anything fails, the host stays joined.

Exit codes: 0 left (or not joined), 2 usage, 3 would change (--dry-run --exit-code), 6 host not
suitable, 7 failed and still joined, 8 failed and not fully restored, 130 interrupted and still
joined. A cluster that cannot be reached, or refuses, is a warning: the node record is named then.`;

  static override examples = [
    '<%= config.bin %> leave',
    '<%= config.bin %> leave --dry-run',
    '<%= config.bin %> leave --local',
    '<%= config.bin %> leave --identity ./admin.id',
  ];

  static override flags = {
    ...dataDirFlag,
    ...machineFlags,
    identity: {
      ...identityFlag.identity,
      summary:
        "identity of a person or bot, which deletes the record where this host's own credential cannot",
    },
    local: Flags.boolean({summary: 'do not ask the cluster; the node record stays', default: false}),
    ...reloadFlags('its own configuration again'),
    'dry-run': Flags.boolean({summary: 'show what would be done, change nothing', default: false}),
    ...exitCodeFlag,
    timeout: connectionFlags.timeout,
    yes: Flags.boolean({
      char: 'y',
      summary: 'delete the node record also when this host joined under another host name',
      default: false,
    }),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(Leave);
    refuseExitCodeAlone(flags, 'left');
    const {leaveFromFlags} = await import('./run-leave.js');
    const outcome = await leaveFromFlags(flags, this.reporter, this.interruptible(), this.config.version);
    if (!this.jsonEnabled()) process.stdout.write(`${summary(outcome)}\n`);
    return this.exitBy(flags, outcome);
  }
}

/** The last word to a person. */
function summary({changed, result}: Outcome<LeaveReport>): string {
  if (result.preview !== undefined) return result.preview;
  if (!changed) return 'this host is not joined; nothing to do';
  const {cluster, left, since = '', adopted} = result;
  const before = adopted
    ? 'It had been joined before it was adopted; that is not put back.'
    : `This host is as it was before ${since.slice(0, 10)}.`;
  return left.length === 0
    ? `\nLeft ${cluster}. ${before}`
    : `\nLeft ${cluster}. What stayed here is named above (${left.length}).`;
}
