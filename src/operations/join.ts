// Join this host to a cluster. The order is the promise: look, rehearse, obtain, write, reload, prove, register. Until
// "write" nothing on the host has changed; from there on everything is undone unless the end is reached.

import {randomUUID} from 'node:crypto';
import type {Cluster, ClusterInfo, Node} from '../cluster/cluster.js';
import type {AwsProof, Proof} from '../cluster/proof.js';
import {Failure} from '../errors.js';
import {type HostFacts, lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {type Admitted, admit, credentialsBy, noToken} from './admission.js';
import {type Adoption, prepareAdoption, refuseJoinedTwice} from './adopt/adopt.js';
import {asRecorded, covers, findNode} from './adopt/node.js';
import {adopted} from './adopt/report.js';
import {carryOut} from './carry-out.js';
import {changes} from './changes.js';
import type {Credentials} from './credentials.js';
import {describeCluster, describeFacts, describeProof} from './describe.js';
import {type Joined, joined} from './joined.js';
import {findLeftovers} from './leftovers.js';
import {nodeOf, settleAddress, withExpiry} from './node.js';
import {readOwnership} from './ownership.js';
import {type Pam, preparePam, rememberedPam} from './pam/prepare.js';
import {preview} from './preview.js';
import {type Confirm, checkUnused} from './register.js';
import {authorityKind, rehearseScene} from './rehearsal.js';
import {joinAgain} from './rejoin.js';
import {interruptible, type Reporter} from './reporter.js';
import {prepareScene, type Scene} from './scene.js';
import {type Connect, type Draft, draft, type JoinWish} from './settings.js';
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
    `${wish.adopt ? 'Adopting' : 'Joining'} ${wish.hostname ?? owned?.settings.hostname ?? tools.host.name} through ${proxy}`,
  );
  // The host is asked first: its processes work while the cluster's client is still being loaded.
  const looking = lookAt(tools.host, wish.config, wish.dataDir);
  looking.catch(() => undefined);
  const cluster = await tools.connect(proxy, owned?.settings.trust);
  try {
    if (owned === undefined) return await joinFirst(tools, again, cluster, looking);
    if (wish.adopt)
      await refuseJoinedTwice(tools, await looking, owned.settings.cluster, () => cluster.userAuthorities());
    return await joinAgain(tools, wish, cluster, owned, looking);
  } finally {
    await cluster.close();
  }
}

type Looking = Promise<HostFacts>;

/** What is known once the host could be joined, and nothing was asked of the cluster that it counts. */
interface Ready {
  readonly wish: JoinWish;
  readonly info: ClusterInfo;
  readonly admitted: Admitted | undefined;
  readonly proof: Proof;
  readonly nodeId: string;
  readonly wanted: Draft;
  readonly pam: Pam | undefined;
  readonly scene: Scene;
  readonly adoption: Adoption | undefined;
  /** Text of the user authorities that are trusted now. */
  readonly existing: string | undefined;
  /** Files of a join whose record is gone are here. */
  readonly hasLeftovers: boolean;
}

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
  return settle(tools, ready, cluster, credentials, record);
}

