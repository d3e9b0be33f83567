import * as Flags from '@oclif/core/flags';
import {BaseCommand} from '../base-command.js';

const SUITES = ['legacy', 'balanced-v1', 'fips-v1', 'hsm-v1'] as const;

/** `agentless cluster start`: runs until SIGTERM or SIGINT; one line of JSON on stdout says where. */
export default class ClusterStart extends BaseCommand {
  static override enableJsonFlag = false;
  static override baseFlags = {};

  static override summary = 'run a development cluster on this machine';

  static override description =
    `Runs a small cluster with its own authorities, on loopback only, until it is interrupted. When it
is ready, one line of JSON on standard output names the proxy, Auth, the file for --ca-file, the CA
pin and a node token that is valid for an hour. Its keys lie unprotected in the directory: it is for
development and tests.`;

  static override examples = ['<%= config.bin %> cluster start --dir ./cluster --name dev.example'];

  static override flags = {
    dir: Flags.string({
      summary: 'where the cluster keeps its keys, tokens and nodes; a restart finds them again',
      helpValue: 'DIR',
      default: './agentless-cluster',
    }),
    name: Flags.string({
      summary: 'name of the cluster',
      helpValue: 'NAME',
      defaultHelp: async () => 'dev.example',
    }),
    listen: Flags.string({
      summary: 'where the proxy listens; loopback only, port 0 takes a free one',
      helpValue: 'HOST:PORT',
      defaultHelp: async () => 'the address of the last start, else 127.0.0.1:0',
    }),
    suite: Flags.option({options: SUITES})({
      summary: 'signature suite of a new cluster',
      defaultHelp: async () => 'balanced-v1',
    }),
    lag: Flags.boolean({
      summary: 'let reads lag behind writes, as a real cluster does',
      default: true,
      allowNo: true,
    }),
    limits: Flags.boolean({
      summary: 'limit the rate of requests, as a real cluster does',
      default: true,
      allowNo: true,
    }),
  };

  async run(): Promise<undefined> {
    const {flags} = await this.parse(ClusterStart);
    const interrupted = this.interruptible();
    const {startCluster} = await import('../../devcluster/index.js');
    const {name, listen, suite, ...rest} = flags;
    const cluster = await startCluster({
      ...rest,
      ...(name !== undefined && {name}),
      ...(listen !== undefined && {listen}),
      ...(suite !== undefined && {suite}),
    });
    const {proxy, auth, caFile, caPin, token, dir} = cluster;
    const line = {cluster: cluster.name, proxy, auth, ca_file: caFile, ca_pin: caPin, token, dir};
    process.stderr.write(`development cluster ${cluster.name} on ${proxy}: for development and tests only\n`);
    process.stdout.write(`${JSON.stringify(line)}\n`);
    if (!interrupted.aborted) {
      await new Promise((resolve) => interrupted.addEventListener('abort', resolve, {once: true}));
    }
    await cluster.close();
    return undefined;
  }
}
