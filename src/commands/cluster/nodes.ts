import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';
import type {Outcome} from '../envelope.js';

/** `agentless cluster nodes`: the node records of a development cluster, running or not. */
export default class ClusterNodes extends BaseCommand {
  static override summary = 'list the nodes of the development cluster';

  static override examples = ['<%= config.bin %> cluster nodes --dir ./cluster --json'];

  static override flags = {
    dir: Flags.string({summary: "the cluster's directory", helpValue: 'DIR', default: './agentless-cluster'}),
  };

  async run(): Promise<Outcome> {
    const {flags} = await this.parse(ClusterNodes);
    const {nodes} = await import('../../devcluster/index.js');
    const listed = nodes(flags.dir);
    if (!this.jsonEnabled()) {
      for (const {id, hostname, address, labels} of listed) {
        const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
        process.stdout.write(`${[id, hostname, address, pairs.join(',')].join('  ').trimEnd()}\n`);
      }
    }
    return {changed: false, result: {nodes: listed}};
  }
}
