// An inventory for Ansible: the nodes of a cluster under names that no other cluster has, and how ssh gets there through
// the proxy. Pure.

import type {Node} from '../../cluster/cluster.js';
import {Failure} from '../../errors.js';
import {parseAddress} from '../../ssh/address.js';
import {checkNodeName} from '../../ssh/principals.js';
import {shellLine} from '../timer/quote.js';
import {quoted} from './quote.js';

export interface InventoryHost {
  /** NAME.CLUSTER; ID.CLUSTER where several nodes have the name. */
  readonly name: string;
  readonly vars: {
    readonly ansible_host: string;
    readonly ansible_port?: number;
    readonly teleport_node_id?: string;
    readonly teleport_address?: string;
    /** Values are others' to choose, and Ansible shall not take them for templates. */
    readonly teleport_labels?: Readonly<Record<string, string>>;
  };
}

export interface Route {
  readonly cluster: string;
  /** host:port. */
  readonly proxy: string;
  /** A configuration of ssh that knows the way, as `tsh config` prints it; absent: tsh is called. */
  readonly sshConfig?: string | undefined;
  readonly login?: string | undefined;
}

export interface Inventory {
  readonly group: string;
  readonly vars: Readonly<Record<string, string>>;
  readonly hosts: readonly InventoryHost[];
}

/** Nodes whose name or id is none are left out; `skipped` is how they are called. */
export function hostsOf(
  nodes: readonly Node[],
  cluster: string,
): {readonly hosts: readonly InventoryHost[]; readonly skipped: readonly string[]} {
  const isUsable = ({id, hostname}: Node) =>
    checkNodeName(hostname) === undefined && /^[\w-]{1,128}$/.test(id);
  const usable = nodes.filter(isUsable);
  const times = new Map<string, number>();
  for (const {hostname} of usable)
    times.set(hostname.toLowerCase(), (times.get(hostname.toLowerCase()) ?? 0) + 1);
  const hosts = usable.map(({id, hostname, address, labels}): InventoryHost => {
    const isUnique = times.get(hostname.toLowerCase()) === 1;
    return {
      name: `${isUnique ? hostname : id}.${cluster}`,
      vars: {
        // By id: whatever the port, the case of the name, or another node of that name.
        ansible_host: `${id}.${cluster}`,
        teleport_node_id: id,
        ...(address !== '' && {teleport_address: address}),
        teleport_labels: labels,
      },
    };
  });
  hosts.sort((one, other) => (one.name < other.name ? -1 : 1));
  return {
    hosts,
    skipped: nodes.filter((node) => !isUsable(node)).map(({id, hostname}) => `${hostname} (${id})`),
  };
}

/** Hosts by name only: the port has to be that of the node's address. USAGE for what is no name of a node. */
export function namedHost(text: string, cluster: string): InventoryHost {
  const {host, port} = parseAddress(text, 22);
  const problem = checkNodeName(host);
  if (problem !== undefined)
    throw new Failure('USAGE', problem, {hint: 'give names of nodes: web1, or web1:2222'});
  const suffix = `.${cluster}`;
  const name = host.endsWith(suffix) ? host : `${host}${suffix}`;
  return {name, vars: {ansible_host: name, ansible_port: port}};
}

export function inventoryOf(group: string, hosts: readonly InventoryHost[], route: Route): Inventory {
  const {login} = route;
  const vars = {
    ansible_ssh_common_args: sshWords(route),
    // The proxy of Teleport 18 ends scp's own protocol without an exit status.
    ansible_ssh_transfer_method: 'sftp',
    ...(login !== undefined && {ansible_user: login}),
  };
  return {group, vars, hosts};
}

/** Ansible takes the words apart as a shell would; ssh gives the value of ProxyCommand to one. */
function sshWords({cluster, proxy, sshConfig}: Route): string {
  if (sshConfig !== undefined) return shellLine(['-F', sshConfig]);
  const command = `${shellLine(['tsh', 'proxy', 'ssh', `--cluster=${cluster}`, `--proxy=${proxy}`])} %r@%h:%p`;
  return shellLine(['-o', `ProxyCommand=${command}`, '-o', 'UserKnownHostsFile=~/.tsh/known_hosts']);
}

export function renderInventory(format: 'yaml' | 'json', {group, vars, hosts}: Inventory): string {
  if (format === 'json') {
    const entries = hosts.map(({name, vars: own}) => [name, withUnsafe(own)]);
    const tree = {all: {children: {[group]: {vars, hosts: Object.fromEntries(entries)}}}};
    return `${JSON.stringify(tree, undefined, 2)}\n`;
  }
  const lines = hosts.flatMap(({name, vars: own}) => [
    `        ${quoted(name)}:`,
    ...Object.entries(own).flatMap(([key, value]) =>
      typeof value === 'object'
        ? yamlLabels(key, value)
        : [`          ${key}: ${typeof value === 'number' ? value : quoted(value)}`],
    ),
  ]);
  return [
    'all:',
    '  children:',
    `    ${group}:`,
    '      vars:',
    ...Object.entries(vars).map(([key, value]) => `        ${key}: ${quoted(value)}`),
    hosts.length > 0 ? '      hosts:' : '      hosts: {}',
    ...lines,
    '',
  ].join('\n');
}

function yamlLabels(key: string, labels: Readonly<Record<string, string>>): readonly string[] {
  const lines = Object.entries(labels).map(
    ([name, value]) => `            ${quoted(name)}: !unsafe ${quoted(value)}`,
  );
  return lines.length > 0 ? [`          ${key}:`, ...lines] : [`          ${key}: {}`];
}

/** As `!unsafe` in YAML. */
function withUnsafe(vars: InventoryHost['vars']): object {
  const {teleport_labels: labels, ...rest} = vars;
  if (labels === undefined) return rest;
  const marked = Object.entries(labels).map(([name, value]) => [name, {__ansible_unsafe: value}]);
  return {...rest, teleport_labels: Object.fromEntries(marked)};
}
