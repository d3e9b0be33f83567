// The node record of a host that leaves: found first, deleted last, put back when leaving fails after all. A record that
// cannot be deleted never keeps a host from leaving: it is named, with the command that removes it.

import type {Cluster, Identity, Node, Session} from '../../cluster/cluster.js';
import {Failure} from '../../errors.js';
import {wordsOf} from '../../system-error.js';
import type {LeaveTools, LeaveWish} from '../leave.js';
import {operatorAt} from '../operator.js';
import {type Membership, readIdentity} from '../ownership.js';
import {interruptible, timed} from '../reporter.js';
import type {JoinSettings} from '../settings.js';

/** A record that can be deleted. */
export interface Registered {
  readonly id: string;
  readonly session: Session;
  /** As it is now; undefined when it is gone already. */
  readonly found: Node | undefined;
}

/** Undefined when there is no record to delete, or nobody to ask; the latter is said. */
export async function findRecord(
  tools: LeaveTools,
  wish: LeaveWish,
  joined: Membership,
  cluster: Cluster,
): Promise<Registered | undefined> {
  const {settings} = joined;
  const {nodeId: id, registered} = settings;
  if (!registered) return undefined;
  // Where nobody else can delete it, an identity of another cluster is a mistake to be mended first.
  const needed = settings.identity === 'discarded' && !wish.local;
  if (needed && wish.operator !== undefined) operatorAt(cluster, wish.operator, settings);
  try {
    if (wish.local) throw new Failure('USAGE', 'the cluster was not asked, as you wished (--local)');
    await refuseCopy(tools, wish, joined);
    return await findBySomebody(tools, wish, joined, cluster);
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'INTERRUPTED') throw error;
    // What others hint at is for those who want to stay.
    const helps = error.code === 'HOST_UNSUITABLE' || wish.operator !== undefined;
    tools.report.warn(stays(id, error.message, helps ? error.hint : undefined));
    return undefined;
  }
}

/** With this host's own credential; where there is none that counts, as the operator. */
async function findBySomebody(
  tools: LeaveTools,
  wish: LeaveWish,
  {settings}: Membership,
  cluster: Cluster,
): Promise<Registered> {
  const {cluster: name, nodeId: id, hostname, address, proxy} = settings;
  const asking = <T>(asked: Promise<T>) =>
    interruptible(tools, 'cluster', asked, () => `${name}, through ${proxy}`);
  try {
    const session = cluster.as(await identityToUse(tools, wish, settings));
    const nodes = await asking(session.nodesLike(hostname, address));
    return {id, session, found: nodes.find((node) => node.id === id)};
  } catch (error) {
    if (!(error instanceof Failure) || wish.operator === undefined || error.code === 'INTERRUPTED')
      throw error;
    const session = operatorAt(cluster, wish.operator, settings);
    return {id, session, found: await asking(session.node(id))};
  }
}

/** A Failure says why the record has to stay. */
async function identityToUse(
  {host}: LeaveTools,
  {dataDir}: LeaveWish,
  settings: JoinSettings,
): Promise<Identity> {
  if (settings.identity === 'discarded') {
    throw new Failure('HOST_UNSUITABLE', `this host keeps no credential for ${settings.cluster}`, {
      hint: '`leave --identity FILE` would have deleted it',
    });
  }
  const identity = await readIdentity(host, dataDir, settings).catch((cause: unknown) => {
    throw new Failure('HOST_UNSUITABLE', wordsOf(cause), {cause});
  });
  return identity;
}

async function refuseCopy(tools: LeaveTools, wish: LeaveWish, joined: Membership): Promise<void> {
  const {record} = joined;
  const renamed =
    record.host === tools.host.name || wish.yes || (await tools.confirm(question(joined, tools.host.name)));
  if (renamed) return;
  throw new Failure('HOST_UNSUITABLE', `this host joined as ${record.host} and is ${tools.host.name} now`, {
    hint: `--yes deletes the record as well; on a copy of ${record.host} that would be the record of the original`,
  });
}

function question({record}: Membership, name: string): string {
  return `This host joined as ${record.host} and is ${name} now. Delete the node record? (Not on a copy of ${record.host}!)`;
}

function stays(id: string, why: string, hint?: string): string {
  return [`the node record stays: ${why}`, `remove it with \`tctl rm node/${id}\``, hint ?? '']
    .filter(Boolean)
    .join('\n');
}

/** True when it is gone. */
export async function deleteRecord({report}: LeaveTools, {id, session}: Registered): Promise<boolean> {
  try {
    await timed(report, 'unregister', session.removeNode(id), () => `node ${id}`);
    return true;
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    // What would let an operator do it; a host is allowed all that it ever will be.
    report.warn(stays(id, error.message, 'user' in session ? error.hint : undefined));
    return false;
  }
}

/** For a host that stays after all. */
export async function putBack({report}: LeaveTools, {id, session, found}: Registered): Promise<void> {
  if (found === undefined) return;
  await session.putNode(found).catch(() => {
    report.warn(`the node record ${id} could not be put back; \`join openssh\` writes it again`);
  });
}
