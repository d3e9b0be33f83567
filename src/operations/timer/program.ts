// The words that call this program from somewhere else, later: absolute, and still there then. What root runs by itself
// must also belong to nobody else.

import {basename, dirname, join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {Entry, Host} from '../../host/host.js';

/** How this process was started: `process.execPath`, `process.execArgv`, `process.argv[1]` and the environment. */
export interface Invocation {
  readonly node: string;
  readonly options: readonly string[];
  readonly script: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface Program {
  /** Node and the script. */
  readonly words: readonly [string, string];
  readonly warnings: readonly string[];
}

/** Emptied at a reboot, or by age. */
const FLEETING = ['/tmp', '/var/tmp', '/dev/shm', '/run', '/var/run', '/proc'];
/** Where npx, pnpm dlx, yarn dlx and bunx keep what they run once. */
const CACHES = /\/(_npx|dlx|dlx-[^/]+|xfs-[^/]+|bunx-[^/]+)\//;

const INSTALL =
  'install it in a lasting place first, for example `npm install --global agentless`, and call that';

/** HOST_UNSUITABLE where the program will not be there any more, or could be replaced by others than its owner. */
export async function lastingProgram(host: Host, invocation: Invocation): Promise<Program> {
  const {script, options, env} = invocation;
  if (options.length > 0 || /\.[cm]?ts$/.test(script) || basename(script) === 'dev.js') {
    throw new Failure('HOST_UNSUITABLE', 'a timer cannot call agentless as it runs now, from its source', {
      hint: 'build it (`npm run build`) and call bin/run.cjs, or install it',
    });
  }
  const node = await stableName(host, invocation.node, env['PATH'] ?? '');
  const warnings: string[] = [];
  for (const path of [node, script]) {
    const real = await resolved(host, path);
    refuseFleeting(path, real, env['TMPDIR']);
    for (const name of new Set([path, real])) warnings.push(...(await refuseOpenToOthers(host, name)));
  }
  return {words: [node, script], warnings: [...new Set(warnings)]};
}

/**
 * A name on PATH that leads to the same node: package managers keep versions apart (…/Cellar/node/20.1/bin/node) and
 * remove the old one with the next, but not the link to it.
 */
async function stableName(host: Host, node: string, path: string): Promise<string> {
  for (const directory of path.split(':')) {
    const name = join(directory, 'node');
    if (!name.startsWith('/') || isFleeting(name)) continue;
    if ((await host.resolve(name).catch(() => undefined)) === node) return name;
  }
  return node;
}

async function resolved(host: Host, path: string): Promise<string> {
  const real = path.startsWith('/') ? await host.resolve(path).catch(() => undefined) : undefined;
  if (real !== undefined) return real;
  throw new Failure('HOST_UNSUITABLE', `a timer cannot call ${path || 'agentless as it runs now'}`, {
    hint: INSTALL,
  });
}

function isFleeting(path: string, temporary = ''): boolean {
  const own = temporary.length > 1 && temporary.startsWith('/') ? [temporary.replace(/\/+$/, '')] : [];
  return CACHES.test(path) || [...FLEETING, ...own].some((directory) => path.startsWith(`${directory}/`));
}

function refuseFleeting(path: string, real: string, temporary: string | undefined): void {
  const fleeting = [path, real].find((one) => isFleeting(one, temporary));
  if (fleeting === undefined) return;
  throw new Failure('HOST_UNSUITABLE', `${fleeting} will not be there when the timer calls it`, {
    hint: INSTALL,
  });
}

type Owned = Extract<Entry, {mode: number}>;

/** Whoever can replace the program, or a directory on the way to it, is root at the timer's next run. */
async function refuseOpenToOthers(host: Host, path: string): Promise<readonly string[]> {
  const warnings: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    const entry = await host.look(at).catch(() => undefined);
    if (entry !== undefined && 'mode' in entry) {
      if (isOpen(entry)) {
        throw new Failure(
          'HOST_UNSUITABLE',
          `${at} can be written by others, and a timer would run it as root`,
          {
            hint: `\`chmod go-w ${at}\`, or install agentless where only root writes`,
          },
        );
      }
      if (entry.uid !== 0 && entry.uid !== host.uid)
        warnings.push(`${at} belongs to user ${entry.uid}, who decides by that what root runs`);
    }
    if (at === dirname(at)) return warnings;
  }
}

/** By the group, too, unless that is root's; in a sticky directory nobody replaces what belongs to others. */
function isOpen({kind, mode, gid}: Owned): boolean {
  if (kind === 'directory' && (mode & 0o1000) !== 0) return false;
  return (mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0);
}
