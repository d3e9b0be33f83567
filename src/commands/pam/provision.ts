import * as Args from '@oclif/core/args';
import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';
import {exitCodeFlag, refuseExitCodeAlone} from '../host-flags.js';
import {machineFlags} from '../machine.js';

/** `agentless pam provision`: see `operations/pam/provision.ts`. */
export default class PamProvision extends BaseCommand {
  static override summary = 'make accounts beforehand, for sshd refuses a login that this host does not know';

  static override description =
    `A stock sshd refuses an unknown login before it asks PAM or any program, so no account can be made while
its first login is waiting: it has to exist before. An account that exists, from whatever source, is
left exactly as it is. A new one has no password that would match, gets in by certificate or key alone,
and has the shell, home and skeleton that the platform gives (useradd, else BusyBox's adduser).

Each account is made whole or not at all; when one fails, those made before it stay, and a second run
goes on from there. \`agentless leave\` removes no account: people may have files by then.

Exit codes: 0 they exist, 2 usage (a name that is no login), 3 would change (--dry-run --exit-code),
6 host not suitable, 7 an account failed and is gone again, 8 failed and not fully removed,
130 interrupted.`;

  static override examples = [
    'sudo <%= config.bin %> pam provision alice bob',
    'sudo <%= config.bin %> pam provision alice,bob --groups adm --shell /bin/bash',
    'sudo <%= config.bin %> pam provision carl --from-template ubuntu --dry-run',
  ];

  static override args = {
    logins: Args.string({
      description: 'names of the accounts, also between commas: a-z, 0-9, _ and -',
      required: true,
      multiple: true,
      ignoreStdin: true,
    }),
  };

  static override flags = {
    'from-template': Flags.string({
      summary: 'an account whose shell, groups and place of its home new ones get; flags say otherwise',
      helpValue: 'LOGIN',
    }),
    shell: Flags.string({
      summary: 'their shell',
      helpValue: 'PATH',
      defaultHelp: async () => "the template's, else as the platform has it",
    }),
    groups: Flags.string({
      summary: 'groups besides their own, which have to exist; "" for none',
      helpValue: 'a,b',
      defaultHelp: async () => "the template's, else none",
    }),
    home: Flags.boolean({summary: 'make each a home', default: true, allowNo: true}),
    'dry-run': Flags.boolean({summary: 'show what would be run, change nothing', default: false}),
    ...exitCodeFlag,
    ...machineFlags,
  };

  async run(): Promise<Outcome> {
    const {args, flags} = await this.parse(PamProvision);
    refuseExitCodeAlone(flags, 'changed');
    const {provisionFromFlags, provisionText} = await import('./run-provision.js');
    const outcome = await provisionFromFlags(args.logins, flags, this.reporter, this.interruptible());
    if (!this.jsonEnabled()) process.stdout.write(provisionText(outcome.result, flags['dry-run']));
    return this.exitBy(flags, outcome);
  }
}
