// A host that is joined already: no token, no write and no reload where everything is as it should be; else the same road
// as the first join, with whoever speaks for the host instead of a token. `join openssh` and `renew` both go here.

import type {Cluster, Node} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {lookBehind} from '../host/look-behind.js';
import {SCHEDULER_PLACES} from '../host/scheduler.js';
import type {Step} from '../plan/step.js';
import {carryOut} from './carry-out.js';
import {changes, commandSteps, isPlacement} from './changes.js';
import type {Credentials} from './credentials.js';
import {describeCredentials} from './describe.js';
import {reasonsOf, whatIsDue} from './due.js';
import {firstLook} from './first-look.js';
import type {Tools} from './join.js';
import {type Joined, joined} from './joined.js';
import {isSameOrigin} from './labels/source.js';
import {describeLeft} from './leave/report.js';
import {nodeOf, withExpiry} from './node.js';
import type {Ownership} from './ownership.js';
import {preparePam, rememberedPam} from './pam/prepare.js';
import {touchesPam} from './pam/steps.js';
import {planNoPam} from './pam/take-back.js';
import {preview} from './preview.js';
import {serves} from './proof.js';
import {credentialsOf, refresh} from './refresh.js';
import {checkUnique, type Registration, registration} from './register.js';
import {kindOfKey, rehearseScene} from './rehearsal.js';
import {interruptible} from './reporter.js';
import {prepareScene, type Scene} from './scene.js';
import {draft, type JoinSettings, type JoinWish} from './settings.js';
import type {Authorities} from './speaker.js';
import {hasTimer} from './timer/plan.js';
import {mergeAuthorities, readExisting, type UserAuthorities} from './user-authorities.js';
import {judge, judgeReload} from './verdict.js';
import {refuseUnlessNamed, type Speak, speakForJoin} from './voice.js';

/** How a joined host stands, and what is to be done about it. */
export interface Assessment {
  readonly scene: Scene;
  readonly settings: JoinSettings;
  readonly credentials: Credentials;
  readonly authorities: Authorities;
  readonly users: UserAuthorities;
  /** What was or is to be signed again, a reason each. */
  readonly due: readonly string[];
  readonly steps: readonly Step[];
  /** Steps that put back our lines in the configuration; they are among `steps` only where that is wished. */
  readonly drift: readonly Step[];
  readonly served: boolean;
  /** The record names this host as it was called before. */
  readonly renamed: boolean;
  /** Where the labels come from is not what the record says yet. */
  readonly retold: boolean;
  readonly node: Node | undefined;
  readonly record: Registration | undefined;
  /** What had changed this host last when it was looked at. */
  readonly transaction: string;
}

export async function joinAgain(
  tools: Tools,
  asked: JoinWish,
  cluster: Cluster,
  owned: Ownership,
  looking: Promise<HostFacts>,
): Promise<Joined> {
  refuseOtherNode(asked, owned);
  const {hostname = owned.settings.hostname} = asked;
  // Whoever names the node anew knows which host this is.
  const wish = {renamed: hostname !== owned.settings.hostname, ...asked};
  // The same proxy, or another address of the same cluster.
  if (wish.proxy !== undefined && wish.proxy !== owned.settings.proxy)
    await refuseUnlessNamed(owned.settings.cluster, cluster);
  const speak = speakForJoin(tools, wish, cluster, owned);
  const assessment = await assess(tools, wish, cluster, owned, looking, speak, true);
  const {scene, settings, credentials, users, record} = assessment;
  if (settings.identity === 'discarded' && hasTimer(owned.files, SCHEDULER_PLACES))
    tools.report.warn(IDLE_TIMER);
  await rehearseChange(tools, wish, assessment);
  if (wish.dryRun) {
    const {certificates} = credentials;
    const identity = settings.identity ?? credentials.identity;
    const content = {certificates, identity, userAuthorities: users.text, recordRight: record?.right ?? true};
    return preview(tools, wish, scene, settings, content);
  }
  const changed = await bringAbout(tools, wish, assessment, 'join openssh');
  return joined(changed, settings, scene, credentials, users);
}

