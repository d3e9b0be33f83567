// Join this host to a cluster. The order is the promise: look, rehearse, obtain, write, reload, prove, register. Until
// "write" nothing on the host has changed; from there on everything is undone unless the end is reached.

import type {Cluster, Node} from '../cluster/cluster.js';
import type {AwsProof} from '../cluster/proof.js';
import {Failure} from '../errors.js';
import {type HostFacts, lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {credentialsBy, noToken} from './admission.js';
import {recordFor, refuseJoinedTwice} from './adopt/adopt.js';
import {covers} from './adopt/node.js';
import {adoptedBy} from './adopt/report.js';
import {complete} from './join/complete.js';
import {makeReady} from './join/ready.js';
import type {Joined} from './joined.js';
import {settleLabels} from './labels/settle.js';
import {readOwnership} from './ownership.js';
import {preview} from './preview.js';
import type {Confirm} from './register.js';
import {joinAgain} from './rejoin.js';
import type {Reporter} from './reporter.js';
import type {Connect, JoinWish} from './settings.js';
import {judge} from './verdict.js';

export interface Tools {
  readonly host: Host;
  readonly connect: Connect;
  /** Gathers what a token wants to see besides; on a joined host only for a new credential. Absent: a token is enough. */
  readonly gatherProof?: () => Promise<AwsProof>;
  readonly report: Reporter;
  readonly confirm: Confirm;
  readonly signal: AbortSignal;
}

/** Joins, or makes sure that the host is joined as wished. `changed` is false when nothing had to be done. */
export async function join(tools: Tools, wish: JoinWish): Promise<Joined> {
  // Also finishes or undoes what an interrupted run has left.
  let again = wish;
  const takeOver = (nodeId: string) => {
    // A join that was cut off may have left a record: under the same id it becomes ours again.
    again = {nodeId, ...wish};
  };
  const admissible = wish.admission !== undefined && !wish.dryRun;
  const owned = await readOwnership(tools.host, wish.dataDir, tools.report, takeOver, admissible);
  const proxy = wish.proxy ?? owned?.settings.proxy;
  if (proxy === undefined) {
    throw new Failure('USAGE', 'which cluster? --proxy-server is missing', {
      hint: 'give the web address of your proxy: --proxy-server teleport.example.com:443',
    });
  }
  if (owned === undefined && wish.admission === undefined && (wish.noAdmission || !wish.dryRun))
    throw wish.noAdmission ?? noToken();
  tools.report.heading(
    `${wish.adopt ? 'Adopting' : 'Joining'} ${wish.hostname ?? owned?.settings.hostname ?? tools.host.name} through ${proxy}`,
  );
  again = await settleLabels(tools, again, owned?.settings);
  // The host is asked first: its processes work while the cluster's client is still being loaded.
  const looking = lookAt(tools.host, wish.config, wish.dataDir);
  looking.catch(() => undefined);
  const cluster = await tools.connect(proxy, owned?.settings.trust);
  try {
    if (owned === undefined) return await joinFirst(tools, again, cluster, looking);
    if (wish.adopt)
      await refuseJoinedTwice(tools, await looking, owned.settings.cluster, () => cluster.userAuthorities());
    return await joinAgain(tools, again, cluster, owned, looking);
  } finally {
    await cluster.close();
  }
}

type Looking = Promise<HostFacts>;

/** `known`: the record of a host that is adopted, where it was seen already. */
async function joinFirst(
  tools: Tools,
  asked: JoinWish,
  cluster: Cluster,
  looking: Looking,
  known?: Node,
): Promise<Joined> {
  const ready = await makeReady(tools, asked, cluster, looking, known);
  if (ready === 'without PAM')
    return joinFirst(tools, {...asked, pam: {choice: 'none'}}, cluster, looking, known);
  const {wish, info, admitted, proof, scene, adoption, nodeId, wanted} = ready;
  if (wish.dryRun || admitted === undefined) {
    const shown = await preview(tools, wish, scene, {
      ...wanted,
      nodeId,
      cluster: info.name,
      proxy: info.proxy,
    });
    return {...shown, ...adoptedBy(adoption, adoption?.record)};
  }
  // Verified, and in memory only.
  const request = {nodeId, nodeName: wanted.hostname, ...scene};
  const credentials = await credentialsBy(tools, cluster, admitted, proof, request);
  // A cluster may have changed its suite and not its authority: now it is known who signs.
  judge(scene, {line: credentials.userAuthorities[0] ?? ''});
  const record = adoption && (await recordFor(adoption, credentials, scene, ready));
  // It has names that only the cluster knew: all of that once more, with them.
  if (record !== undefined && adoption?.record === undefined && !covers(scene.names, record))
    return joinFirst(tools, asked, cluster, looking, record);
  return complete(tools, ready, cluster, credentials, record);
}
