import * as Flags from '@oclif/core/flags';
import {EXIT} from '../../errors.js';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';
import {dataDirFlag, joinedConfigFlag} from '../host-flags.js';
import {machineFlags} from '../machine.js';

/** `agentless pam test`: see `operations/pam/trial.ts`. */
export default class PamTest extends BaseCommand {
  static override summary = 'run the hooks as they run at a login, and show what each gets and says';

  static override description =
    `The installed script runs as sshd has PAM run it, in each phase of a login, and it runs the hooks FOR REAL,
as root: groups, homes and whatever else they change is changed. With --dry-run they are listed with the
variables that they would get, and not run.

The certificate is that of --cert, which has to be signed by the cluster as at a login, or a throw-away one
for --user with each --role, which the script is told to believe for this once. A login that this host does
not know is tried as well, with a warning. What the script would write to syslog is shown here instead.

Exit codes: 0 every hook ended with 0, 2 usage, 3 a hook failed, 6 not root, or no script is installed,
130 interrupted.`;

  static override examples = [
    'sudo <%= config.bin %> pam test --login root --role access --role dba',
    'sudo <%= config.bin %> pam test --login deploy --cert ~/key-cert.pub --dry-run',
    'sudo <%= config.bin %> pam test --login root --phase open_session --json | jq ".result.phases[].hooks"',
  ];

  static override flags = {
    login: Flags.string({
      summary: 'account of this host that is logged in to',
      helpValue: 'NAME',
      required: true,
    }),
    cert: Flags.file({
      summary: 'certificate of a user, as tsh or tbot writes it',
      helpValue: 'FILE',
      exclusive: ['user', 'role'],
    }),
    user: Flags.string({
      summary: 'Teleport user of the throw-away certificate',
      helpValue: 'NAME',
      defaultHelp: async () => 'agentless-test',
    }),
    role: Flags.string({
      summary: 'role of the throw-away certificate; repeatable',
      helpValue: 'NAME',
      multiple: true,
      defaultHelp: async () => 'none',
    }),
    phase: Flags.option({
      summary: 'one phase only; repeatable',
      options: ['account', 'open_session', 'close_session'] as const,
      multiple: true,
      defaultHelp: async () => 'all three, in order',
    })(),
    'dry-run': Flags.boolean({summary: 'list the hooks with their variables, run none', default: false}),
    ...joinedConfigFlag,
    ...dataDirFlag,
    ...machineFlags,
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(PamTest);
    const {failed, testFromFlags, testText} = await import('./run-test.js');
    const outcome = await testFromFlags(flags, this.reporter, this.interruptible());
    if (!this.jsonEnabled()) process.stdout.write(testText(outcome.result, flags['dry-run'], process.stdout));
    const status = failed(outcome.result) ? EXIT.drift : EXIT.done;
    process.exitCode = status;
    return {...outcome, status};
  }
}
