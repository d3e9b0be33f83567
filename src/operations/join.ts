// Join this host to a cluster. The order is the promise: look, rehearse, obtain, write, reload, prove, register. Until
// "write" nothing on the host has changed; from there on everything is undone unless the end is reached.

import {randomUUID} from 'node:crypto';
import type {Cluster} from '../cluster/cluster.js';
import type {AwsProof, Proof} from '../cluster/proof.js';
import {Failure} from '../errors.js';
import {type HostFacts, lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {admit, credentialsBy, noToken} from './admission.js';
import {carryOut} from './carry-out.js';
import {changes} from './changes.js';
import {describeCluster, describeFacts, describeProof} from './describe.js';
import {type Joined, joined} from './joined.js';
import {settleLabels} from './labels/settle.js';
import {findLeftovers} from './leftovers.js';
import {nodeOf, settleAddress, withExpiry} from './node.js';
import {readOwnership} from './ownership.js';
import {preparePam, rememberedPam} from './pam/prepare.js';
import {preview} from './preview.js';
import {type Confirm, checkUnused} from './register.js';
import {authorityKind, rehearseScene} from './rehearsal.js';
import {joinAgain} from './rejoin.js';
import {interruptible, type Reporter} from './reporter.js';
import {prepareScene} from './scene.js';
import {addressWarning, type Connect, draft, type JoinWish} from './settings.js';
import {mergeAuthorities, readExisting} from './user-authorities.js';
import {judge, judgeReload} from './verdict.js';

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
  if (owned === undefined && wish.admission === undefined && !wish.dryRun) throw noToken();
  tools.report.heading(
    `Joining ${wish.hostname ?? owned?.settings.hostname ?? tools.host.name} through ${proxy}`,
  );
  again = await settleLabels(tools, again, owned?.settings);
  // The host is asked first: its processes work while the cluster's client is still being loaded.
  const looking = lookAt(tools.host, wish.config, wish.dataDir);
  looking.catch(() => undefined);
  const cluster = await tools.connect(proxy, owned?.settings.trust);
  try {
    return await (owned
      ? joinAgain(tools, again, cluster, owned, looking)
      : joinFirst(tools, again, cluster, looking));
  } finally {
    await cluster.close();
  }
}

type Looking = Promise<HostFacts>;

async function joinFirst(tools: Tools, wish: JoinWish, cluster: Cluster, looking: Looking): Promise<Joined> {
  const {host, report} = tools;
  const asked = cluster.describe();
  const admitting = wish.admission && admit(cluster, wish.admission);
  admitting?.catch(() => undefined);
  const gathered = tools.gatherProof?.();
  gathered?.catch(() => undefined);
  const facts = await interruptible(tools, 'look', looking, describeFacts);
  const info = await interruptible(tools, 'cluster', asked, describeCluster);
  const admitted = await admitting;

  const proof: Proof = gathered
    ? await interruptible(tools, 'aws', gathered, describeProof)
    : {method: 'token'};
  const nodeId = proof.method === 'ec2' ? proof.nodeId : (wish.nodeId ?? randomUUID());
  const wanted = draft(wish, undefined, facts);
  const named = {...wanted, nodeId, cluster: info.name};
  const pam = await preparePam(tools, facts, wish);
  const scene = await prepareScene(host, facts, named, report, wanted, pam);
  const existing = await readExisting(host, scene.existingAuthorities);
  const authority = authorityKind(info.suite);
  const findings = [...judge(scene, {kind: authority}), ...(wish.reload ? judgeReload(facts) : [])];
  for (const warning of findings) report.warn(warning);
  const left = await findLeftovers(host, wish);
  if (left.length > 0)
    report.warn(`an earlier join has left files and no record; they are taken over: ${left.join(', ')}`);

  // On a throw-away sshd with throw-away authorities: no token is spent on a host that could not serve a certificate.
  if (!(await rehearseScene(tools, wish, scene, authority)))
    return joinFirst(tools, {...wish, pam: {choice: 'none'}}, cluster, looking);
  if (wish.dryRun || admitted === undefined)
    return preview(tools, wish, scene, {...wanted, nodeId, cluster: info.name, proxy: info.proxy});

  // Verified, and in memory only.
  const request = {nodeId, nodeName: wanted.hostname, ...scene};
  const credentials = await credentialsBy(tools, cluster, admitted, proof, request);
  // A cluster may have changed its suite and not its authority: now it is known who signs.
  judge(scene, {line: credentials.userAuthorities[0] ?? ''});
  const address = settleAddress(wanted.address, credentials, scene);
  const undialled = wanted.address === undefined ? addressWarning(address) : undefined;
  if (undialled !== undefined) report.warn(undialled);
  const record = nodeOf({...wanted, nodeId, address});
  const node = wish.register ? await withExpiry(record, wanted.expires, cluster) : undefined;
  const outdated = node ? await checkUnused(tools, wish, credentials.session, node) : [];

  const authorities = mergeAuthorities(credentials.userAuthorities, existing, scene.existingAuthorities);
  for (const warning of authorities.warnings) report.warn(warning);
  const identity = wanted.identity ?? credentials.identity;
  const {certificates} = credentials;
  const content = {identity, certificates, userAuthorities: authorities.text};
  const steps = await changes(host, scene, wish, content, [], left.length > 0);

  const settings = {
    ...wanted,
    cluster: info.name,
    proxy: info.proxy,
    nodeId,
    address,
    config: wish.config,
    registered: wish.register,
    ...rememberedPam(wish, pam),
  };
  await carryOut(tools, {
    operation: 'join openssh',
    wish,
    scene,
    steps,
    settings,
    credentials,
    node,
    outdated,
  });
  return joined(true, settings, scene, credentials, authorities);
}
