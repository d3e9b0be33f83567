// Everything of a join that can be seen on this host, compared with what the record wants.

import type {Glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {parseAddress} from '../../ssh/address.js';
import {formatPublicKey} from '../../ssh/key.js';
import {dialledNames} from '../../ssh/principals.js';
import {firstGlobal, settings, withoutOurs} from '../../ssh/sshd-config/index.js';
import {identityPaths} from '../changes.js';
import {installedDirectory, layoutIn} from '../layout.js';
import type {JoinSettings} from '../settings.js';
import {readExisting} from '../user-authorities.js';
import {judgeTrustedKeys, readTrustedKeys, type TrustedKeys} from './authorities.js';
import {type Held, judgeCertificate, readCertificates, uncertifiedKeys} from './certificates.js';
import {effectProblems, missingLines} from './effect.js';
import {compareFiles} from './files.js';
import {type Intent, intentOf, type Placed} from './intent.js';
import {pamProblems} from './pam.js';
import {isIdentityLost, type Past} from './past.js';
import type {Commands, Problem} from './problem.js';
import {certifiedByRivals, findRivals, type Rival} from './rivals.js';
import {compareServed} from './served.js';

export interface Inspection {
  readonly names: readonly string[];
  readonly held: readonly Held[];
  readonly trusted?: TrustedKeys;
  readonly rivals: readonly Rival[];
  /** Undefined: the daemon was not asked. */
  readonly served?: boolean;
  readonly problems: readonly Problem[];
  /** Paths that this user may not see. */
  readonly unseen: readonly string[];
}

/** What is to be compared: the host as it was glanced at, and what is known of its past. */
export interface Subject {
  readonly sight: Glance;
  readonly past: Past;
  readonly dataDir: string;
  readonly commands: Commands;
}

export async function inspect(host: Host, subject: Subject): Promise<Inspection> {
  const {past, sight, dataDir, commands} = subject;
  const {record, settings: wanted} = past;
  if (record === undefined || wanted === undefined) return inspectLeft(host, sight, commands);
  const {tree} = sight;
  const isRead = (placed: Placed) => tree === undefined || missingLines(tree, placed, commands).length === 0;
  const intent = intentOf(record, sight.config, dataDir, isRead);
  const [files, {held, problems: unreadable}, trusted] = await Promise.all([
    compareFiles(host, record, {identity: identityPaths(dataDir)[0], lost: isIdentityLost(past)}, commands),
    readCertificates(host, intent.certificates, commands),
    readTrustedKeys(host, intent.userAuthorities),
  ]);
  const placed = stillThere(intent, files.problems);
  const lines = sight.tree ? missingLines(sight.tree, placed, commands) : [];
  const read = lines.length > 0 ? undefined : placed;
  // What takes a while to answer is asked first.
  const [{served, problems: unserved}, rivals, pam] = await Promise.all([
    compareServed(host, sight, held, commands),
    sight.tree ? findRivals(host, {...sight, tree: sight.tree}, intent, held) : [],
    pamProblems(host, subject, read, files.problems),
  ]);
  const names = namesOf(wanted);
  const effect = effectProblems(sight, intent, rivals, lines.length + files.problems.length > 0, commands);
  const problems = [
    ...lines,
    ...files.problems,
    ...effect,
    ...pam,
    // A daemon that cannot have taken our lines serves nothing of ours.
    ...(lines.length + effect.length > 0 ? [] : unserved),
    ...unreadable,
    ...held.flatMap((one) => judgeCertificate(one, names, commands)),
    ...(await keyProblems(host, sight, held, rivals, commands)),
    ...(await trustProblems(host, sight, trusted, commands)),
  ];
  return {
    names,
    held,
    rivals,
    problems,
    unseen: files.unseen,
    ...(trusted && {trusted}),
    ...(served !== undefined && {served}),
  };
}

/** Without a record nobody knows what was wanted; what lies in our directory is shown all the same. */
async function inspectLeft(host: Host, {config}: Glance, commands: Commands): Promise<Inspection> {
  const directory = installedDirectory(config);
  const entry = await host.look(directory).catch(() => undefined);
  const names = entry?.kind === 'directory' ? entry.names.filter((name) => name.endsWith('-cert.pub')) : [];
  const [{held}, trusted] = await Promise.all([
    readCertificates(
      host,
      names.map((name) => `${directory}/${name}`),
      commands,
    ),
    readTrustedKeys(host, `${directory}/trusted_user_ca_keys`),
  ]);
  const principals = [...new Set(held.flatMap(({certificate}) => certificate.principals))];
  return {names: principals, held, ...(trusted && {trusted}), rivals: [], problems: [], unseen: []};
}

/** A drop-in that is gone is told as such; then no Include is missing. */
function stillThere({placed}: Intent, problems: readonly Problem[]): Intent['placed'] {
  const gone = problems.some(
    ({code, message}) => code !== 'FILE_CHANGED' && placed && message.startsWith(placed.path),
  );
  return gone ? undefined : placed;
}

/** Every name that somebody may dial. */
export function namesOf({
  nodeId,
  cluster,
  hostname,
  address,
  additionalPrincipals,
}: JoinSettings): readonly string[] {
  const {host} = parseAddress(address, 22);
  return dialledNames({nodeId, cluster, hostname, address: host, extras: additionalPrincipals}).names;
}

async function keyProblems(
  host: Host,
  {facts, config}: Glance,
  held: readonly Held[],
  rivals: readonly Rival[],
  commands: Commands,
): Promise<Problem[]> {
  if (facts === undefined) return [];
  const taken = await certifiedByRivals(host, rivals);
  const keys = facts.hostKeys.filter(
    (key) => key.certificateBy.length > 0 && !taken.includes(formatPublicKey(key.blob)),
  );
  const {certificates} = layoutIn(
    installedDirectory(config),
    keys.map(({file}) => file),
  );
  return uncertifiedKeys(keys, certificates, held, commands);
}

async function trustProblems(
  host: Host,
  {tree, dialect}: Glance,
  trusted: TrustedKeys | undefined,
  commands: Commands,
): Promise<Problem[]> {
  if (trusted === undefined) return [];
  const site = tree && firstGlobal(settings(withoutOurs(tree), dialect), 'trustedusercakeys')?.args[0];
  const text = await readExisting(host, site).catch(() => undefined);
  return judgeTrustedKeys(trusted, text, site, commands);
}
