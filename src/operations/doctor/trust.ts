// Whom sshd trusts to sign users, and whom it does not any more.

import type {Glance} from '../../host/glance.js';
import type {Host} from '../../host/host.js';
import {fingerprint, parsePublicKey} from '../../ssh/key.js';
import {settings, winning} from '../../ssh/sshd-config/index.js';
import {fingerprintOf, type TrustedKeys} from '../status/authorities.js';
import type {Asked} from '../status/online.js';
import type {Problem, ProblemCode} from '../status/problem.js';
import {bad, type Finding, findingsOf, ok, skip} from './finding.js';

const CODES: readonly ProblemCode[] = [
  'AUTHORITIES_UNREADABLE',
  'SITE_AUTHORITY_MISSING',
  'USER_AUTHORITY',
  'AUTHORITIES_OUTDATED',
  'AUTHORITY_MISSING',
];

/** The keys in our file; that they are of the right kind is known when the cluster has been asked. */
export function authorityFindings(
  trusted: TrustedKeys | undefined,
  problems: readonly Problem[],
  asked: Asked | undefined,
  cluster: string | undefined,
): Finding[] {
  const own = [...problems, ...(asked?.problems ?? [])].filter(({code}) => CODES.includes(code));
  if (trusted === undefined || cluster === undefined) {
    return findingsOf(
      'user CA',
      own,
      skip('user CA', "this host has no file of the cluster's keys that can be read"),
    );
  }
  const keys = trusted.cluster.map(fingerprintOf).join(', ');
  const kind = asked?.online.accepted
    ? `the openssh CA of ${cluster}`
    : 'the cluster was not asked whether that is its openssh CA';
  const more = trusted.own.length === 0 ? '' : ` and ${trusted.own.length} of your own`;
  return findingsOf('user CA', own, ok('user CA', `trusts ${keys}${more} (${kind})`, trusted.file));
}

/** A RevokedKeys file that is missing or cannot be read refuses every key and certificate there is. */
export async function revokedFinding(
  host: Host,
  {facts}: Glance,
  trusted: TrustedKeys | undefined,
): Promise<Finding> {
  if (facts === undefined) return skip('revoked', 'not known: sshd could not be asked for its configuration');
  const path = facts.effective.one('revokedkeys');
  if (path === undefined || path.toLowerCase() === 'none') return ok('revoked', 'no RevokedKeys is set');
  const line = winning(settings(facts.tree, facts.dialect), 'revokedkeys');
  const proof = line === undefined ? '' : `${line.file} line ${line.line}: ${line.raw.trim()}`;
  const unusable = (why: string) =>
    bad('fail', 'revoked', `RevokedKeys ${path} ${why}, so sshd refuses every key and certificate`, {
      proof,
      fix: `put the file back, readable for root, or take that line out and reload sshd; an empty file revokes nobody: sudo touch ${path}`,
    });
  const real = await host.resolve(path).catch(() => undefined);
  if (real === undefined) return unusable('does not exist');
  const entry = await host.look(real).catch(() => undefined);
  if (entry?.kind !== 'file') return unusable(entry === undefined ? 'cannot be read' : 'is no regular file');
  const revoked = await revokedAmong(host, path, entry.bytes, trusted?.cluster ?? []);
  if (revoked.length === 0)
    return ok('revoked', `RevokedKeys ${path} can be read and revokes no key of the cluster`);
  const text = `RevokedKeys ${path} revokes the authority of the cluster`;
  return bad('fail', 'revoked', text, {
    proof: revoked.map(fingerprintOf).join('\n'),
    fix: 'take that key out of the file',
  });
}

/** A pipe, because ssh-keygen opens /dev/stdin anew, which the socket that a child of Node has there does not allow. */
const ASK_KRL = `printf '%s\\n' "$1" | ssh-keygen -Q -f "$0" /dev/stdin`;

/** A binary KRL is asked by ssh-keygen, a list of keys is read. */
async function revokedAmong(
  host: Host,
  path: string,
  bytes: Uint8Array,
  keys: readonly string[],
): Promise<readonly string[]> {
  const text = Buffer.from(bytes).toString('latin1');
  if (!text.startsWith('SSHKRL\n')) {
    const listed = new Set(text.split('\n').flatMap(fingerprintIn));
    return keys.filter((line) => listed.has(fingerprintOf(line)));
  }
  const revoked: string[] = [];
  for (const key of keys) {
    const {status} = await host.run(['/bin/sh', '-c', ASK_KRL, path, key]);
    if (status === 1) revoked.push(key);
  }
  return revoked;
}

function fingerprintIn(line: string): string[] {
  try {
    return [fingerprint(parsePublicKey(line).blob)];
  } catch {
    return [];
  }
}
