// What the cluster says, asked with the host's own identity.

import {CLOCK_HINT, isAboutTime} from '../../cluster/clock-hint.js';
import type {Authority, Cluster, Identity, Session} from '../../cluster/cluster.js';
import {Failure} from '../../errors.js';
import {fingerprint, formatPublicKey, withoutComment} from '../../ssh/key.js';
import {nodeOf, withExpiry} from '../node.js';
import {describeNode, type Registration, registration} from '../register.js';
import {phases} from '../rotation-phases.js';
import type {JoinSettings} from '../settings.js';
import {askAuthorities} from '../speaker.js';
import {fingerprintOf, type TrustedKeys} from './authorities.js';
import type {Held} from './certificates.js';
import {type Commands, type Problem, problem} from './problem.js';

export interface Online {
  readonly proxy: string;
  /** Undefined: the web address did not say, which matters to nothing else. */
  readonly version?: string;
  /** Auth has answered this identity. */
  readonly accepted: boolean;
  /** 'absent', 'different', 'right'; 'unwanted' where the join was told to register nothing. */
  readonly node?: 'absent' | 'different' | 'right' | 'unwanted';
  /** Fingerprints of the keys that sign hosts and users now. */
  readonly hostSigners: readonly string[];
  readonly userSigners: readonly string[];
  /** Which phase the rotation of each authority is in, and what has to be done by when. */
  readonly rotation?: ReturnType<typeof phases>;
}

export interface Asked {
  readonly online: Online;
  /** Keys that sign users now, "type base64"; empty: the cluster did not say. */
  readonly userKeys: readonly string[];
  readonly problems: readonly Problem[];
  readonly warnings: readonly string[];
}

/** What of this host is compared with the cluster. */
export interface Compared {
  readonly settings: JoinSettings;
  readonly held: readonly Held[];
  readonly trusted: TrustedKeys | undefined;
  readonly commands: Commands;
}

export async function askCluster(cluster: Cluster, identity: Identity, compared: Compared): Promise<Asked> {
  const {settings, commands} = compared;
  const session = cluster.as(identity);
  const described = cluster.describe().then(
    ({version}) => ({version}),
    (error: unknown) => ({warning: webWarning(error)}),
  );
  try {
    const [authorities, record, about] = await Promise.all([
      askAuthorities(session),
      settings.registered ? recordOf(session, cluster, settings) : undefined,
      described,
    ]);
    const {hosts, users} = authorities;
    const state = record && (record.found === undefined ? 'absent' : record.right ? 'right' : 'different');
    const online: Online = {
      ...answering(settings, about, true),
      node: state ?? 'unwanted',
      hostSigners: hosts.active.map(fingerprintOf),
      userSigners: users.active.map(fingerprintOf),
      rotation: phases(authorities),
    };
    const problems = [
      ...nodeProblems(settings, record, commands),
      ...signerProblems(hosts, compared),
      ...(await authorityProblems(session, users, compared)),
    ];
    const warnings = 'warning' in about ? [about.warning] : [];
    return {online, userKeys: users.active, problems, warnings};
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const online = {...answering(settings, await described, false), hostSigners: [], userSigners: []};
    return {online, userKeys: [], problems: [unanswered(error, commands)], warnings: []};
  }
}

/** A record that ends is right while it does not end too soon. */
async function recordOf(session: Session, cluster: Cluster, settings: JoinSettings): Promise<Registration> {
  const {expires} = settings;
  const now = () => cluster.now().catch(() => new Date());
  return registration(session, await withExpiry(nodeOf(settings), expires, {now}), (expires ?? 0) * 500);
}

function answering({proxy}: JoinSettings, about: {version: string} | {warning: string}, accepted: boolean) {
  return {proxy, accepted, ...('version' in about && {version: about.version})};
}

/** The web certificate has its own authority, which the host need not know: Auth is verified without it. */
function webWarning(error: unknown): string {
  if (!(error instanceof Failure)) throw error;
  return `the version of the cluster is not known: ${error.message}`;
}

