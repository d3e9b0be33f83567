// Walks the whole way from a name to a shell, layer by layer, and says of each what was seen and what to do. Changes
// nothing on the host: what it needs for rehearsals lies in a private directory and is gone afterwards.

import type {Cluster, ClusterInfo} from '../cluster/cluster.js';
import type {Way} from '../cluster/examine.js';
import {Failure} from '../errors.js';
import {type Glance, glance} from '../host/glance.js';
import type {Host} from '../host/host.js';
import {probe} from '../host/probe.js';
import {ReadOnlyHost} from '../host/read-only.js';
import {type ClusterFindings, type ClusterTools, walkToCluster} from './doctor/cluster.js';
import {addressFinding, optionsFinding, servedFindings, sshdFinding} from './doctor/daemon.js';
import {bad, CHECKS, type Finding, findingsOf, ok, skip} from './doctor/finding.js';
import {loginFindings} from './doctor/login.js';
import {policyFinding, settingFindings, typesInUse} from './doctor/settings.js';
import {authorityFindings, revokedFinding} from './doctor/trust.js';
import type {KeyKind} from './ephemeral.js';
import {readIdentity} from './ownership.js';
import {authorityKind, kindOfKey} from './rehearsal.js';
import {type Inspection, inspect} from './status/inspect.js';
import {askCluster} from './status/online.js';
import {type Past, readPast} from './status/past.js';
import {type Commands, commandsFor, type Problem, type ProblemCode, USUAL} from './status/problem.js';

export interface DoctorTools {
  readonly host: Host;
  readonly connect: (proxy: string) => Cluster;
  readonly wayTo: (proxy: string) => Way;
}

export interface DoctorWish {
  readonly dataDir: string;
  readonly config?: string;
  /** Web address of a proxy; the one that was joined when absent. */
  readonly proxy?: string;
  readonly logins: readonly string[];
}

export interface Diagnosis {
  readonly host: string;
  readonly state: Past['state'];
  readonly cluster?: string;
  /** In the order in which a connection meets them. */
  readonly findings: readonly Finding[];
}

export async function doctor(tools: DoctorTools, wish: DoctorWish): Promise<Diagnosis> {
  const host = new ReadOnlyHost(tools.host);
  const commands = commandsFor({dataDir: wish.dataDir, config: wish.config ?? USUAL.config});
  const probing = probe(host);
  const past = await readPast(host, wish.dataDir, commands);
  const sight = await glance(host, wish.config ?? past.settings?.config ?? USUAL.config, probing);
  const inspection = await inspect(host, {sight, past, dataDir: wish.dataDir, commands});
  const patient = {past, sight, inspection, commands};
  const online = await onlineFindings(tools, host, wish, patient);
  const findings = [
    ...online.findings,
    ...(await localFindings(host, patient, online)),
    ...(await logins(tools.host, patient, online.info, wish.logins)),
  ];
  return {
    host: past.settings?.hostname ?? host.name,
    state: past.state,
    ...(past.settings && {cluster: past.settings.cluster}),
    findings: findings.sort((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check)),
  };
}

interface Patient {
  readonly past: Past;
  readonly sight: Glance;
  readonly inspection: Inspection;
  readonly commands: Commands;
}

async function onlineFindings(
  tools: DoctorTools,
  host: Host,
  wish: DoctorWish,
  patient: Patient,
): Promise<ClusterFindings> {
  const {settings} = patient.past;
  const proxy = wish.proxy ?? settings?.proxy;
  if (proxy === undefined) {
    const fix = 'name it: --proxy-server HOST:PORT';
    return {findings: [skip('name', 'no cluster was looked for: this host has joined none', fix)]};
  }
  const cluster = tools.connect(proxy);
  try {
    const joined = settings && (await joinedTools(host, wish.dataDir, cluster, patient));
    return await walkToCluster({way: tools.wayTo(proxy), cluster, ...(joined && {joined})});
  } finally {
    await cluster.close();
  }
}

async function joinedTools(
  host: Host,
  dataDir: string,
  cluster: Cluster,
  {past: {settings}, inspection, commands}: Patient,
): Promise<ClusterTools['joined']> {
  if (settings === undefined) return undefined;
  const identity = await readIdentity(host, dataDir, settings).catch((error: unknown) => {
    if (error instanceof Failure) return undefined;
    throw error;
  });
  const compared = {settings, held: inspection.held, trusted: inspection.trusted, commands};
  return {cluster: settings.cluster, identity, ask: (own) => askCluster(cluster, own, compared)};
}

