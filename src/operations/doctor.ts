// Walks the whole way from a name to a shell, layer by layer, and says of each what was seen and what to do. Changes
// nothing on the host: what it needs for rehearsals lies in a private directory and is gone afterwards.

import {join} from 'node:path/posix';
import type {Cluster, ClusterInfo} from '../cluster/cluster.js';
import type {Way} from '../cluster/examine.js';
import {Failure} from '../errors.js';
import {glance, isForRootOnly} from '../host/glance.js';
import type {Host} from '../host/host.js';
import {probe} from '../host/probe.js';
import {ReadOnlyHost} from '../host/read-only.js';
import {type ClusterFindings, type ClusterTools, walkToCluster} from './doctor/cluster.js';
import {CHECKS, type Finding, skip} from './doctor/finding.js';
import {localFindings, type Patient} from './doctor/local.js';
import {loginFindings} from './doctor/login.js';
import {signersKeptOut} from './doctor/signers.js';
import type {KeyKind} from './ephemeral.js';
import {installedDirectory} from './layout.js';
import {readIdentity} from './ownership.js';
import {authorityKind, kindOfKey} from './rehearsal.js';
import type {Connect, Trust} from './settings.js';
import {keysThatCount} from './status/authorities.js';
import {inspect} from './status/inspect.js';
import {askCluster} from './status/online.js';
import {type Past, readPast} from './status/past.js';
import {commandsFor, USUAL} from './status/problem.js';

export interface DoctorTools {
  readonly host: Host;
  readonly connect: Connect;
  readonly wayTo: (proxy: string, stored?: Trust) => Way;
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
  const place = {dataDir: wish.dataDir, config: wish.config, reachedBy: host.reachedBy};
  const probing = probe(host);
  const past = await readPast(host, place);
  const commands = commandsFor(place, past.settings);
  const sight = await glance(host, wish.config ?? past.settings?.config ?? USUAL.config, probing);
  const inspection = await inspect(host, {sight, past, dataDir: wish.dataDir, commands});
  const patient = {past, sight, inspection, commands};
  const online = await onlineFindings(tools, host, wish, patient);
  const asked = online.asked?.userKeys ?? [];
  const signers = asked.length > 0 ? asked : keysThatCount((inspection.trusted?.cluster ?? []).join('\n'));
  const kind = signingKind(signers, online.info);
  const local = await localFindings(host, patient, online.asked, typeOf(kind));
  const revoked = local.filter(({check, status}) => check === 'revoked' && status === 'fail');
  const findings = [
    ...online.findings,
    ...local,
    ...(await logins(tools.host, patient, {kind, signers, revoked}, wish.logins)),
  ];
  return {
    host: past.settings?.hostname ?? host.name,
    state: past.state,
    ...(past.settings && {cluster: past.settings.cluster}),
    findings: findings.sort((a, b) => CHECKS.indexOf(a.check) - CHECKS.indexOf(b.check)),
  };
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
    const why =
      patient.past.state === 'unknown'
        ? 'it is not known which one this host has joined'
        : 'this host has joined none';
    return {findings: [skip('name', `no cluster was looked for: ${why}`, fix)]};
  }
  const cluster = await tools.connect(proxy, settings?.trust);
  try {
    const joined = settings && (await joinedTools(host, wish.dataDir, cluster, patient));
    return await walkToCluster({way: tools.wayTo(proxy, settings?.trust), cluster, ...(joined && {joined})});
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
  const identity =
    settings.identity ??
    (await readIdentity(host, dataDir, settings).catch((error: unknown) => {
      if (error instanceof Failure) return 'lost' as const;
      throw error;
    }));
  const compared = {settings, held: inspection.held, trusted: inspection.trusted, commands};
  return {cluster: settings.cluster, identity, ask: (own) => askCluster(cluster, own, compared)};
}

/** The kind of key that signs users: of the keys that do or are trusted, else of the cluster, else what new clusters have. */
function signingKind([line]: readonly string[], info: ClusterInfo | undefined): KeyKind {
  return line === undefined ? authorityKind(info?.suite ?? 'balanced-v1') : kindOfKey(line);
}

function typeOf(kind: KeyKind): string {
  return kind === 'rsa2048' ? 'ssh-rsa' : kind === 'p256' ? 'ecdsa-sha2-nistp256' : 'ssh-ed25519';
}

async function logins(
  host: Host,
  patient: Patient,
  {kind, signers, revoked}: {kind: KeyKind; signers: readonly string[]; revoked: readonly Finding[]},
  wanted: readonly string[],
): Promise<readonly Finding[]> {
  const {past, sight, commands} = patient;
  if (wanted.length === 0) return [];
  const {facts} = sight;
  if (facts === undefined) {
    const why = 'not tried: sshd could not be asked for its configuration';
    const forRoot = sight.obstacles.some((one) => isForRootOnly(one, sight.probe));
    const fix = (login: string) =>
      forRoot
        ? `${commands.asRoot}: ${commands.doctor} --login ${login}`
        : 'mend what is said of sshd and its configuration first';
    return wanted.map((login) => ({...skip('login', `${login} was ${why}`, fix(login)), login}));
  }
  const file = join(installedDirectory(sight.config), 'trusted_user_ca_keys');
  const about = {file, joined: past.settings !== undefined, commands};
  const keptOut = await signersKeptOut(host, facts, signers, about);
  const obstacles = [...(keptOut ? [keptOut] : []), ...revoked.map(({text, fix = ''}) => ({text, fix}))];
  return loginFindings(host, facts, {logins: wanted, kind, signers, obstacles});
}
