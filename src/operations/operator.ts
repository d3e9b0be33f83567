// Speaking to a cluster as a person or a bot.

import type {Cluster, Operator, UserIdentity} from '../cluster/cluster.js';
import {Failure} from '../errors.js';

/** The session, once it is known that the identity is one of this very cluster. */
export async function operatorOf(cluster: Cluster, identity: UserIdentity): Promise<Operator> {
  const {name, proxy} = await cluster.describe();
  if (name === identity.cluster) return cluster.asOperator(identity);
  const message = `the identity of ${identity.user} is for the cluster ${identity.cluster}, and ${proxy} is of ${name}`;
  throw new Failure('USAGE', message, {hint: 'give the proxy of that cluster, or an identity of this one'});
}