const RECORD: readonly ProblemCode[] = [
  'NOT_JOINED',
  'UNREADABLE',
  'RECORD_DAMAGED',
  'RECORD_NEWER',
  'RECORD_OF_OTHER_HOST',
  'INTERRUPTED',
  'JOURNAL_UNUSABLE',
  'BUSY',
  'DATA_DIRECTORY_OPEN',
];
const IDENTITY: readonly ProblemCode[] = [
  'IDENTITY_MISSING',
  'IDENTITY_EXPIRED',
  'IDENTITY_NOT_YET_VALID',
  'IDENTITY_ENDING',
];
const CONFIG: readonly ProblemCode[] = [
  'LINES_MISSING',
  'FILE_MISSING',
  'FILE_CHANGED',
  'FILE_REPLACED',
  'OVERRIDDEN',
  'NOT_IN_EFFECT',
];
const NAMES: readonly ProblemCode[] = [
  'CERTIFICATE_INVALID',
  'CERTIFICATE_EXPIRED',
  'CERTIFICATE_NOT_YET_VALID',
  'CERTIFICATE_ENDING',
  'NAMES_MISSING',
  'HOST_KEY_NEW',
  'HOST_KEY_REPLACED',
];

/** Everything about this host itself. */
async function localFindings(
  host: Host,
  patient: Patient,
  {info, asked}: ClusterFindings,
): Promise<Finding[]> {
  const {past, sight, inspection, commands} = patient;
  const {settings} = past;
  const of = (codes: readonly ProblemCode[]) => (one: Problem) => codes.includes(one.code);
  const {problems, held, names, trusted} = inspection;
  const joined = settings !== undefined;
  return [
    ...recordFindings(past, inspection),
    ...findingsOf('identity', past.problems.filter(of(IDENTITY)), undefined),
    ...(joined ? [await addressFinding(host, sight, settings.address, held)] : []),
    sshdFinding(sight),
    ...configFindings(sight, problems.filter(of(CONFIG)), joined, commands),
    optionsFinding(sight),
    ...(joined ? await servedFindings(host, sight, held, commands) : []),
    ...(joined
      ? findingsOf(
          'names',
          problems.filter(of(NAMES)),
          ok('names', `${held.length} certificates for all of ${names.join(', ')}`),
        )
      : []),
    ...(joined ? authorityFindings(trusted, problems, asked, settings.cluster) : []),
    await revokedFinding(host, sight, trusted),
    ...settingFindings(sight, inspection, typeOf(signingKind(inspection, info))),
    await policyFinding(host, typesInUse(sight, inspection)),
  ];
}

function recordFindings(past: Past, {held}: Inspection): Finding[] {
  const problems = past.problems.filter(({code}) => RECORD.includes(code));
  const [only] = problems;
  if (only?.code === 'NOT_JOINED' && problems.length === 1) {
    if (held.length === 0) return [skip('record', only.message, only.fix)];
    const text = 'there is no record of a join, but certificates of one lie here';
    return [bad('fail', 'record', text, {proof: held.map(({file}) => file).join('\n'), fix: only.fix})];
  }
  const since = past.record?.since.slice(0, 10);
  return findingsOf('record', problems, ok('record', `joined to ${past.settings?.cluster} since ${since}`));
}

function configFindings(
  sight: Glance,
  problems: readonly Problem[],
  joined: boolean,
  {status}: Commands,
): Finding[] {
  const {
    obstacles,
    facts,
    daemon,
    probe: {uid},
    config,
  } = sight;
  const [met] = obstacles;
  const own = findingsOf('config', problems, undefined);
  if (facts !== undefined) {
    const well = joined
      ? `${config} brings our lines in, and nobody overrides them`
      : `${config} is accepted by sshd`;
    return own.length > 0 ? own : [ok('config', well)];
  }
  if (met === undefined || daemon === undefined) return own;
  if (uid !== 0)
    return [
      ...own,
      skip(
        'config',
        'only root may see what sshd makes of its configuration',
        `run with sudo: ${status.replace('status', 'doctor')}`,
      ),
    ];
  return [...own, bad('fail', 'config', met.message, {proof: met.detail ?? '', fix: met.hint ?? ''})];
}

/** The kind of key that signs users: of the keys that are trusted, else of the cluster, else what new clusters have. */
function signingKind({trusted}: Inspection, info: ClusterInfo | undefined): KeyKind {
  const [line] = trusted?.cluster ?? [];
  if (line !== undefined) return kindOfKey(line);
  return authorityKind(info?.suite ?? 'balanced-v1');
}

function typeOf(kind: KeyKind): string {
  return kind === 'rsa2048' ? 'ssh-rsa' : kind === 'p256' ? 'ecdsa-sha2-nistp256' : 'ssh-ed25519';
}

async function logins(
  host: Host,
  {sight: {facts}, inspection, commands}: Patient,
  info: ClusterInfo | undefined,
  wanted: readonly string[],
): Promise<readonly Finding[]> {
  if (wanted.length === 0) return [];
  if (facts === undefined) {
    const why = 'not tried: sshd could not be asked for its configuration';
    return wanted.map((login) => ({
      ...skip(
        'login',
        `${login} was ${why}`,
        `run with sudo: ${commands.status.replace('status', 'doctor')} --login ${login}`,
      ),
      login,
    }));
  }
  const authorities = inspection.trusted?.cluster ?? [];
  return loginFindings(host, facts, {logins: wanted, kind: signingKind(inspection, info), authorities});
}
