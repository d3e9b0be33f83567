import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import {connectionFlags, identityFlag} from '../connection-flags.js';
import type {Outcome} from '../envelope.js';

/** `agentless emit ansible-inventory`. */
export default class EmitAnsibleInventory extends BaseCommand {
  static override summary = 'print an inventory for Ansible: the nodes of a cluster, and how ssh gets there';

  static override description =
    `Lists the nodes that an identity may see, or takes the names that are given. Hosts are called NAME.CLUSTER,
and reached by their id, so that neither ports nor capitals nor a name that two nodes have matter; those that
are given by name are reached by name and port.

ssh goes through tsh (\`tsh proxy ssh\`), which needs a \`tsh login\` whose keys are in the ssh agent; or through
whatever --ssh-config says: a file that \`tsh config\` or tbot has written. Values of labels are marked unsafe,
so that Ansible does not take them for templates.`;

  static override examples = [
    '<%= config.bin %> emit ansible-inventory --proxy-server teleport.example.com --identity ./admin.id > cluster.yaml',
    '<%= config.bin %> emit ansible-inventory --proxy-server teleport.example.com --identity ./bot --labels env=prod --ssh-config ./bot/ssh_config',
    '<%= config.bin %> emit ansible-inventory --proxy-server teleport.example.com:443 --cluster example.com --name web1 --name web2:2222',
  ];

  static override flags = {
    ...connectionFlags,
    ...identityFlag,
    name: Flags.string({
      summary: 'a host, in place of what the cluster lists; repeatable; no identity is needed',
      helpValue: 'NAME[:PORT]',
      multiple: true,
      dependsOn: ['cluster'],
    }),
    cluster: Flags.string({
      summary: 'name of the cluster, with --name',
      helpValue: 'CLUSTER',
      dependsOn: ['name'],
    }),
    labels: Flags.string({
      summary: 'only nodes that have these labels; repeatable',
      helpValue: 'k=v',
      multiple: true,
      exclusive: ['name'],
    }),
    format: Flags.option({options: ['yaml', 'json'] as const})({
      summary: 'how it is written; Ansible reads either',
      default: 'yaml',
    }),
    group: Flags.string({summary: 'name of the group of all hosts', helpValue: 'NAME', default: 'teleport'}),
    'ssh-config': Flags.string({
      summary: 'configuration of ssh that knows the way',
      helpValue: 'FILE',
      defaultHelp: async () => 'none: tsh is called',
    }),
    login: Flags.string({summary: 'as whom Ansible logs in', helpValue: 'LOGIN'}),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(EmitAnsibleInventory);
    const {emitInventory} = await import('./run-emit.js');
    const emitted = await emitInventory(flags, this.surroundings, this.interruptible());
    if (!this.jsonEnabled()) process.stdout.write(emitted.text);
    return {changed: false, result: emitted};
  }
}
