// The file of keys that may sign users: which of them are the cluster's, which were trusted here before.

import type {Host} from '../../host/host.js';
import {fingerprint, parsePublicKey, withoutComment} from '../../ssh/key.js';
import {BORDER, OWNER_LINE} from '../layout.js';
import {mergeAuthorities} from '../user-authorities.js';
import {type Commands, type Problem, problem} from './problem.js';

export interface TrustedKeys {
  readonly file: string;
  /** Lines "type base64". */
  readonly cluster: readonly string[];
  readonly own: readonly string[];
  /** As it lies there, latin-1. */
  readonly text: string;
}

/** Undefined when there is no regular file to read. A link or a pipe is not opened. */
export async function readTrustedKeys(host: Host, file: string): Promise<TrustedKeys | undefined> {
  const entry = await host.look(file).catch(() => undefined);
  if (entry?.kind !== 'file') return undefined;
  const text = Buffer.from(entry.bytes).toString('latin1');
  const lines = text.split('\n');
  const border = lines.findIndex((line) => line.startsWith(BORDER));
  const [ours, theirs] = border < 0 ? [lines, []] : [lines.slice(0, border), lines.slice(border)];
  return {file, text, cluster: ours.filter(isKeyLine), own: theirs.filter(isKeyLine)};
}

/**
 * The keys that sshd gets to in such a file: it stops at the first line that it cannot parse, without a word. Lines as they
 * are written.
 */
export function keysThatCount(text: string): readonly string[] {
  const lines = text.split('\n').filter((line) => /^[ \t]*[^# \t]/.test(line));
  const end = lines.findIndex((line) => readable(line) === undefined);
  return end < 0 ? lines : lines.slice(0, end);
}

function isKeyLine(line: string): boolean {
  return line.trim() !== '' && !line.startsWith('#');
}

/** `site`: the text of the site's own file, which was merged when we joined; `from` its path. */
export function judgeTrustedKeys(
  {file, cluster, own, text}: TrustedKeys,
  site: string | undefined,
  from: string | undefined,
  commands: Commands,
): Problem[] {
  // sshd stops reading at the first line that it cannot parse, without a word.
  const bad = [...cluster, ...own].find((line) => readable(line) === undefined);
  if (bad !== undefined) {
    const text = `${file} has a line that is no key, and sshd reads no further`;
    return [problem('AUTHORITIES_UNREADABLE', text, commands.repair, bad)];
  }
  if (cluster.length === 0) {
    const text = `${file} holds no key of the cluster, so nobody gets in through it`;
    return [problem('AUTHORITIES_UNREADABLE', text, commands.repair)];
  }
  const lost = text.startsWith(OWNER_LINE) ? missingOfSite(cluster, own, site, from) : [];
  if (lost.length === 0) return [];
  const missing = `${from} has keys that ${file} does not: sshd reads the latter only`;
  return [problem('SITE_AUTHORITY_MISSING', missing, commands.renew, lost.map(fingerprintOf).join('\n'))];
}

function missingOfSite(
  cluster: readonly string[],
  own: readonly string[],
  site: string | undefined,
  from: string | undefined,
): string[] {
  if (site === undefined) return [];
  const merged = mergeAuthorities(cluster, site, from).text.split('\n').filter(isKeyLine);
  const present = new Set([...cluster, ...own].map(withoutComment));
  return merged.filter((line) => !present.has(withoutComment(line)));
}

function readable(line: string): string | undefined {
  // Keys on security keys are trusted as well, and are not ours to take apart.
  if (/^sk-\S+@openssh\.com AAAA/.test(line))
    return fingerprint(Buffer.from(line.split(/[ \t]+/)[1] ?? '', 'base64'));
  try {
    return fingerprint(parsePublicKey(line).blob);
  } catch {
    return undefined;
  }
}

/** For people: SHA256:…, or the beginning of a line that is of another kind. */
export function fingerprintOf(line: string): string {
  return readable(line) ?? line.slice(0, 60);
}
