// Several private sshds as the hosts of one inventory, an embedded cluster, and plays over them.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {type PrivateSshd, startPrivateSshd} from '../../src/demo/private-sshd.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {ansibleProgram, type Played, runAnsible} from './ansible.js';
import {PROGRAM} from './cli.js';
import {type TemporaryCluster, temporaryCluster} from './dev-cluster.js';
import {ALICE} from './identity.js';
import {admitting} from './remote-target.js';
import {patientConfig} from './sshd-version.js';
import {hostTree} from './stage.js';
import type {Leaf} from './tree.js';

export interface FleetHost {
  readonly name: string;
  readonly directory: string;
  readonly sshd: PrivateSshd;
}

export class Fleet {
  private constructor(
    readonly root: string,
    readonly cluster: TemporaryCluster,
    readonly hosts: readonly FleetHost[],
    /** Identity file of alice, who may do all that is ever needed. */
    readonly identity: string,
  ) {}

  /** Hosts web1, web2 … */
  static async start(size: number, options: Partial<ClusterOptions> = {}): Promise<Fleet> {
    const root = mkdtempSync('/tmp/agentless-fleet-');
    const cluster = await temporaryCluster(options);
    const stock = [...admitting(root), 'UsePAM no', patientConfig()].join('\n');
    const hosts: FleetHost[] = [];
    for (let number = 1; number <= size; number++) {
      const name = `web${number}`;
      const directory = join(root, name);
      const program = process.env['SSHD'];
      const sshd = await startPrivateSshd({
        directory: join(directory, 'etc'),
        program,
        stock,
        keyTypes: ['ed25519'],
      });
      hosts.push({name, directory, sshd});
    }
    const identity = join(root, 'alice.id');
    writeFileSync(identity, await cluster.identity(ALICE), {mode: 0o600});
    const fleet = new Fleet(root, cluster, hosts, identity);
    fleet.write();
    return fleet;
  }

  async stop(): Promise<void> {
    await Promise.all(this.hosts.map(({sshd}) => sshd.stop()));
    await this.cluster.stop();
    rmSync(this.root, {recursive: true, force: true});
  }

  /** Plays the role over all hosts. `play`: further keys of the play, `vars`: variables of the role. */
  play(
    vars: Readonly<Record<string, unknown>>,
    {words = [], keys = {}, forks = 3}: {words?: readonly string[]; keys?: object; forks?: number} = {},
  ): Promise<Played> {
    const program = ansibleProgram('ansible-playbook');
    if (program === undefined) throw new Error('no ansible-playbook');
    const playbook = join(this.root, 'play.yml');
    const roles = [{role: 'agentless.openssh.agentless'}];
    writeFileSync(playbook, JSON.stringify([{hosts: 'all', gather_facts: false, ...keys, roles}]));
    // A file, as with vault: what is on the command line is no secret.
    const values = join(this.root, 'vars.json');
    writeFileSync(values, JSON.stringify(vars), {mode: 0o600});
    const all = ['-i', join(this.root, 'inventory.json'), '-e', `@${values}`, '-f', String(forks), ...words];
    return runAnsible(program, [...all, playbook], this.root);
  }

  /** Everything that a join may change on each host, by name. */
  async trees(): Promise<Record<string, Record<string, Leaf>>> {
    const trees = this.hosts.map(
      async ({name, directory}) => [name, await hostTree(join(directory, 'etc'))] as const,
    );
    return Object.fromEntries(await Promise.all(trees));
  }

  get nodes(): string[] {
    return this.cluster.nodes().map(({hostname}) => hostname);
  }

  /** Joins that the cluster was asked for at the endpoint for tokens. */
  get joins(): number {
    return this.cluster.stats.requests['POST /webapi/host/credentials'] ?? 0;
  }

  private write(): void {
    const client = join(this.root, 'client');
    const known = join(client, 'known_hosts');
    const lines = this.hosts.flatMap(({sshd}) =>
      sshd.hostKeys.map((key) => `[127.0.0.1]:${sshd.port} ${key}\n`),
    );
    writeFileSync(known, lines.join(''));
    const hosts = this.hosts.map(({name, directory, sshd}) => {
      const vars = {
        ansible_port: sshd.port,
        agentless_hostname: name,
        agentless_openssh_config: sshd.config,
        agentless_data_dir: join(directory, 'data'),
      };
      return [name, vars] as const;
    });
    const vars = {
      ansible_host: '127.0.0.1',
      ansible_user: userInfo().username,
      ansible_ssh_private_key_file: join(client, 'id'),
      ansible_ssh_common_args: `-o UserKnownHostsFile=${known} -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes`,
      agentless_command: [process.execPath, PROGRAM],
      agentless_host_command: [process.execPath, PROGRAM],
      agentless_proxy_server: this.cluster.proxy,
      agentless_ca_file: [this.cluster.caFile],
    };
    const inventory = {all: {hosts: Object.fromEntries(hosts), vars}};
    writeFileSync(join(this.root, 'inventory.json'), JSON.stringify(inventory));
  }
}
