// Which hooks the exec script runs at a login, in which order, and why it leaves others out. The rules are those of the
// script, `consider_hook` and `real_path` in templates/exec/pam-exec; a test holds the two to each other.

import {basename, join} from 'node:path/posix';
import type {Host} from '../../host/host.js';
import {type Inode, inodesOf} from '../../host/inodes.js';
import {shellWord} from '../../host/shell-word.js';
import {codeOf} from '../../system-error.js';
import {type PamPlaces, PHASES, pamPaths} from './places.js';

export type Phase = (typeof PHASES)[number];

export interface Hook {
  readonly name: string;
  /** Its path in the directory of its phase. */
  readonly file: string;
  /** What it points to, as written, where it is a symbolic link. */
  readonly target?: string;
  /** The file that is run, or would be. */
  readonly real: string;
  /** 'passed over': its name says that it is none, and the script does not even log it. */
  readonly verdict: 'runs' | 'left out' | 'passed over';
  readonly reason?: string;
  readonly fix?: string;
}

export interface PhaseHooks {
  readonly phase: Phase;
  readonly directory: string;
  /** Undefined: this user may not look. */
  readonly hooks: readonly Hook[] | undefined;
}

export async function readHooks(host: Host, places: PamPlaces): Promise<readonly PhaseHooks[]> {
  return Promise.all(
    PHASES.map(async (phase) => {
      const directory = join(pamPaths(places).hooks, phase);
      return {phase, directory, hooks: await hooksIn(host, directory)};
    }),
  );
}

async function hooksIn(host: Host, directory: string): Promise<readonly Hook[] | undefined> {
  try {
    const real = await host.resolve(directory);
    const entry = await host.look(real);
    if (entry?.kind !== 'directory') return [];
    const names = [...entry.names].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
    return await Promise.all(names.map((name) => hook(host, join(directory, name), join(real, name))));
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    if (codeOf(error) === 'EACCES') return undefined;
    throw error;
  }
}

async function hook(host: Host, file: string, path: string): Promise<Hook> {
  const name = basename(file);
  const inode = (await inodesOf(host, [path])).get(path);
  const link = inode?.kind === 'symlink' ? await host.look(path) : undefined;
  const target = link?.kind === 'symlink' ? link.target : undefined;
  const way = wayTo(target === undefined ? path : behind(path, target));
  const about = {name, file, real: way.real, ...(target !== undefined && {target})};
  const silent = silentReason(name);
  if (silent !== undefined) return {...about, verdict: 'passed over', reason: silent};
  const objection = await objectionTo(host, path, way);
  return objection === undefined
    ? {...about, verdict: 'runs'}
    : {...about, verdict: 'left out', ...objection};
}

/** Not `join`, which would take the two dots of a link out before anybody has looked at what stands before them. */
function behind(path: string, target: string): string {
  return target.startsWith('/') ? target : `${path.slice(0, path.lastIndexOf('/'))}/${target}`;
}

function silentReason(name: string): string | undefined {
  if (name.startsWith('.')) return 'its name begins with a dot';
  if (name.endsWith('~') || name.endsWith(',v')) return 'named like a copy that an editor keeps';
  if (name.endsWith('.disabled')) return 'switched off by its name';
  return /\.(bak|swp|rpmnew|rpmsave|rpmorig|apk-new|pacnew|pacsave)$|\.(dpkg|ucf)-/.test(name)
    ? 'named like a copy that an editor or a package manager keeps'
    : undefined;
}

interface Way {
  readonly real: string;
  /** Every directory that leads there, and the file itself. */
  readonly through: readonly string[];
}

/** As the script walks: the text of the path is all there is to go by, for none of its parts may be a link. */
function wayTo(path: string): Way {
  const through = ['/'];
  let real = '';
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    real = part === '..' ? real.slice(0, Math.max(0, real.lastIndexOf('/'))) : `${real}/${part}`;
    if (part !== '..') through.push(real);
  }
  return {real, through};
}

export interface Objection {
  readonly reason: string;
  readonly fix: string;
}

/** Why root would not run the file at this path, if it would not; a link to it counts once. */
export async function refusalOf(host: Host, path: string): Promise<Objection | undefined> {
  return objectionTo(host, path, wayTo(path));
}

async function objectionTo(host: Host, path: string, {real, through}: Way): Promise<Objection | undefined> {
  const inodes = await inodesOf(host, through);
  const end = await host.resolve(path).catch(() => undefined);
  const there = end === undefined ? undefined : (await inodesOf(host, [end])).get(end);
  if (there?.kind !== 'file') return noFile(path, real, there);
  for (const part of through) {
    const inode = inodes.get(part);
    const objection = inode === undefined ? unseen(part) : openTo(part, inode);
    if (objection !== undefined) return objection;
  }
  const file = inodes.get(real);
  if (file?.kind !== 'file') return noFile(path, real, file);
  if ((file.mode & 0o111) !== 0) return undefined;
  return {reason: `not executable (mode ${octal(file.mode)})`, fix: `sudo chmod +x ${shellWord(real)}`};
}

function noFile(path: string, real: string, inode: Inode | undefined): Objection {
  const what =
    inode === undefined
      ? `there is no ${printable(real)}`
      : `${printable(real)} is ${inode.kind === 'directory' ? 'a directory' : 'no regular file'}`;
  return {reason: what, fix: `take it out if nothing needs it: sudo rm -r ${shellWord(path)}`};
}

function unseen(path: string): Objection {
  return {reason: `${printable(path)} cannot be looked at`, fix: 'run this with sudo'};
}

/** Whoever may write there could choose what root runs. */
function openTo(path: string, {kind, mode, uid}: Inode): Objection | undefined {
  if (kind === 'symlink')
    return {
      reason: `${printable(path)} is a symbolic link, and of those only a hook itself may be one`,
      fix: `make the hook a link to the file behind it: readlink -f ${shellWord(path)}`,
    };
  if (uid !== 0)
    return {
      reason: `${printable(path)} belongs to uid ${uid}, not to root`,
      fix: `sudo chown root ${shellWord(path)}`,
    };
  if ((mode & 0o022) === 0) return undefined;
  return {
    reason: `others than root may change ${printable(path)} (mode ${octal(mode)})`,
    fix:
      (mode & 0o1000) === 0
        ? `sudo chmod go-w ${shellWord(path)}`
        : `move it out of ${printable(path)}, which is for everybody`,
  };
}

/** A path for people: on one line, and without a word to a terminal. */
export function printable(path: string): string {
  return /^[^\p{Cc}\p{Cs}]*$/u.test(path) ? path : JSON.stringify(path);
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0');
}
