// What an earlier join of this host has put into sshd's configuration, by hand or by `teleport join openssh`. Known by what
// the files say, never by their names alone: certificates name the cluster that has signed them.

import {basename, dirname, join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';
import {type Certificate, parseCertificate} from '../../ssh/certificate.js';
import {formatPublicKey, parsePublicKey} from '../../ssh/key.js';
import {
  filesOf,
  includeLines,
  type Setting,
  settings,
  type Tree,
  textOf,
  withoutOurs,
} from '../../ssh/sshd-config/index.js';
import {isNodeId} from './node.js';

/** A line that goes. */
export interface FormerLine {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

/** Of `teleport join openssh`. */
export interface Fragment {
  readonly path: string;
  /** Teleport's data directory. */
  readonly dataDir: string;
  /** Host keys that it has sshd serve. */
  readonly hostKeys: readonly string[];
  /** Lines that include it and nothing else. */
  readonly includedBy: readonly FormerLine[];
}

export interface Former {
  readonly fragment: Fragment | undefined;
  /** HostCertificate and TrustedUserCAKeys lines by hand. */
  readonly lines: readonly FormerLine[];
  /** Files of user authorities in which those of the cluster are mixed with others, without those of the cluster. */
  readonly authorities: readonly {readonly path: string; readonly was: Uint8Array; readonly is: Uint8Array}[];
  /** Files and directories that nothing needs any more. */
  readonly unused: readonly string[];
  /** Id of the node, where something on this host tells it. */
  readonly nodeId: string | undefined;
  /** Every name in the certificates. */
  readonly names: readonly string[];
  /** The other clusters whose certificates are served. */
  readonly others: readonly string[];
}

/** `userKeys`: asked only where there is something to compare them with. */
export async function findFormer(
  host: Host,
  facts: HostFacts,
  cluster: string,
  userKeys: () => Promise<readonly string[]>,
): Promise<Former> {
  const tree = withoutOurs(facts.tree);
  const fragment = findFragment(tree, facts.dialect);
  const all = settings(tree, facts.dialect);
  const global = all.filter(({scope}) => scope === undefined);
  const served = await certified(host, global);
  const [ofFragment, byHand] = part(served, ({setting}) => setting.file === fragment?.path);
  refuseOther(ofFragment, cluster);
  const ours = byHand.filter(({certificate}) => clusterOf(certificate) === cluster);
  const trusted = await judgeTrusted(host, global, fragment, cluster, userKeys);
  const certificates = [...ofFragment, ...ours].flatMap(({certificate}) => certificate ?? []);
  const names = [...new Set(certificates.flatMap(({principals}) => principals))];
  const lines = [...ours.map(({setting}) => setting), ...trusted.lines];
  const staying = all.filter((one) => !lines.includes(one));
  const named = new Set(staying.flatMap(({args}) => args.map(textOf)));
  return {
    fragment,
    lines: lines.map(lineOf),
    // A Match block that names the same file goes by all of its keys.
    authorities: trusted.mixed.filter(
      ({path}) => !staying.some(({args, scope}) => scope !== undefined && textOf(args[0] ?? '') === path),
    ),
    unused: await existing(host, [
      ...(fragment ? unusedIn(fragment) : []),
      ...lines.flatMap(({args}) => args.map(textOf)).filter((path) => !named.has(path)),
    ]),
    nodeId: (fragment && (await storedId(host, fragment))) ?? names.find((name) => isNodeId(name)),
    names,
    others: [...new Set(byHand.flatMap(({certificate}) => clusterOf(certificate) ?? []))].filter(
      (name) => name !== cluster,
    ),
  };
}

export function isNothing({fragment, lines, authorities}: Former): boolean {
  return fragment === undefined && lines.length === 0 && authorities.length === 0;
}

const KEY = 'ssh_host_teleport_key';
const KEYWORDS = ['trustedusercakeys', 'hostkey', 'hostcertificate'];

/** An included file that holds the three lines of Teleport's and nothing else. */
function findFragment(tree: Tree, dialect: HostFacts['dialect']): Fragment | undefined {
  for (const path of tree.files.keys()) {
    const dataDir = dirname(path);
    if (basename(path) !== 'sshd.conf') continue;
    const own = settings({main: path, files: tree.files}, dialect);
    const hostKeys = own.filter(({keyword}) => keyword === 'hostkey').map(({args}) => textOf(args[0] ?? ''));
    const isTheirs = hostKeys.includes(join(dataDir, 'openssh', KEY));
    if (!isTheirs || !own.every(({keyword, file}) => file === path && KEYWORDS.includes(keyword))) continue;
    const includes = [...tree.files].flatMap(([file, bytes]) =>
      includeLines(bytes, dialect).map((include) => ({file, ...include})),
    );
    const naming = includes.filter(({patterns}) => patterns.some((one) => filesOf(tree, one).includes(path)));
    if (!naming.every(({patterns: [one, ...more]}) => one === path && more.length === 0)) continue;
    return {
      path,
      dataDir,
      hostKeys,
      includedBy: naming.map(({file, line, raw}) => ({file, line, text: raw})),
    };
  }
  return undefined;
}

interface Served {
  readonly setting: Setting;
  /** Undefined: sshd cannot read it either. */
  readonly certificate: Certificate | undefined;
}

async function certified(host: Host, all: readonly Setting[]): Promise<readonly Served[]> {
  const named = all.filter(({keyword}) => keyword === 'hostcertificate');
  return Promise.all(
    named.map(async (setting) => ({setting, certificate: await readCertificate(host, setting)})),
  );
}

async function readCertificate(host: Host, {args}: Setting): Promise<Certificate | undefined> {
  const text = await read(host, textOf(args[0] ?? ''));
  try {
    return text === undefined ? undefined : parseCertificate(text.trim());
  } catch {
    return undefined;
  }
}

/** The cluster that has signed it, as every host certificate of Teleport's says. */
function clusterOf(certificate: Certificate | undefined): string | undefined {
  return certificate?.extensions.get('x-teleport-authority');
}

function refuseOther(served: readonly Served[], cluster: string): void {
  const names = served.flatMap(({certificate}) => clusterOf(certificate) ?? []);
  const other = names.find((name) => name !== cluster);
  if (other === undefined) return;
  throw new Failure('HOST_UNSUITABLE', `Teleport has joined this host to ${other}, not to ${cluster}`, {
    hint: `adopt it through a proxy of ${other}; to move it, leave that cluster first`,
  });
}

/** TrustedUserCAKeys lines by hand: those that name nothing but keys of the cluster, and files that hold others as well. */
async function judgeTrusted(
  host: Host,
  all: readonly Setting[],
  fragment: Fragment | undefined,
  cluster: string,
  userKeys: () => Promise<readonly string[]>,
): Promise<{readonly lines: readonly Setting[]; readonly mixed: Former['authorities']}> {
  const lines: Setting[] = [];
  const mixed = new Map<string, Former['authorities'][number]>();
  for (const setting of all) {
    if (setting.keyword !== 'trustedusercakeys' || setting.file === fragment?.path) continue;
    const path = textOf(setting.args[0] ?? '');
    const text = await read(host, path);
    const keys = (text ?? '').split('\n').map((line) => ({line, key: keyOf(line)}));
    if (text === undefined || keys.every(({key}) => key === undefined)) continue;
    const known = new Set(await userKeys());
    const isOurs = ({line, key}: (typeof keys)[number]) =>
      key !== undefined && (known.has(key) || clusterIn(line) === cluster);
    const others = keys.filter((one) => one.key !== undefined && !isOurs(one));
    if (others.length === 0) lines.push(setting);
    else if (keys.some(isOurs)) {
      const rest = keys.filter((one) => !isOurs(one)).map(({line}) => line);
      mixed.set(path, {path, was: Buffer.from(text, 'latin1'), is: Buffer.from(rest.join('\n'), 'latin1')});
    }
  }
  return {lines, mixed: [...mixed.values()]};
}

/** As `tctl auth export` writes it behind a key. */
function clusterIn(line: string): string | undefined {
  return /\sclustername=([^\s&]+)/.exec(line)?.[1];
}

function keyOf(line: string): string | undefined {
  try {
    return formatPublicKey(parsePublicKey(line.trim().replace(/^cert-authority\s+/, '')).blob);
  } catch {
    return undefined;
  }
}

/** Of Teleport's directory all but the host key; the credential that it has for the same key lies in `proc`. */
function unusedIn({dataDir, path}: Fragment): readonly string[] {
  const keys = join(dataDir, 'openssh');
  return [path, join(dataDir, 'proc'), join(keys, `${KEY}-cert.pub`), join(keys, 'teleport_openssh_ca.pub')];
}

async function existing(host: Host, paths: readonly string[]): Promise<readonly string[]> {
  const entries = await Promise.all(paths.map((path) => host.look(path).catch(() => undefined)));
  return paths.filter((_, index) => entries[index] !== undefined);
}

async function storedId(host: Host, {dataDir}: Fragment): Promise<string | undefined> {
  const text = (await read(host, join(dataDir, 'host_uuid')))?.trim();
  return text !== undefined && isNodeId(text) ? text : undefined;
}

/** Latin-1; undefined for what is no regular file: a named pipe is never opened. */
async function read(host: Host, path: string): Promise<string | undefined> {
  const entry = await lookBehind(host, path).catch(() => undefined);
  return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : undefined;
}

function lineOf({file, line, raw}: Setting): FormerLine {
  return {file, line, text: raw};
}

function part<T>(all: readonly T[], is: (one: T) => boolean): readonly [T[], T[]] {
  return [all.filter(is), all.filter((one) => !is(one))];
}
