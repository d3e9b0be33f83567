// The first half of a join, in which nothing changes: the host and the cluster are looked at, and all is rehearsed.

import {randomUUID} from 'node:crypto';
import type {Cluster, ClusterInfo, Node} from '../../cluster/cluster.js';
import type {Proof} from '../../cluster/proof.js';
import type {HostFacts} from '../../host/facts.js';
import {type Admitted, admit} from '../admission.js';
import {type Adoption, prepareAdoption} from '../adopt/adopt.js';
import {describeCluster, describeProof} from '../describe.js';
import {firstLook} from '../first-look.js';
import type {Tools} from '../join.js';
import {findLeftovers} from '../leftovers.js';
import {type Pam, preparePam} from '../pam/prepare.js';
import {authorityKind, rehearseScene} from '../rehearsal.js';
import {interruptible} from '../reporter.js';
import {prepareScene, type Scene} from '../scene.js';
import {type Draft, draft, type JoinWish} from '../settings.js';
import {readExisting} from '../user-authorities.js';
import {judge, judgeReload} from '../verdict.js';

/** What is known once the host could be joined, and nothing was asked of the cluster that it counts. */
export interface Ready {
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

/** Changes nothing. 'without PAM': all is well but for what PAM would do, and nobody has asked for that. */
export async function makeReady(
  tools: Tools,
  asked: JoinWish,
  cluster: Cluster,
  looking: Promise<HostFacts>,
  known: Node | undefined,
): Promise<Ready | 'without PAM'> {
  const {host, report} = tools;
  const describing = cluster.describe();
  const admitting = asked.admission && admit(cluster, asked.admission);
  admitting?.catch(() => undefined);
  const gathered = tools.gatherProof?.();
  gathered?.catch(() => undefined);
  const standing = await firstLook(tools, looking, asked.reload);
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
