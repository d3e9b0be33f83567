// What a join does besides on a host that was joined before, by hand or by Teleport: it goes on from the host as it is
// without that, with the node that it is already.

import type {Cluster, ClusterInfo, Node} from '../../cluster/cluster.js';
import {Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import type {Admitted} from '../admission.js';
import type {Credentials} from '../credentials.js';
import type {Ready} from '../join/ready.js';
import type {Tools} from '../join.js';
import {settleAddress} from '../node.js';
import {interruptible} from '../reporter.js';
import type {Scene} from '../scene.js';
import type {JoinWish} from '../settings.js';
import {refuseAgent} from './agent.js';
import {type Former, findFormer, isNothing} from './find.js';
import {asRecorded, findNode, formerNames} from './node.js';
import {describeFormer} from './report.js';
import {planTakeover, type Takeover} from './takeover.js';

export interface Adoption {
  readonly takeover: Takeover;
  /** What was asked for, with what is known of the node. */
  readonly wish: JoinWish;
  /** The record of this node; undefined: there is none, or nobody has asked yet who may see it. */
  readonly record: Node | undefined;
  readonly looked: boolean;
}

/** Reads the host and asks the cluster; changes nothing. `known`: the record, where it was seen already. */
export async function prepareAdoption(
  tools: Tools,
  asked: JoinWish,
  cluster: Cluster,
  {name}: ClusterInfo,
  standing: HostFacts,
  admitted: Admitted | undefined,
  known: Node | undefined,
): Promise<Adoption> {
  const {host} = tools;
  const operator = admitted === undefined || admitted.by === 'token' ? undefined : admitted.operator;
  const userKeys = async () => {
    if (operator === undefined) return cluster.userAuthorities();
    const {active, additional} = await operator.authority('openssh');
    return [...active, ...additional];
  };
  const finding = findFormer(host, standing, name, userKeys);
  const former = await interruptible(tools, 'find', finding, describeFormer);
  if (isNothing(former)) throw nothingToAdopt(former, name);
  if (former.fragment !== undefined) await refuseAgent(host, former.fragment.dataDir);
  const takeover = await planTakeover(host, standing, former);
  const hostname = asked.hostname ?? standing.probe.hostname;
  const names = asked.fewerNames ? [] : formerNames(former.names, name, hostname);
  const nodeId = former.nodeId ?? asked.nodeId;
  const wish = {
    ...asked,
    ...(nodeId !== undefined && {nodeId}),
    additionalPrincipals: [...new Set([...(asked.additionalPrincipals ?? []), ...names])],
  };
  const sought = {id: nodeId, hostname, address: asked.address};
  const record = known ?? (operator && (await findNode(operator, sought)));
  const looked = record !== undefined || operator !== undefined;
  return {takeover, wish: record ? asRecorded(wish, record) : wish, record, looked};
}

/** HOST_UNSUITABLE on a host that is joined by us, where somebody has joined it once more since. */
export async function refuseJoinedTwice(
  {host}: Pick<Tools, 'host'>,
  facts: HostFacts,
  cluster: string,
  userKeys: () => Promise<readonly string[]>,
): Promise<void> {
  const former = await findFormer(host, facts, cluster, userKeys);
  if (isNothing(former)) return;
  throw new Failure(
    'HOST_UNSUITABLE',
    'this host is joined by agentless, and has been joined once more since',
    {
      detail: describeFormer(former),
      hint: 'run `agentless leave`, which takes out its own part only, and adopt then',
    },
  );
}

function nothingToAdopt({others}: Former, cluster: string): Failure {
  return new Failure('HOST_UNSUITABLE', `there is nothing to adopt: sshd has no lines of ${cluster}`, {
    ...(others.length > 0 && {detail: `it serves certificates of ${others.join(', ')}`}),
    hint: 'this host has not been joined to it before: use `agentless join openssh`',
  });
}

/** The record of a host that is adopted, by whoever may see it. */
export async function recordFor(
  {record, looked}: Adoption,
  credentials: Credentials,
  scene: Scene,
  {wish: {nodeId: id}, wanted}: Pick<Ready, 'wish' | 'wanted'>,
): Promise<Node | undefined> {
  if (looked) return record;
  const address = settleAddress(wanted.address, credentials, scene);
  return findNode(credentials.session, {id, hostname: wanted.hostname, address});
}
