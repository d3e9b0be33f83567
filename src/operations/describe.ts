// How facts read in one line of progress: the object, then the proof.

import type {ClusterInfo} from '../cluster/cluster.js';
import type {AwsProof} from '../cluster/proof.js';
import type {HostFacts} from '../host/facts.js';
import type {Step} from '../plan/step.js';
import {parseCertificate} from '../ssh/certificate.js';
import {fingerprint} from '../ssh/key.js';
import type {Credentials} from './credentials.js';
import {isService} from './pam/take-back.js';
import type {Rehearsed} from './rehearsal.js';
import type {Scene} from './scene.js';

export function describeFacts(facts: HostFacts): string {
  const {daemon, version, hostKeys} = facts;
  const running = daemon.process;
  const where = running
    ? `pid ${running.pid}${running.unit ? `, ${running.unit}` : ''}`
    : (daemon.socket ?? 'not running');
  return `sshd ${version.join('.')} (${where}), ${count(hostKeys.length, 'host key')}, port ${facts.port}`;
}

export function describeCluster(info: ClusterInfo): string {
  return `${info.name}, Teleport ${info.version}, through ${info.proxy}`;
}

export function describeProof(proof: AwsProof): string {
  return proof.method === 'ec2'
    ? `instance ${proof.nodeId.replace(/^\d+-/, '')}, which makes this node ${proof.nodeId}`
    : `credentials from ${proof.credentials.source}, region ${proof.region}`;
}

export function describeRehearsal({types, names, logins, throughPam}: Rehearsed): string {
  const entered = logins.length > 0 ? `; ${logins.join(' ')} would get in` : '';
  const hooks = throughPam === undefined ? '' : `; PAM let ${throughPam} in, and hooks saw the certificate`;
  return `${types.join(' ')} accepted as ${shown(names)}${entered}${hooks}`;
}

/** Long lists are cut: the names that people type come first. */
function shown(names: readonly string[]): string {
  const [first, second, third, ...rest] = names;
  const head = [first, second, third].filter((name) => name !== undefined).join(', ');
  return rest.length === 0 ? head : `${head} and ${count(rest.length, 'more name')}`;
}

export function describeCredentials({certificates}: Pick<Credentials, 'certificates'>): string {
  const [line] = certificates.values();
  const signer =
    line === undefined ? '' : ` signed by ${short(fingerprint(parseCertificate(line).authority))}`;
  return `${count(certificates.size, 'certificate')}${signer}, ${validity([...certificates.values()])}`;
}

/** "no end date", or the day the first of them ends. */
export function validity(lines: readonly string[]): string {
  const ends = lines.map((line) => parseCertificate(line).validBefore).filter((end) => end < 2n ** 63n);
  if (ends.length === 0) return 'no end date';
  const [first = 0n] = ends.sort((a, b) => Number(a - b));
  return `valid until ${new Date(Number(first) * 1000).toISOString().slice(0, 10)}`;
}

function short(hash: string): string {
  return `${hash.slice(0, 15)}…`;
}

/** "/etc/ssh/agentless/ (4 files), /etc/ssh/sshd_config.d/00-agentless.conf" */
export function describeWrites(steps: readonly Step[], scene: Scene): string {
  const paths = steps.flatMap((step) =>
    step.kind === 'path' && step.to?.kind !== 'directory' ? [step.path] : [],
  );
  const inside = paths.filter((path) => path.startsWith(`${scene.layout.directory}/`));
  const placed = paths.filter((path) => scene.placement.path === path);
  const own = inside.length === 0 ? [] : [`${scene.layout.directory}/ (${count(inside.length, 'file')})`];
  const pam = paths.filter((path) => isService(path));
  return [...own, ...placed, ...pam].join(', ') || count(paths.length, 'file');
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