/** Changes nothing. 'without PAM': all is well but for what PAM would do, and nobody has asked for that. */
async function makeReady(
  tools: Tools,
  asked: JoinWish,
  cluster: Cluster,
  looking: Looking,
  known: Node | undefined,
): Promise<Ready | 'without PAM'> {
  const {host, report} = tools;
  const describing = cluster.describe();
  const admitting = asked.admission && admit(cluster, asked.admission);
  admitting?.catch(() => undefined);
  const gathered = tools.gatherProof?.();
  gathered?.catch(() => undefined);
  const standing = await interruptible(tools, 'look', looking, describeFacts);
  const info = await interruptible(tools, 'cluster', describing, describeCluster);
  const admitted = await admitting;

  const adoption = asked.adopt
    ? await prepareAdoption(tools, asked, cluster, info, standing, admitted, known)
    : undefined;
  const {takeover, wish} = adoption ?? {wish: asked};
  const facts = takeover?.facts ?? standing;
  const proof: Proof = gathered
    ? await interruptible(tools, 'aws', gathered, describeProof)
    : {method: 'token'};
  const nodeId = proof.method === 'ec2' ? proof.nodeId : (wish.nodeId ?? randomUUID());
  const wanted = draft(wish, undefined, facts);
  const named = {...wanted, nodeId, cluster: info.name};
  const pam = await preparePam(tools, facts, wish);
  const scene = await prepareScene(host, facts, named, report, wanted, pam, undefined, takeover);
  const existing = await readExisting(host, scene.existingAuthorities);
  const authority = authorityKind(info.suite);
  const findings = [...judge(scene, {kind: authority}), ...(wish.reload ? judgeReload(facts) : [])];
  for (const warning of findings) report.warn(warning);
  const left = await findLeftovers(host, wish);
  if (left.length > 0)
    report.warn(`an earlier join has left files and no record; they are taken over: ${left.join(', ')}`);

  // On a throw-away sshd with throw-away authorities: no token is spent on a host that could not serve a certificate.
  if (!(await rehearseScene(tools, wish, scene, authority))) return 'without PAM';
  const hasLeftovers = left.length > 0;
  return {wish, info, admitted, proof, nodeId, wanted, pam, scene, adoption, existing, hasLeftovers};
}

/** The record of a host that is adopted, by whoever may see it. */
async function recordFor(
  {record, looked}: Adoption,
  credentials: Credentials,
  scene: Scene,
  {wish: {nodeId: id}, wanted}: Ready,
): Promise<Node | undefined> {
  if (looked) return record;
  const address = settleAddress(wanted.address, credentials, scene);
  return findNode(credentials.session, {id, hostname: wanted.hostname, address});
}

const adoptedBy = (adoption: Adoption | undefined, record: Node | undefined, looked = adoption?.looked) =>
  adoption && {adopted: adopted(adoption.takeover, record, looked ?? false)};

/** Everything is known and signed: the host is changed, and the record written. */
async function settle(
  tools: Tools,
  {wish: asked, info, nodeId, scene, adoption, pam, existing, hasLeftovers}: Ready,
  cluster: Cluster,
  credentials: Credentials,
  record: Node | undefined,
): Promise<Joined> {
  const {host, report} = tools;
  const wish = record ? asRecorded(asked, record) : asked;
  const wanted = draft(wish, undefined, scene.facts);
  const address = settleAddress(wanted.address, credentials, scene);
  const settings = {
    ...wanted,
    cluster: info.name,
    proxy: info.proxy,
    nodeId,
    address,
    config: wish.config,
    registered: wish.register,
    ...(adoption && {adopted: true as const}),
    ...rememberedPam(wish, pam),
  };
  const node = wish.register ? await withExpiry(nodeOf(settings), wanted.expires, cluster) : undefined;
  const outdated = node ? await checkUnused(tools, wish, credentials.session, node) : [];
  if (adoption && record === undefined && node !== undefined)
    report.warn(`the cluster has no record of this host: a new one is made, ${nodeId}`);

  const users = mergeAuthorities(credentials.userAuthorities, existing, scene.existingAuthorities);
  for (const warning of users.warnings) report.warn(warning);
  const identity = wanted.identity ?? credentials.identity;
  const {certificates} = credentials;
  const content = {identity, certificates, userAuthorities: users.text};
  const steps = await changes(host, scene, wish, content, [], hasLeftovers);
  await carryOut(tools, {
    operation: adoption ? 'adopt' : 'join openssh',
    wish,
    scene,
    steps,
    settings,
    credentials,
    node,
    outdated,
    ...(record && {before: record}),
  });
  return {...joined(true, settings, scene, credentials, users), ...adoptedBy(adoption, record, true)};
}