function unanswered(error: Failure, {join, renew}: Commands): Problem {
  const detail = [error.detail, error.hint].filter(Boolean).join('\n');
  if (error.code === 'REQUEST_REFUSED')
    return problem('IDENTITY_REFUSED', error.message, `join again with a token: ${join}`, error.detail);
  if (error.code === 'CLUSTER_UNTRUSTED') {
    // Silent since before a rotation began, a host knows none of the authorities that Auth shows (rotation reference A.7).
    if (isAboutTime(error.detail))
      return problem('CLUSTER_UNTRUSTED', error.message, error.hint ?? CLOCK_HINT, error.detail);
    const fix = `if the authorities were rotated meanwhile: ${renew}; else join again with a token: ${join}`;
    return problem('CLUSTER_UNTRUSTED', error.message, fix, error.detail);
  }
  const fix = 'check the network and the cluster; sshd serves what it has without it';
  return problem('CLUSTER_UNREACHABLE', error.message, fix, detail);
}

function nodeProblems(
  {nodeId}: JoinSettings,
  record: Awaited<ReturnType<typeof registration>> | undefined,
  {renew}: Commands,
): Problem[] {
  if (record === undefined) return [];
  const {found, right, wrong, others} = record;
  const missing = problem('NODE_MISSING', `the cluster has no record of node ${nodeId}`, renew);
  const changed =
    found && problem('NODE_CHANGED', wrong ?? 'the node record was changed', renew, describeNode(found));
  const twins = others.map((other) =>
    problem(
      'NODE_DUPLICATE',
      'another node has the same name or address, so names are ambiguous',
      `remove it if its host is gone: tctl rm node/${other.id}`,
      describeNode(other),
    ),
  );
  return [...(found === undefined ? [missing] : changed && !right ? [changed] : []), ...twins];
}

function signerProblems({active}: Authority, {held, commands}: Compared): Problem[] {
  const old = held.filter(({certificate}) => !active.includes(formatPublicKey(certificate.authority)));
  return old.map(({file, certificate}) => {
    const signer = fingerprint(certificate.authority);
    const text = `${file} is signed by ${signer}, which the cluster signs with no more`;
    return problem(
      'SIGNER_INACTIVE',
      text,
      commands.renew,
      `it signs with ${active.map(fingerprintOf).join(', ')}`,
    );
  });
}

async function authorityProblems(
  session: Session,
  {active, additional}: Authority,
  {trusted, commands}: Compared,
): Promise<Problem[]> {
  if (trusted === undefined) return [];
  const wanted = [...active, ...additional];
  const listed = trusted.cluster.map(withoutComment);
  const missing = wanted.filter((line) => !listed.includes(line));
  const dead = listed.filter((line) => !wanted.includes(line));
  if (missing.length === 0 && dead.length === 0) return [];
  const detail = [
    ...missing.map((line) => `missing ${fingerprintOf(line)}`),
    ...dead.map((line) => `no longer in use ${fingerprintOf(line)}`),
  ].join('\n');
  const signing = missing.filter((line) => active.includes(line));
  if (signing.length > 0 && (await isUserAuthority(session, listed))) {
    const text = `${trusted.file} trusts the user CA of the cluster: it must be the openssh CA, which is another one`;
    return [problem('USER_AUTHORITY', text, commands.repair, detail)];
  }
  if (signing.length > 0) {
    const text = `${trusted.file} lacks ${lackingKeys(signing.length, active.length)}`;
    return [problem('AUTHORITY_MISSING', text, commands.renew, detail)];
  }
  const what =
    missing.length > 0
      ? 'lacks keys that the cluster will sign users with'
      : 'holds keys that have been retired';
  return [problem('AUTHORITIES_OUTDATED', `${trusted.file} ${what}`, commands.renew, detail)];
}

/** sshd takes the certificates of no key that is not in the file: each login by one fails at once. */
function lackingKeys(missing: number, active: number): string {
  if (missing < active)
    return `${missing} of ${active} keys that the cluster signs users with now: some logins fail`;
  return `${active === 1 ? 'the key' : 'every key'} that the cluster signs users with now: logins through it fail`;
}

/** The classic mistake: what `tctl auth export --type=user` gives, instead of --type=openssh. */
async function isUserAuthority(session: Session, listed: readonly string[]): Promise<boolean> {
  const {active, additional} = await session.authority('user');
  return [...active, ...additional].some((line) => listed.includes(line));
}
