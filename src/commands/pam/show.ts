import {EXIT} from '../../errors.js';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';
import {dataDirFlag, joinedConfigFlag} from '../host-flags.js';
import {atMachine, machineFlags} from '../machine.js';

/** `agentless pam show`: see `operations/pam/show.ts`. */
export default class PamShow extends BaseCommand {
  static override summary = 'show what PAM does at a login: what is installed, which rules, which hooks run';

  static override description =
    `Says in which shape our part of PAM is installed, whether sshd comes by it, the rules that sshd runs for a
login in their order, and for each phase of a login the hooks that run, and why others do not.

Local and fast, changes nothing, and works on any host, joined or not. Run as root it sees everything;
without, it says what it could not see. Rules count as reached by a login whose modules all say yes.

Exit codes: 0 what is installed works, or nothing is installed; 3 something keeps it from working, or a
hook from running, each with what to do about it.`;

  static override examples = [
    'sudo <%= config.bin %> pam show',
    'sudo <%= config.bin %> pam show --json | jq -r ".result.hooks[].hooks[] | select(.verdict == \\"runs\\").file"',
  ];

  static override flags = {
    ...joinedConfigFlag,
    ...dataDirFlag,
    ...machineFlags,
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(PamShow);
    const {showPam} = await import('../../operations/pam/show.js');
    const {'openssh-config': config, 'data-dir': dataDir} = flags;
    const report = await atMachine(flags, (host) =>
      showPam(host, {dataDir, ...(config !== undefined && {config})}),
    );
    const status = report.problems.length === 0 ? EXIT.done : EXIT.drift;
    if (!this.jsonEnabled()) {
      const {pamText} = await import('./show-text.js');
      process.stdout.write(pamText(report, process.stdout));
    }
    process.exitCode = status;
    return {changed: false, result: report, status};
  }
}
