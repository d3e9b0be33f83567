// The node record of a host that leaves: found first, deleted last, put back when leaving fails after all. A record that
// cannot be deleted never keeps a host from leaving: it is named, with the command that removes it.

import type {Cluster, Identity, Node, Session} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {wordsOf} from '../system-error.js';
import type {LeaveTools, LeaveWish} from './leave.js';
import {type Membership, readIdentity} from './ownership.js';
import {interruptible, timed} from './reporter.js';

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
  const {nodeId: id, hostname, address, proxy, registered} = joined.settings;
  if (!registered) return undefined;
  try {
    const identity = await identityToUse(tools, wish, joined);
    const session = cluster.as(identity);
    const asked = session.nodesLike(hostname, address);
    const nodes = await interruptible(tools, 'cluster', asked, () => `${identity.cluster}, through ${proxy}`);
    return {id, session, found: nodes.find((node) => node.id === id)};
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'INTERRUPTED') throw error;
    // What others hint at is for those who want to stay.
    tools.report.warn(stays(id, error.message, error.code === 'HOST_UNSUITABLE' ? error.hint : undefined));
    return undefined;
  }
}

/** A Failure says why the record has to stay. */
async function identityToUse(tools: LeaveTools, wish: LeaveWish, joined: Membership): Promise<Identity> {
  const {record, settings} = joined;
  if (wish.local) throw new Failure('USAGE', 'the cluster was not asked, as you wished (--local)');
  const identity = await readIdentity(tools.host, wish.dataDir, settings).catch((cause: unknown) => {
    throw new Failure('HOST_UNSUITABLE', wordsOf(cause), {cause});
  });
  const renamed =
    record.host === tools.host.name || wish.yes || (await tools.confirm(question(joined, tools.host.name)));
  if (renamed) return identity;
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
    report.warn(stays(id, error.message));
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
