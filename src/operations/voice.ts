// Who speaks for a host that is joined: the host itself, the person or bot that was named, or the host itself again, once it
// has joined anew with a token under its old id.

import type {Cluster, ClusterInfo, Identity, UserIdentity} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {type Admission, admit, withToken} from './admission.js';
import {enter, type Wanted} from './credentials.js';
import type {Tools} from './join.js';
import {operatorAt} from './operator.js';
import type {Ownership} from './ownership.js';
import {authorityKind, rehearseScene} from './rehearsal.js';
import {interruptible} from './reporter.js';
import type {Scene} from './scene.js';
import type {JoinWish} from './settings.js';
import {askAuthorities, type Contact, type HostSpeaker, reach, reachAs} from './speaker.js';

/** Reaches the cluster, once it is known what is wanted of it. */
export type Speak = (scene: Scene, wanted: Wanted) => Promise<Contact>;

/** Without a token. USAGE on a host that keeps no credential where nobody speaks for it. */
export function speakFor(
  tools: Tools,
  cluster: Cluster,
  owned: Ownership,
  operator: UserIdentity | undefined,
): Speak {
  if (owned.identity !== 'absent') return byItself(tools, cluster, owned.identity);
  if (operator === undefined) throw nobodySpeaks('renewing it', '--identity FILE', owned);
  return byOperator(tools, cluster, owned, operator);
}

/** The same for a join, which may make a credential for this host where it has none that counts. */
export function speakForJoin(tools: Tools, wish: JoinWish, cluster: Cluster, owned: Ownership): Speak {
  const {admission, dryRun} = wish;
  const anew = (by: Admission): Speak => {
    return (scene, wanted) => joinAnew(tools, wish, cluster, owned, by, scene, wanted);
  };
  if (admission?.by === 'signature') return byOperator(tools, cluster, owned, admission.identity);
  if (owned.identity !== 'absent') {
    const speak = byItself(tools, cluster, owned.identity);
    if (admission === undefined || dryRun) return speak;
    return orAgain(tools, speak, anew(admission));
  }
  const stays = dryRun || (owned.settings.identity === 'discarded' && wish.discardIdentity !== false);
  if (admission?.by === 'operator' && stays) return byOperator(tools, cluster, owned, admission.identity);
  if (admission === undefined) throw nobodySpeaks('joining it again', 'a token or --identity FILE', owned);
  if (dryRun) throw nobodySpeaks('a dry run', '--identity FILE', owned);
  return anew(admission);
}

function byItself(tools: Tools, cluster: Cluster, identity: Identity): Speak {
  const reaching = reach(cluster, identity);
  reaching.catch(() => undefined);
  return () => interruptible(tools, 'cluster', reaching, () => `${identity.cluster} accepts this identity`);
}

function byOperator(tools: Tools, cluster: Cluster, {settings}: Ownership, identity: UserIdentity): Speak {
  const reaching = reachAs(operatorAt(cluster, identity, settings), settings.nodeId);
  reaching.catch(() => undefined);
  return () =>
    interruptible(tools, 'cluster', reaching, () => `${settings.cluster} accepts ${identity.user}`);
}

/** What is said to a host whose identity is finished: Auth refuses it, or shows nothing that it could verify. */
const FINISHED: readonly string[] = ['REQUEST_REFUSED', 'CLUSTER_UNTRUSTED'];

/** As long as the cluster accepts this host; once it does not, a token makes it the same node again. */
function orAgain(tools: Tools, speak: Speak, again: Speak): Speak {
  return async (scene, wanted) => {
    try {
      return await speak(scene, wanted);
    } catch (error) {
      if (!(error instanceof Failure) || !FINISHED.includes(error.code)) throw error;
      tools.report.warn(`${error.message}: this host joins anew with a token, as the same node`);
      return again(scene, wanted);
    }
  };
}

/** As at the first join: no token is spent, or made, on a host that could not serve a certificate. */
async function joinAnew(
  tools: Tools,
  wish: JoinWish,
  cluster: Cluster,
  {settings}: Ownership,
  admission: Admission,
  scene: Scene,
  wanted: Wanted,
): Promise<Contact<HostSpeaker>> {
  const {suite, name} = await refuseUnlessNamed(settings.cluster, cluster);
  const admitted = await admit(cluster, admission);
  await rehearseScene(tools, wish, scene, authorityKind(suite));
  const proof = tools.gatherProof ? await tools.gatherProof() : ({method: 'token'} as const);
  return withToken(tools, admitted, (token) => {
    const entering = enter(cluster, {token, proof}, wanted).then(async ({session, identity}) => {
      return {session, identity, authorities: await askAuthorities(session)};
    });
    return interruptible(tools, 'identity', entering, () => `${name} has admitted this host again`);
  });
}

/** HOST_UNSUITABLE when another cluster answers than the one that this host is joined to: it gets no token of this one. */
export async function refuseUnlessNamed(joinedTo: string, cluster: Cluster): Promise<ClusterInfo> {
  const info = await cluster.describe();
  if (info.name === joinedTo) return info;
  throw new Failure('HOST_UNSUITABLE', `this host is joined to ${joinedTo}, not to ${info.name}`, {
    hint: `nothing was changed; leave ${joinedTo} first`,
  });
}

function nobodySpeaks(what: string, by: string, {settings}: Ownership): Failure {
  return new Failure('USAGE', `this host keeps no credential for ${settings.cluster}: ${what} needs ${by}`, {
    hint: 'it was joined with --discard-identity or --manual; nothing was changed, and no token spent',
  });
}
