// The node record: unique before it is written, written last.

import type {Node, Session} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {addressKind, parseAddress} from '../ssh/address.js';
import {refuseJoinedMeanwhile} from './ownership.js';

/** Asks before something in the cluster is removed. */
export type Confirm = (question: string) => Promise<boolean>;

/**
 * Nodes that would make `tsh ssh NAME` ambiguous. A record with our name and our address is what an earlier join of
 * this host left behind: it may be replaced, when told. Any other is somebody else's, and nothing is done.
 *
 * Returns the ids to remove once our own record is written.
 */
export async function checkUnique(
  session: Session,
  node: Node,
  replace: boolean,
  confirm: Confirm,
): Promise<string[]> {
  const others = (await session.nodesLike(node.hostname, node.address)).filter(
    (other) => other.id !== node.id,
  );
  const foreign = others.find((other) => !isPredecessor(other, node));
  if (foreign !== undefined) {
    const shared = foreign.hostname === node.hostname ? `name ${node.hostname}` : `address ${node.address}`;
    throw new Failure('NODE_EXISTS', `another node has the ${shared} already`, {
      detail: describeNode(foreign),
      hint: 'choose another --hostname or --address, or remove that record with `tctl rm node/ID` if its host is gone',
    });
  }
  const [first] = others;
  if (first === undefined || replace) return others.map((other) => other.id);
  if (await confirm(`Replace the record that an earlier join of this host left (${first.id})?`)) {
    return others.map((other) => other.id);
  }
  throw new Failure(
    'NODE_EXISTS',
    `the cluster has a record of this host already: ${node.hostname}, ${node.address}`,
    {
      detail: describeNode(first),
      hint: 'it is replaced with --yes; a second record would make the name ambiguous',
    },
  );
}

/** The same for a host that is not joined: what looks like an earlier join may be another run that was quicker. */
export async function checkUnused(
  {host, confirm}: {readonly host: Host; readonly confirm: Confirm},
  {dataDir, replace}: {readonly dataDir: string; readonly replace: boolean},
  session: Session,
  node: Node,
): Promise<string[]> {
  return checkUnique(session, node, replace, confirm).catch(async (error) => {
    await refuseJoinedMeanwhile(host, dataDir);
    throw error;
  });
}

function isPredecessor(other: Node, node: Node): boolean {
  return other.hostname === node.hostname && other.address === node.address && other.subKind === 'openssh';
}

export function describeNode(node: Node): string {
  return `node ${node.id}: ${node.hostname}, ${node.address}${node.subKind === 'openssh' ? '' : ' (with an agent)'}`;
}

export interface Registration {
  /** The cluster's record of this node; undefined when there is none. */
  readonly found: Node | undefined;
  /** True when it says what it should… */
  readonly right: boolean;
  /** …else what is wrong with it, in one line. */
  readonly wrong?: string;
  /** Records of other nodes with the same name or address. */
  readonly others: readonly Node[];
}

/**
 * What the cluster has on record for this node. Reads lag behind writes, so absence is looked at twice. `early`:
 * milliseconds before the wanted end at which a record may end and still be right.
 */
export async function registration(session: Session, node: Node, early = 0): Promise<Registration> {
  let others: readonly Node[] = [];
  for (const pause of [0, 1200]) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    const like = await session.nodesLike(node.hostname, node.address);
    const found = like.find((other) => other.id === node.id);
    others = like.filter((other) => other.id !== node.id);
    if (found !== undefined) {
      const wrong = wrongWith(found, node, early);
      return {found, right: wrong === undefined, ...(wrong !== undefined && {wrong}), others};
    }
  }
  return {found: undefined, right: false, wrong: 'the node record is missing', others};
}

function wrongWith(found: Node, wanted: Node, early: number): string | undefined {
  if (found.hostname !== wanted.hostname || !sameAddress(found, wanted))
    return 'the node record was changed in the cluster';
  if (!sameLabels(found, wanted)) return 'the node record has other labels than it should';
  if (endsLike(found, wanted, early)) return undefined;
  if (found.expires === undefined) return 'the node record has no end, and should have one';
  const text = `the node record ends on ${found.expires.toISOString()}`;
  if (wanted.expires === undefined) return `${text}, and should have no end`;
  return found.expires > wanted.expires ? `${text}, later than it should` : text;
}

function sameLabels(found: Node, wanted: Node): boolean {
  const labels = (node: Node) => JSON.stringify(Object.entries(node.labels).sort());
  return labels(found) === labels(wanted);
}

function endsLike(found: Node, wanted: Node, early: number): boolean {
  if (found.expires === undefined || wanted.expires === undefined) return found.expires === wanted.expires;
  const later = found.expires.getTime() - wanted.expires.getTime();
  // Somewhat later is what a clock that tells seconds may say; much later is what was wanted before.
  return later >= -early && later <= 60_000;
}

/** Auth replaces a loopback address by the one it sees the caller at. */
function sameAddress(found: Node, wanted: Node): boolean {
  if (found.address === wanted.address) return true;
  const {host, port} = parseAddress(wanted.address, 22);
  return addressKind(host) === 'loopback' && found.address.endsWith(`:${port}`);
}