function refuseOtherNode({nodeId}: JoinWish, {settings}: Ownership): void {
  if (nodeId === undefined || nodeId === settings.nodeId) return;
  throw new Failure('USAGE', `this host is joined as the node ${settings.nodeId} already`, {
    hint: 'nothing was changed; leave --node-id out, or leave first and join under the other id',
  });
}

const IDLE_TIMER =
  'the timer has nothing to renew with any more: take it out with `agentless renew --remove-timer`, or keep the identity';

/** `sign`: what is due is signed, which changes nothing on this host; else it is only told. */
export async function assess(
  tools: Tools,
  wish: JoinWish,
  cluster: Cluster,
  owned: Ownership,
  looking: Promise<HostFacts>,
  speak: Speak,
  sign: boolean,
): Promise<Assessment> {
  const {host, report} = tools;
  const renamed = owned.host !== host.name;
  if (renamed && !wish.renamed) report.warn(ofOtherHost(owned.host, host.name));
  const facts = await firstLook(tools, looking, wish.reload);
  const names = {nodeId: owned.settings.nodeId, cluster: owned.settings.cluster};
  const wanted = {...draft(wish, owned.settings, facts), ...names};
  const pam = await preparePam(tools, facts, wish, owned.settings);
  const former = pam === undefined && typeof owned.settings.pam === 'object' ? owned.settings.pam : undefined;
  const scene = await prepareScene(host, facts, wanted, report, wish, pam, former);
  const held = await readCertificates(host, scene);
  // Asked while the cluster is: where nothing is due these are the certificates in question.
  const serving = isAsked(wish, scene) ? serves(host, facts, held) : Promise.resolve(true);
  serving.catch(() => undefined);
  const request = {...wanted, nodeName: wanted.hostname, ...scene};

  const contact = await speak(scene, request);
  const fewerNames = wish.fewerNames ?? isTold(wish);
  const current = credentialsOf(contact, contact.authorities, held);
  const {authorities, ...credentials} = sign
    ? await interruptible(tools, 'identity', refresh(contact, held, request, fewerNames), describeCredentials)
    : {...current, authorities: contact.authorities};
  for (const warning of judge(scene, {line: credentials.userAuthorities[0] ?? ''})) report.warn(warning);
  const existing = await readExisting(host, scene.existingAuthorities);
  const users = mergeAuthorities(credentials.userAuthorities, existing, scene.existingAuthorities);
  for (const warning of users.warnings) report.warn(warning);
  // What is absent from what is wanted is not as before, but not wanted.
  const {
    expires: _expires,
    trust: _trust,
    identity: _identity,
    pam: _pam,
    labelsFrom,
    ...stored
  } = owned.settings;
  const settings: JoinSettings = {
    ...stored,
    ...wanted,
    address: wanted.address ?? owned.settings.address,
    proxy: wish.proxy ?? owned.settings.proxy,
    registered: wish.register,
    ...rememberedPam(wish, pam, owned.settings),
  };
  const node = wish.register ? await withExpiry(nodeOf(settings), settings.expires, cluster) : undefined;
  const stale = owned.files.filter((path) => isStale(path, scene));
  const content = {
    identity: settings.identity ?? credentials.identity,
    certificates: credentials.certificates,
    userAuthorities: users.text,
  };
  const [planned, gone, record, served] = await Promise.all([
    changes(host, scene, wish, content, stale),
    former && planNoPam(host, wish.dataDir, wish.reload),
    node ? registration(contact.session, node, (settings.expires ?? 0) * 500) : undefined,
    credentials.renewed.length > 0 || serving,
  ]);
  const due = sign
    ? credentials.renewed
    : reasonsOf(whatIsDue({...contact, certificates: held}, authorities.hosts, request));
  for (const left of gone?.left ?? []) report.warn(describeLeft(left, wish.dataDir));
  const drift = isForOtherKeys(scene, owned) ? [] : planned.filter((step) => isPlacement(step, scene));
  const {transaction} = owned;
  const retold = !isSameOrigin(labelsFrom, settings.labelsFrom);
  const found = {due, drift, served, renamed, retold, node, record, transaction};
  const assessed = {scene, settings, credentials, authorities, users, ...found};
  return {...assessed, steps: [...toDo(planned, drift, assessed, wish), ...(gone?.steps ?? [])]};
}

