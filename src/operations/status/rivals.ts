// Who else sets the keywords that we set, and who wins. sshd keeps the first TrustedUserCAKeys, a matching Match block
// before that, and its own command line before everything; of two HostCertificate for one key it serves the later.

import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';
import {parseCertificate} from '../../ssh/certificate.js';
import {formatPublicKey} from '../../ssh/key.js';
import {appliesToAll, type Setting, settings, type Tree, withoutOurs} from '../../ssh/sshd-config/index.js';
import type {Held} from './certificates.js';
import type {Intent} from './intent.js';

export interface Rival {
  readonly keyword: 'HostCertificate' | 'TrustedUserCAKeys';
  readonly value: string;
  /** Absent: sshd's command line. */
  readonly file?: string;
  readonly line?: number;
  /** Criteria of the Match block it stands in. */
  readonly match?: string;
  /** Whether it takes effect instead of ours, for everybody or within its Match. */
  readonly wins: boolean;
}

const NAMES = {hostcertificate: 'HostCertificate', trustedusercakeys: 'TrustedUserCAKeys'} as const;

/** The lines of others in a tree. Without `facts` nobody knows what sshd makes of them: only Match blocks win for sure. */
export async function findRivals(
  host: Host,
  {
    tree,
    dialect,
    facts,
  }: {readonly tree: Tree; readonly dialect: HostFacts['dialect']; readonly facts?: HostFacts},
  intent: Intent,
  held: readonly Held[],
): Promise<readonly Rival[]> {
  const lines = settings(withoutOurs(tree), dialect).flatMap((setting) => rivalLine(setting, facts, intent));
  const options = (facts?.daemon.options ?? []).flatMap((word) => optionRival(word));
  const found = [...options, ...lines].filter((rival) => !isOurs(rival, intent));
  return Promise.all(
    found.map(async (rival) => ({
      ...rival,
      wins: rival.keyword === 'HostCertificate' ? await displaces(host, rival, facts, held) : rival.wins,
    })),
  );
}

function isOurs({value}: Rival, {certificates, userAuthorities}: Intent): boolean {
  return [...certificates, userAuthorities].includes(value);
}

function rivalLine(setting: Setting, facts: HostFacts | undefined, {userAuthorities}: Intent): Rival[] {
  const {keyword, args, file, line, scope} = setting;
  if (keyword !== 'hostcertificate' && keyword !== 'trustedusercakeys') return [];
  const [value = ''] = args;
  const trusted = facts?.effective.one('trustedusercakeys');
  const everybody = appliesToAll(scope);
  const wins = everybody ? trusted === value && trusted !== userAuthorities : keyword === 'trustedusercakeys';
  const match = scope && {match: scope.criteria};
  return [{keyword: NAMES[keyword], value, file, line, ...match, wins}];
}

/** The daemon was started with it: -o wins over every file. */
function optionRival(word: string): Rival[] {
  const [, keyword, value] = /^(HostCertificate|TrustedUserCAKeys)[= ]+(.+)$/i.exec(word) ?? [];
  if (keyword === undefined || value === undefined) return [];
  const name = keyword.toLowerCase() as keyof typeof NAMES;
  return [{keyword: NAMES[name], value, wins: name === 'trustedusercakeys'}];
}

/** Whether a certificate of somebody else is served in place of ours: for the same key, and named later. */
async function displaces(
  host: Host,
  {value}: Rival,
  facts: HostFacts | undefined,
  held: readonly Held[],
): Promise<boolean> {
  const key = await certifiedKey(host, value);
  const own = held.find(({certificate}) => key !== undefined && formatPublicKey(certificate.key) === key);
  if (own === undefined || facts === undefined) return false;
  const order = facts.effective.all('hostcertificate');
  return order.lastIndexOf(value) > order.lastIndexOf(own.file);
}

async function certifiedKey(host: Host, file: string): Promise<string | undefined> {
  const entry = await lookBehind(host, file).catch(() => undefined);
  if (entry?.kind !== 'file') return undefined;
  try {
    return formatPublicKey(parseCertificate(Buffer.from(entry.bytes).toString('latin1')).key);
  } catch {
    return undefined;
  }
}

/** "HostCertificate /x in /etc/ssh/sshd_config line 12 (Match User a)" */
export function describeRival({keyword, value, file, line, match}: Rival): string {
  const where = file === undefined ? "on sshd's command line" : `in ${file} line ${line}`;
  return `${keyword} ${value} ${where}${match === undefined ? '' : ` (Match ${match})`}`;
}

/** Keys that certificates of others are for: they get none of ours. "type base64". */
export async function certifiedByRivals(host: Host, rivals: readonly Rival[]): Promise<readonly string[]> {
  const files = rivals.filter(({keyword}) => keyword === 'HostCertificate').map(({value}) => value);
  const keys = await Promise.all(files.map((file) => certifiedKey(host, file)));
  return keys.filter((key) => key !== undefined);
}
