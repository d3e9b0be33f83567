import * as Flags from '@oclif/core/flags';
import {ROTATION_PHASES} from '../../cluster/cluster.js';
import type {Rotated} from '../../devcluster/index.js';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';

const TYPES = ['host', 'openssh'] as const;

/** `agentless cluster rotate`: what `tctl auth rotate --manual` does to a real cluster, phase by phase. */
export default class ClusterRotate extends BaseCommand {
  static override summary = 'take an authority of the development cluster to the next phase of its rotation';

  static override description =
    `A rotation goes init, update_clients, update_servers, standby; rollback leads back to the old keys,
and ends in standby too. The cluster may be running: it sees the change within a second.`;

  static override examples = [
    '<%= config.bin %> cluster rotate --dir ./cluster --type host --phase init',
    '<%= config.bin %> cluster rotate --type openssh --phase update_clients --json',
  ];

  static override flags = {
    dir: Flags.string({summary: "the cluster's directory", helpValue: 'DIR', default: './agentless-cluster'}),
    type: Flags.option({options: TYPES})({
      summary: 'host signs hosts and the cluster itself, openssh signs users for sshd',
      required: true,
    }),
    phase: Flags.option({options: ROTATION_PHASES})({summary: 'phase to enter', required: true}),
  };

  async run(): Promise<Outcome<Rotated>> {
    const {flags} = await this.parse(ClusterRotate);
    const {rotate} = await import('../../devcluster/index.js');
    const rotated = await rotate(flags.dir, flags.type, flags.phase);
    if (!this.jsonEnabled()) process.stdout.write(`${describe(rotated)}\n`);
    return {changed: true, result: rotated};
  }
}

function describe({cluster, type, phase, active, additional}: Rotated): string {
  const trusts = additional.length === 0 ? '' : `, trusts ${additional.join(', ')} too`;
  return `${type} authority of ${cluster}: ${phase}; signs with ${active.join(', ')}${trusts}`;
}
