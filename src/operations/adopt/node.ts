// The node record of a host that was joined before. It keeps its id and, unless told otherwise, all that it says.

import type {Node, Session} from '../../cluster/cluster.js';
import {Failure} from '../../errors.js';
import {parseAddress} from '../../ssh/address.js';
import {describeNode} from '../register.js';
import type {JoinWish} from '../settings.js';

/** By what a record is known to be this host's. */
export interface Sought {
  /** The id that something on the host tells. */
  readonly id: string | undefined;
  readonly hostname: string;
  readonly address: string | undefined;
}

/** Undefined: there is none. NODE_EXISTS where it is an agent's, or where several could be meant. */
export async function findNode(session: Session, {id, hostname, address}: Sought): Promise<Node | undefined> {
  const known = id === undefined ? undefined : await session.node(id);
  if (known !== undefined) return refuseAgents(known);
  // One of that name at another address is somebody else's, which a join finds by itself.
  const like = (await session.nodesLike(hostname, address ?? '')).filter((node) => {
    return address === undefined || node.address === address;
  });
  const [found, ...others] = like;
  if (found === undefined || others.length === 0) return found && refuseAgents(found);
  throw new Failure('NODE_EXISTS', `the cluster has ${like.length} records that could be this host's`, {
    detail: like.map(describeNode).join('\n'),
    hint: 'give the --hostname and --address of the one that is meant, or remove what is outdated with `tctl rm node/ID`',
  });
}

function refuseAgents(node: Node): Node {
  if (node.subKind === 'openssh') return node;
  throw new Failure('NODE_EXISTS', `the record of this host is that of an agent: ${node.hostname}`, {
    detail: describeNode(node),
    hint: 'an agent needs no OpenSSH server; stop it and remove its record with `tctl rm node/ID`, or choose another --hostname',
  });
}

/** The wish of whoever adopts the host, with what the record says where nothing was wished. */
export function asRecorded<W extends JoinWish>(wish: W, {id, hostname, address, labels}: Node): W {
  return {hostname, address, labels, ...wish, nodeId: id};
}

/** Whether certificates for these names do for that record. */
export function covers(names: readonly string[], node: Node): boolean {
  return [node.id, node.hostname, parseAddress(node.address, 22).host].every((name) => names.includes(name));
}

/** Names of old certificates that new ones have to ask for: not those that say which node it is, and under which name. */
export function formerNames(names: readonly string[], cluster: string, hostname: string): readonly string[] {
  return names.filter((name) => {
    const bare = name.endsWith(`.${cluster}`) ? name.slice(0, -cluster.length - 1) : name;
    return !isNodeId(bare) && bare !== hostname && !UNIVERSAL.includes(name);
  });
}

/** A UUID, or ACCOUNT-INSTANCE on EC2. */
export function isNodeId(text: string): boolean {
  return /^([0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}|\d{12}-i-[0-9a-f]+)$/.test(text);
}

const UNIVERSAL = ['localhost', '127.0.0.1', '::1', '0.0.0.0'];
