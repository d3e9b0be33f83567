// Speaking to a cluster as a person or a bot.

import type {Cluster, Operator, UserIdentity} from '../cluster/cluster.js';
import {Failure} from '../errors.js';

/** The session, once it is known that the identity is one of this very cluster. */
export async function operatorOf(cluster: Cluster, identity: UserIdentity): Promise<Operator> {
  const {name, proxy} = await cluster.describe();
  if (name === identity.cluster) return cluster.asOperator(identity);
  throw ofAnother(identity, `${proxy} is of ${name}`);
}

/** The same on a host that has joined: which cluster it is, is known. */
export function operatorAt(
  cluster: Cluster,
  identity: UserIdentity,
  joined: {readonly cluster: string},
): Operator {
  if (joined.cluster === identity.cluster) return cluster.asOperator(identity);
  throw ofAnother(identity, `this host is joined to ${joined.cluster}`);
}

function ofAnother({user, cluster}: UserIdentity, place: string): Failure {
  return new Failure('USAGE', `the identity of ${user} is for the cluster ${cluster}, and ${place}`, {
    hint: 'give the proxy of that cluster, or an identity of this one',
  });
}
