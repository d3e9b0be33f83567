// From flags to what is printed. Loaded only when something is really emitted, so that help stays quick.

import {randomUUID} from 'node:crypto';
import {resolve} from 'node:path';
import type {Node} from '../../cluster/cluster.js';
import {oneLine} from '../../cluster/one-line.js';
import {Failure} from '../../errors.js';
import {LocalHost} from '../../host/local.js';
import {
  hostsOf,
  type Inventory,
  type InventoryHost,
  inventoryOf,
  namedHost,
  renderInventory,
} from '../../operations/emit/inventory.js';
import {hostHalf, type ResourceForm, renderResource} from '../../operations/emit/node-resource.js';
import {thisHost} from '../../operations/emit/this-host.js';
import {timerUnits, type UnitFile} from '../../operations/emit/timer-units.js';
import type {NodeFields} from '../../operations/node.js';
import type {Reporter} from '../../operations/reporter.js';
import {parseInterval} from '../../operations/timer/interval.js';
import {formatAddress, parseAddress} from '../../ssh/address.js';
import {parseLabels} from '../../ssh/labels.js';
import {checkNodeName} from '../../ssh/principals.js';
import {asOperator, type OperatorFlags, type Surroundings} from '../connection.js';
import {splitWords} from '../words.js';

interface ResourceFlags {
  readonly form: ResourceForm;
  readonly hostname: string | undefined;
  readonly address: string | undefined;
  readonly labels: readonly string[] | undefined;
  readonly 'node-id': string | undefined;
  readonly 'data-dir': string;
}

/** The `result` of `emit node-resource`. */
export interface EmittedResource {
  readonly form: ResourceForm;
  readonly node: {
    readonly id: string;
    readonly hostname: string;
    readonly address: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  /** Words that make the host this node. */
  readonly join: readonly string[];
  readonly text: string;
}

export async function emitNodeResource(flags: ResourceFlags): Promise<EmittedResource> {
  const {form, hostname, address} = flags;
  const labels = flags.labels && labelsFrom(flags.labels);
  const named =
    hostname === undefined || address === undefined
      ? (await thisHost(new LocalHost(), flags['data-dir'], OTHER_HOST)).settings
      : {nodeId: flags['node-id'] ?? randomUUID(), ...checkedNames(hostname, address), labels: {}};
  const node: NodeFields = {...named, labels: labels ?? named.labels};
  const text = renderResource(form, node);
  return {
    form,
    node: {id: node.nodeId, hostname: node.hostname, address: node.address, labels: node.labels},
    join: hostHalf(node),
    text,
  };
}

function labelsFrom(given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(given.flatMap((text) => Object.entries(parseLabels(text))));
}

function checkedNames(hostname: string, address: string) {
  const problem = checkNodeName(hostname);
  if (problem !== undefined) throw new Failure('USAGE', problem, {hint: 'choose another --hostname'});
  return {hostname, address: formatAddress(parseAddress(address, 22))};
}

const OTHER_HOST = 'give --hostname and --address of the host that is meant';

interface TimerFlags {
  readonly every: string;
  readonly program: string | undefined;
  readonly 'node-id': string | undefined;
  readonly 'data-dir': string;
}

export function emitTimer(flags: TimerFlags, report: Reporter): Promise<readonly UnitFile[]> {
  const {execPath: node, execArgv: options, argv, env} = process;
  const id = flags['node-id'];
  return timerUnits(
    {host: new LocalHost(), report},
    {
      dataDir: flags['data-dir'],
      every: parseInterval(flags.every),
      ...(flags.program !== undefined && {program: programFrom(flags.program)}),
      ...(id !== undefined && {nodeId: id}),
      invocation: {node, options, script: argv[1] ?? '', env},
    },
  );
}

function programFrom(text: string): readonly string[] {
  const words = splitWords(text, '--program');
  if (words[0]?.startsWith('/')) return words;
  throw new Failure('USAGE', '--program wants the whole path of a program first', {
    hint: 'write --program /usr/local/bin/agentless',
  });
}

interface InventoryFlags extends OperatorFlags {
  readonly name: readonly string[] | undefined;
  readonly cluster: string | undefined;
  readonly labels: readonly string[] | undefined;
  readonly format: 'yaml' | 'json';
  readonly group: string;
  readonly 'ssh-config': string | undefined;
  readonly login: string | undefined;
}

/** The `result` of `emit ansible-inventory`. */
export type EmittedInventory = Inventory & {
  readonly cluster: string;
  readonly proxy: string;
  readonly text: string;
};

export async function emitInventory(
  flags: InventoryFlags,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<EmittedInventory> {
  const {group, login} = flags;
  if (!/^[A-Za-z_]\w*$/.test(group) || ['all', 'ungrouped'].includes(group)) {
    throw new Failure('USAGE', `Ansible takes no group of the name ${JSON.stringify(group)}`, {
      hint: 'choose letters, digits and _ for --group, a letter first',
    });
  }
  if (login !== undefined && !/^[\w.@-]{1,256}$/.test(login)) {
    throw new Failure('USAGE', '--login is not the name of a login', {
      hint: 'write for example --login root',
    });
  }
  const {hosts, cluster, proxy} = await listed(flags, surroundings, signal);
  if (!/^[A-Za-z0-9._-]+$/.test(cluster)) {
    throw new Failure('USAGE', 'the name of the cluster is none that ssh could dial', {
      hint: 'give it as `tsh status` shows it',
    });
  }
  const config = flags['ssh-config'];
  const inventory = inventoryOf(group, hosts, {
    cluster,
    proxy,
    login,
    sshConfig: config === undefined ? undefined : resolve(config),
  });
  return {...inventory, cluster, proxy, text: renderInventory(flags.format, inventory)};
}

interface Listed {
  readonly hosts: readonly InventoryHost[];
  readonly cluster: string;
  readonly proxy: string;
}

async function listed(
  flags: InventoryFlags,
  surroundings: Surroundings,
  signal: AbortSignal,
): Promise<Listed> {
  const {name: names, cluster, 'proxy-server': proxy} = flags;
  if (names !== undefined && cluster !== undefined) {
    if (proxy === undefined)
      throw new Failure('USAGE', '--proxy-server is missing', {hint: 'tsh is told to go through it'});
    const through = formatAddress(parseAddress(proxy, 443));
    return {hosts: names.map((one) => namedHost(one, cluster)), cluster, proxy: through};
  }
  return asOperator(flags, surroundings, signal, async (operator, opened) => {
    const {name, proxy: through} = await opened.describe();
    const wanted = Object.entries(labelsFrom(flags.labels ?? []));
    const isWanted = ({labels}: Node) => wanted.every(([key, value]) => labels[key] === value);
    const {hosts, skipped} = hostsOf((await operator.nodes()).filter(isWanted), name);
    if (skipped.length > 0)
      surroundings.warn(`nodes whose name nobody can dial are left out: ${oneLine(skipped.join(', '))}`);
    if (hosts.length === 0)
      surroundings.warn(
        'the cluster shows no node: it has none that fits, or the roles of this identity show none',
      );
    return {hosts, cluster: name, proxy: through};
  });
}
