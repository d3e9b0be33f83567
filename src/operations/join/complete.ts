// The second half of a join: everything is known and signed, so the host is changed, proven, and registered.

import type {Cluster, Node} from '../../cluster/cluster.js';
import {asRecorded} from '../adopt/node.js';
import {adoptedBy} from '../adopt/report.js';
import {carryOut} from '../carry-out.js';
import {changes} from '../changes.js';
import type {Credentials} from '../credentials.js';
import type {Tools} from '../join.js';
import {type Joined, joined} from '../joined.js';
import {nodeOf, settleAddress, withExpiry} from '../node.js';
import {rememberedPam} from '../pam/prepare.js';
import {checkUnused} from '../register.js';
import {addressWarning, draft} from '../settings.js';
import {mergeAuthorities} from '../user-authorities.js';
import type {Ready} from './ready.js';

/** `record`: that of a host which is adopted. */
export async function complete(
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
  const undialled = wanted.address === undefined ? addressWarning(address) : undefined;
  if (undialled !== undefined) report.warn(undialled);
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
