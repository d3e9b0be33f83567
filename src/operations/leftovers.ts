// Files of a join whose ownership record is gone. Without it nobody knows what was there before, but what is ours is known
// by its place and its first line: a join over it takes it over, and leaving says what there is instead of "nothing to do".

import {dirname, join} from 'node:path/posix';
import {Failure} from '../errors.js';
import type {Entry, Host} from '../host/host.js';
import {lookBehind} from '../host/look-behind.js';
import {dataDirectory} from '../plan/data-directory.js';
import {isKept} from '../plan/saved.js';
import type {PathStep} from '../plan/step.js';
import {removeBlock} from '../ssh/sshd-config/index.js';
import {codeOf} from '../system-error.js';
import {installedDirectory, OWNER_LINE} from './layout.js';

export interface Where {
  readonly dataDir: string;
  /** Absent: nobody knows which configuration that join was for. */
  readonly config?: string | undefined;
}

/**
 * What lies here of a join, where no record tells of one. What leaving may have left on purpose does not count: copies that
 * are kept, a block that includes lines of others, a file of ours that the site's own lines name.
 */
export async function findLeftovers(host: Host, {dataDir, config}: Where): Promise<readonly string[]> {
  const {saved} = dataDirectory(dataDir);
  const identity = join(dataDir, 'identity');
  const [own, copies, configured] = await Promise.all([
    namesIn(host, identity),
    namesIn(host, saved),
    config === undefined ? [] : leftInConfiguration(host, config),
  ]);
  return [
    ...(own.length > 0 ? [identity] : []),
    ...(copies.some((name) => !isKept(name)) ? [saved] : []),
    ...configured,
  ];
}

async function leftInConfiguration(host: Host, config: string): Promise<readonly string[]> {
  const fragment = join(installedDirectory(config), 'sshd.conf');
  const dropIns = join(dirname(config).replace(/^\/usr(?=\/etc\/)/, ''), 'sshd_config.d');
  const [names, inFragment, main] = await Promise.all([
    namesIn(host, dropIns).then((all) => all.filter((name) => name.endsWith('agentless.conf'))),
    look(host, fragment),
    lookBehind(host, config).catch(() => undefined),
  ]);
  const files = names.map((name) => join(dropIns, name));
  const entries = [inFragment, ...(await Promise.all(files.map((path) => look(host, path))))];
  const found = [fragment, ...files].filter((_, index) => isMarked(entries[index]));
  const hasBlock = main?.kind === 'file' && removeBlock(main.bytes).length < main.bytes.length;
  const isRead = isMarked(main) || found.includes(fragment);
  return hasBlock && isRead ? [`${config} (our block)`, ...found] : found;
}

/** HOST_UNSUITABLE where a host that has no record is not as if it had never joined. */
export async function refuseLeftovers(host: Host, where: Where): Promise<void> {
  const found = await findLeftovers(host, where);
  if (found.length === 0) return;
  throw new Failure(
    'HOST_UNSUITABLE',
    `the ownership record in ${where.dataDir} is gone, but files of a join are here`,
    {
      detail: found.join('\n'),
      hint: [
        'nothing was changed; put record.json back from a backup and run this again',
        'or join again, which takes these files over, and leave then',
        'or by hand: take out of sshd_config what is between "# BEGIN agentless" and "# END agentless", or the drop-in 00-agentless.conf, reload sshd, then remove these files and the directory agentless beside sshd_config',
      ].join('\n'),
    },
  );
}

/** The same step, with what is ours of a file that stands there known as ours. */
export async function takenOver(host: Host, step: PathStep, dataDir: string): Promise<PathStep> {
  if (step.theirs !== undefined) return step;
  const entry = await host.look(step.path);
  const own = entry?.kind === 'directory' || step.path.startsWith(`${dataDir}/`) || isOurs(entry);
  return entry !== undefined && own ? {...step, theirs: 'nothing'} : step;
}

/** Files of ours in our directory beside the configuration. */
export async function ownFiles(host: Host, directory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await namesIn(host, directory)) {
    const path = join(directory, name);
    if (isOurs(await look(host, path))) found.push(path);
  }
  return found;
}

/** Certificates have no room for a mark; they are told by what they are. */
function isOurs(entry: Entry | undefined): boolean {
  return isMarked(entry) || /^\S+-cert-v01@openssh\.com AAAA\S+\n?$/.test(textOf(entry));
}

function isMarked(entry: Entry | undefined): boolean {
  return textOf(entry).split(/\r?\n/).includes(OWNER_LINE);
}

function textOf(entry: Entry | undefined): string {
  return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : '';
}

async function namesIn(host: Host, path: string): Promise<readonly string[]> {
  const entry = await look(host, path);
  return entry?.kind === 'directory' ? entry.names : [];
}

/** Whoever is not root does not see everything, and changes nothing either. */
async function look(host: Host, path: string): Promise<Entry | undefined> {
  return host.look(path).catch((error: unknown) => {
    if (codeOf(error) === 'EACCES') return undefined;
    throw error;
  });
}
