import {BaseCommand} from './base-command.js';
import type {Outcome} from './envelope.js';
import {refuseExitCodeAlone} from './host-flags.js';
import {admissionFrom} from './join/admission.js';
import JoinOpenssh from './join/openssh.js';
import type {JoinReport} from './join/run-join.js';

// What is only there because Teleport's own command has it.
const {debug: _debug, ...flags} = JoinOpenssh.flags;

/** `agentless adopt`: a join that goes on from an earlier one by others; see `operations/adopt/adopt.ts`. */
export default class Adopt extends BaseCommand {
  static override summary = 'take over a host that was joined by hand or by `teleport join openssh`';

  static override description =
    `Does what \`join openssh\` does, as the node that this host is already: the record keeps its id and, unless
flags say otherwise, its name, address and labels. Lines of the earlier join go out of sshd's
configuration; every host key that clients know is served as before, and other user authorities stay
trusted. All of it is rehearsed first, and undone to the byte if anything fails. Files of the earlier
join that nothing names any more are left where they are, and told. \`leave\` gives a host that is in no
cluster: it does not bring the earlier join back.

Exit codes: as of \`join openssh\`; 6 where there is nothing to adopt.`;

  static override examples = [
    '<%= config.bin %> adopt --proxy-server teleport.example.com --token-file /root/node.token',
    '<%= config.bin %> adopt --proxy-server teleport.example.com --identity ./admin.id --dry-run',
  ];

  static override flags = flags;

  async run(): Promise<Outcome> {
    const {flags, raw} = await this.parse(Adopt);
    refuseExitCodeAlone(flags, 'adopted');
    const {joinFromFlags} = await import('./join/run-join.js');
    const typed = new Set(raw.flatMap((token) => (token.type === 'flag' ? [token.flag] : [])));
    const admission = await admissionFrom(flags, typed, (text) => this.reporter.warn(text));
    const outcome = await joinFromFlags(
      {...flags, adopt: true},
      admission,
      this.reporter,
      this.interruptible(),
      this.config.version,
    );
    if (!this.jsonEnabled()) process.stdout.write(`${summary(outcome)}\n`);
    return this.exitBy(flags, outcome);
  }
}

/** The last word to a person. */
function summary({changed, result}: Outcome<JoinReport>): string {
  if (result.preview !== undefined) return result.preview;
  const {node, cluster, adopted} = result;
  if (!changed || adopted === undefined)
    return `\n${node.hostname} is joined to ${cluster} and adopted already; nothing to change.`;
  const keys = adopted.hostKeys.length === 0 ? [] : [`Serves for good:   ${adopted.hostKeys.join(', ')}`];
  const unused = adopted.unused.length === 0 ? [] : [`No longer needed:  ${adopted.unused.join(', ')}`];
  return [`\nAdopted ${node.hostname} as node ${node.id} of ${cluster}.`, ...keys, ...unused].join('\n');
}
