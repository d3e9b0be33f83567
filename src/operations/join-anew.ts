// A joined host whose identity the cluster has dropped, as when its authorities were rotated while the host was off: with a
// token it joins once more, as the node that it was. From there on it goes the way of every joined host.

import type {Cluster, ClusterInfo} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {obtain, type Wanted} from './credentials.js';
import {describeRehearsal} from './describe.js';
import type {Tools} from './join.js';
import {askAuthorities, type Contact, type Holding} from './refresh.js';
import {authorityKind, rehearse} from './rehearsal.js';
import {interruptible} from './reporter.js';
import type {Scene} from './scene.js';
import type {JoinWish} from './settings.js';

export interface Reached extends Contact {
  /** What the cluster has given for the token; absent where the identity of before is still accepted. */
  readonly anew?: Holding;
}

/**
 * `reaching`: asks the cluster with the identity that this host has. Without a token, and in a dry run, its failure stands.
 * HOST_UNSUITABLE where another cluster answers at the proxy's address by now: no token is spent there.
 */
export async function reachOrJoin(
  reaching: Promise<Contact>,
  tools: Tools,
  {token, dryRun, proveLogins: logins}: JoinWish,
  cluster: Cluster,
  scene: Scene,
  wanted: Wanted & {readonly cluster: string},
): Promise<Reached> {
  try {
    return await reaching;
  } catch (error) {
    if (token === undefined || dryRun || !isFinished(error)) throw error;
    const {suite} = await refuseUnlessNamed(wanted.cluster, cluster);
    const proof = (await tools.gatherProof?.()) ?? {method: 'token' as const};
    // As at the first join: no token is spent on a host that could not serve a certificate.
    const script = {...scene, logins, authority: authorityKind(suite)};
    await interruptible(tools, 'rehearse', rehearse(tools.host, script), describeRehearsal);
    const {identity, certificates} = await obtain(cluster, {token, proof}, wanted);
    const session = cluster.as(identity);
    return {session, authorities: await askAuthorities(session), anew: {identity, certificates}};
  }
}

/** Auth refuses the certificate, or shows one that nothing of what this host knows can verify. */
function isFinished(error: unknown): boolean {
  return error instanceof Failure && (error.code === 'REQUEST_REFUSED' || error.code === 'CLUSTER_UNTRUSTED');
}

/** HOST_UNSUITABLE when the cluster is not the one that this host is joined to. */
export async function refuseUnlessNamed(joinedTo: string, cluster: Cluster): Promise<ClusterInfo> {
  const info = await cluster.describe();
  if (info.name === joinedTo) return info;
  throw new Failure('HOST_UNSUITABLE', `this host is joined to ${joinedTo}, not to ${info.name}`, {
    hint: `nothing was changed; leave ${joinedTo} first`,
  });
}
