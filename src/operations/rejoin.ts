// Join a host that is joined already: no token, no write and no reload where everything is as it should be; else the
// same road as the first join, with the host's own identity instead of a token.

import type {Cluster} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {carryOut} from './carry-out.js';
import {changes, commandSteps} from './changes.js';
import {askAuthorities, refresh} from './credentials.js';
import {describeCredentials, describeFacts, describeRehearsal} from './describe.js';
import type {Tools} from './join.js';
import {type Joined, joined} from './joined.js';
import {nodeOf} from './node.js';
import type {Ownership} from './ownership.js';
import {preview} from './preview.js';
import {serves} from './proof.js';
import {checkUnique, registration} from './register.js';
import {kindOfKey, rehearse} from './rehearsal.js';
import {interruptible} from './reporter.js';
import {prepareScene, type Scene} from './scene.js';
import {draft, type JoinSettings, type JoinWish} from './settings.js';
import {mergeAuthorities, readExisting} from './user-authorities.js';
import {judge, judgeReload} from './verdict.js';

export async function joinAgain(
  tools: Tools,
  wish: JoinWish,
  cluster: Cluster,
  owned: Ownership,
): Promise<Joined> {
  const {host, report} = tools;
  await refuseOtherCluster(wish, cluster, owned.settings);
  const looking = lookAt(host, wish.config, wish.dataDir);
  const session = cluster.as(owned.identity);
  const asked = askAuthorities(session);
  asked.catch(() => undefined);
  const facts = await interruptible(tools, 'look', looking, describeFacts);
  const wanted = {
    ...draft(wish, owned.settings, facts),
    nodeId: owned.settings.nodeId,
    cluster: owned.settings.cluster,
  };
  const scene = await prepareScene(host, facts, wanted, report);
  const current = await readCertificates(host, scene);

  const request = {...wanted, nodeName: wanted.hostname, ...scene};
  const credentials = await interruptible(
    tools,
    'identity',
    refresh(session, owned.identity, await asked, request, current),
    describeCredentials,
  );
  for (const warning of judge(scene, {line: credentials.userAuthorities[0] ?? ''})) report.warn(warning);
  const existing = await readExisting(host, scene.existingAuthorities);
  const authorities = mergeAuthorities(credentials.userAuthorities, existing, scene.existingAuthorities);
  for (const warning of authorities.warnings) report.warn(warning);
  const settings: JoinSettings = {
    ...owned.settings,
    ...wanted,
    address: wanted.address ?? owned.settings.address,
    proxy: wish.proxy ?? owned.settings.proxy,
    registered: wish.register,
  };
  const node = wish.register ? nodeOf(settings) : undefined;
  const content = {...credentials, userAuthorities: authorities.text};
  const stale = owned.files.filter((path) => isStale(path, scene));
  const [planned, record, served] = await Promise.all([
    changes(host, scene, wish, content, stale),
    node ? registration(session, node) : undefined,
    !wish.reload || facts.daemon.state === 'stopped' || serves(host, facts, credentials.certificates),
  ]);
  // Right files are not enough: a daemon that was never told of them is told now.
  const steps = planned.length > 0 || served ? planned : commandSteps(scene, wish);

  const unchanged = steps.length === 0 && (node === undefined || record?.right === true);
  if (steps.some(({kind}) => kind === 'command'))
    for (const warning of judgeReload(facts)) report.warn(warning);
  if (steps.length > 0 || wish.proveLogins.length > 0) {
    const script = {...scene, logins: wish.proveLogins, authority: kindOfKey(credentials.signer)};
    await interruptible(tools, 'rehearse', rehearse(host, script), describeRehearsal);
  }
  if (wish.dryRun)
    return preview(tools, wish, scene, settings, {...content, recordRight: record?.right ?? true});
  if (unchanged) return joined(false, settings, scene, credentials, authorities);
  const outdated = node ? await checkUnique(session, node, wish.replace, tools.confirm) : [];
  const before = record?.found;
  await carryOut(tools, {
    operation: 'join openssh',
    wish,
    scene,
    steps,
    settings,
    credentials,
    node,
    outdated,
    ...(before && {before}),
  });
  return joined(true, settings, scene, credentials, authorities);
}

/** The same proxy, or another address of the same cluster. */
async function refuseOtherCluster(wish: JoinWish, cluster: Cluster, settings: JoinSettings): Promise<void> {
  if (wish.proxy === undefined || wish.proxy === settings.proxy) return;
  const {name} = await cluster.describe();
  if (name === settings.cluster) return;
  throw new Failure('HOST_UNSUITABLE', `this host is joined to ${settings.cluster}, not to ${name}`, {
    hint: `nothing was changed; leave ${settings.cluster} first`,
  });
}

/** The certificates that lie in their places now, by host key file. */
async function readCertificates(host: Host, scene: Scene): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [key, path] of scene.layout.certificates) {
    const entry = await host.look(path);
    if (entry?.kind === 'file') found.set(key, Buffer.from(entry.bytes).toString('latin1').trim());
  }
  return found;
}

/** A certificate of ours whose host key is gone. */
function isStale(path: string, {layout}: Scene): boolean {
  const needed = [...layout.certificates.values(), layout.userAuthorities];
  return path.startsWith(`${layout.directory}/`) && path.endsWith('-cert.pub') && !needed.includes(path);
}
