// By what right a host joins: a token that it was given, a token that is made for it and deleted at once, or none at all,
// where a person or a bot signs for it.

import type {Cluster, Operator, UserIdentity} from '../cluster/cluster.js';
import type {Proof} from '../cluster/proof.js';
import {Failure, type Secret} from '../errors.js';
import {type Credentials, obtain, obtainBy, type Wanted} from './credentials.js';
import {describeCredentials} from './describe.js';
import type {Tools} from './join.js';
import {operatorOf} from './operator.js';
import {interruptible} from './reporter.js';
import {withTemporaryToken} from './tokens.js';

export type Admission =
  | {readonly by: 'token'; readonly token: Secret}
  /** With this identity a token is made. */
  | {readonly by: 'operator'; readonly identity: UserIdentity}
  /** With this identity certificates are signed and the record is written. */
  | {readonly by: 'signature'; readonly identity: UserIdentity};

/** The same once the identity is known to be one of this cluster. */
export type Admitted =
  | Extract<Admission, {by: 'token'}>
  | {readonly by: 'operator' | 'signature'; readonly operator: Operator};

/** USAGE for an identity of another cluster. Nothing is made, and nothing spent. */
export async function admit(cluster: Cluster, admission: Admission): Promise<Admitted> {
  if (admission.by === 'token') return admission;
  return {by: admission.by, operator: await operatorOf(cluster, admission.identity)};
}

/** Credentials for a host that has none yet. */
export async function credentialsBy(
  tools: Tools,
  cluster: Cluster,
  admitted: Admitted,
  proof: Proof,
  wanted: Wanted,
): Promise<Credentials> {
  const {report} = tools;
  if (admitted.by !== 'signature')
    return withToken(tools, admitted, (token) =>
      interruptible(tools, 'identity', obtain(cluster, {token, proof}, wanted), describeCredentials),
    );
  const {operator} = admitted;
  const blind = operator.nodes().then((nodes) => nodes.length === 0);
  const obtaining = Promise.all([obtainBy(operator, wanted), blind]);
  const [credentials, seesNone] = await interruptible(tools, 'identity', obtaining, ([signed]) =>
    describeCredentials(signed),
  );
  // A role without node_labels gets an empty list, and no error.
  if (seesNone)
    report.warn(
      `the cluster shows ${operator.user} no nodes: if it has some, nobody has checked that ${wanted.nodeName} is a new name`,
    );
  return credentials;
}

/** Does something with a token. One that is made for it is gone afterwards: also when that fails, or a signal comes. */
export function withToken<T>(
  {report}: Tools,
  admitted: Admitted,
  work: (token: Secret) => Promise<T>,
): Promise<T> {
  return admitted.by === 'token' ? work(admitted.token) : withTemporaryToken(admitted.operator, report, work);
}

export function noToken(): Failure {
  return new Failure('USAGE', 'a join token is needed', {
    hint: 'make one with `tctl tokens add --type=node`, and give it by --token-file, --token - or AGENTLESS_TOKEN; with --identity one is made for you',
  });
}