/**
 * Our lines are all there as we wrote them, and the host keys are others now: nobody has taken anything out, so that the
 * lines of today's keys are due like their certificates.
 */
function isForOtherKeys({layout, previous, standsFor}: Scene, {files}: Ownership): boolean {
  const known = files.filter((path) => path.startsWith(`${layout.directory}/`) && path.endsWith('-cert.pub'));
  return (
    known.every((path) => previous.includes(path)) &&
    standsFor(previous) &&
    // Else it is something about the files themselves, such as a mode.
    !standsFor([...layout.certificates.values()])
  );
}

const isAsked = ({reload}: JoinWish, {facts}: Scene) => reload && facts.daemon.state !== 'stopped';

/** Right files are not enough: a daemon that was never told of them is told now. */
function toDo(
  planned: readonly Step[],
  drift: readonly Step[],
  {scene, served}: Pick<Assessment, 'scene' | 'served'>,
  wish: JoinWish,
): readonly Step[] {
  if (drift.length > 0 && wish.keepDrift) {
    const rest = planned.filter((step) => step.kind === 'path' && !drift.includes(step));
    // Without our lines sshd reads none of our files, and there is nothing to tell it; some of them may be left.
    const reads = rest.some((step) => step.kind === 'path' && scene.previous.includes(step.via ?? step.path));
    return reads && wish.reload ? [...rest, ...commandSteps(scene, wish)] : rest;
  }
  return planned.length > 0 || served ? planned : commandSteps(scene, wish);
}

/** A copy would renew and overwrite the node of the original, with the original's own credential. */
function ofOtherHost(then: string, now: string): string {
  return `this host joined as ${then} and is ${now} now: if it was renamed, \`renew --repair\` records that; on a copy of ${then}, \`leave --local\` and join again`;
}

/** Whoever names the node anew means its names to change. */
const isTold = ({hostname, address, additionalPrincipals}: JoinWish) =>
  [hostname, address, additionalPrincipals].some((one) => one !== undefined);

/** Before anything changes, as at the first join; also where only logins are to be tried. */
export async function rehearseChange(tools: Tools, wish: JoinWish, assessment: Assessment): Promise<void> {
  const {scene, steps, credentials} = assessment;
  if (steps.some(({kind}) => kind === 'command'))
    for (const warning of judgeReload(scene.facts)) tools.report.warn(warning);
  if (steps.length === 0 && wish.proveLogins.length === 0) return;
  // A login is made for real, so only where it is PAM that changes.
  const pam = touchesPam(steps, scene.pam) ? scene.pam : undefined;
  await rehearseScene(tools, wish, {...scene, pam}, kindOfKey(credentials.signer));
}

/** False when nothing had to be done. */
export async function bringAbout(
  tools: Tools,
  wish: JoinWish,
  {scene, steps, settings, credentials, drift, renamed, retold, node, record, transaction}: Assessment,
  operation: string,
): Promise<boolean> {
  // A record that is right is left alone, and so is whoever else has the name by now.
  const wanted = record?.right ? undefined : node;
  if (steps.length === 0 && wanted === undefined && !(renamed && wish.renamed) && !retold) return false;
  const outdated = wanted ? await checkUnique(credentials.session, wanted, wish.replace, tools.confirm) : [];
  const before = record?.found;
  await carryOut(tools, {
    operation,
    wish,
    scene,
    steps,
    settings,
    credentials,
    node: wanted,
    outdated,
    continues: transaction,
    unread: drift.length > 0 && wish.keepDrift === true,
    ...(before && {before}),
  });
  return true;
}

/** The certificates that lie in their places now, by host key file. */
async function readCertificates(host: Host, scene: Scene): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const [key, path] of scene.layout.certificates) {
    // A link stays what it is, as when something is written.
    const entry = await lookBehind(host, path);
    if (entry?.kind === 'file') found.set(key, Buffer.from(entry.bytes).toString('latin1').trim());
  }
  return found;
}

/** A certificate of ours whose host key is gone. */
function isStale(path: string, {layout}: Scene): boolean {
  const needed = [...layout.certificates.values(), layout.userAuthorities];
  return path.startsWith(`${layout.directory}/`) && path.endsWith('-cert.pub') && !needed.includes(path);
}
