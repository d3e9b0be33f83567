import * as Flags from '@oclif/core/flags';
import {RESOURCE_FORMS} from '../../operations/emit/node-resource.js';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';
import {dataDirFlag} from '../host-flags.js';
import {nodeIdFlag} from '../join/node-flags.js';

/** `agentless emit node-resource`: the node record as code. */
export default class EmitNodeResource extends BaseCommand {
  static override summary = 'print the node record of a host as code: for tctl, Terraform or the operator';

  static override description =
    `For sites where infrastructure code writes the record and the host must not: the record printed here and the
host agree on the id, the name and the address when the host joins with --no-register and the flags that are
printed along.

With --hostname and --address it is about any host, and asks neither that host nor the cluster. Without them
it is about this host, which has to be joined; its record is read as root. Nothing is changed.`;

  static override examples = [
    '<%= config.bin %> emit node-resource --form terraform --hostname web1 --address 10.0.0.5 --labels env=prod',
    'sudo <%= config.bin %> emit node-resource > web1.yaml',
  ];

  static override flags = {
    form: Flags.option({options: RESOURCE_FORMS})({
      summary: 'what is to read it: YAML for `tctl create`, HCL, or YAML for Kubernetes',
      default: 'tctl',
    }),
    hostname: Flags.string({summary: 'name of the node', helpValue: 'NAME', dependsOn: ['address']}),
    address: Flags.string({
      summary: 'where the proxy dials it; port 22 unless given',
      helpValue: 'HOST[:PORT]',
      dependsOn: ['hostname'],
    }),
    labels: Flags.string({
      summary: 'labels of the node; repeatable; of a joined host in place of its own',
      helpValue: 'k=v',
      multiple: true,
    }),
    ...nodeIdFlag('id of the node, with --hostname', 'a new one'),
    ...dataDirFlag,
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(EmitNodeResource);
    const {emitNodeResource} = await import('./run-emit.js');
    const emitted = await emitNodeResource(flags);
    if (!this.jsonEnabled()) process.stdout.write(emitted.text);
    return {changed: false, result: emitted};
  }
}
