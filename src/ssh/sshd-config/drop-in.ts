// Which paths a drop-in of ours may have.
import {posix} from 'node:path';
import {blankBlock} from './block.js';
import type {Dialect} from './dialect.js';
import {parseConfig} from './file.js';
import {matchesGlob} from './glob.js';
import {patternsOf, type Tree} from './tree.js';

/**
 * The paths at which sshd would find a drop-in, best first: one that exists already, then by the order of the Include
 * lines of the main file. Whether our lines take effect there is for `place` to find out. Only directories that exist directly beside the main file are taken: a
 * copy of sshd_config elsewhere that still includes /etc/ssh/sshd_config.d must not change the system.
 */
export function dropInPaths(tree: Tree, dialect: Dialect, name: string): string[] {
  const {lines} = parseConfig(tree.files.get(tree.main) ?? new Uint8Array(), dialect);
  const paths = lines
    .flatMap((line) => patternsOf(line, dialect))
    .filter((pattern) => isDropInDirectory(tree, posix.dirname(pattern)))
    .flatMap((pattern) =>
      dropInNames(name)
        .map((variant) => posix.join(posix.dirname(pattern), variant))
        .filter((path) => matchesGlob(pattern, path)),
    );
  return [...new Set([...paths.filter((path) => tree.files.has(path)), ...paths])];
}

/** Drop-ins of ours that sshd reads now, under any of their names. */
export function existingDropIns(tree: Tree, name: string): string[] {
  const names = dropInNames(name);
  return [...tree.files.keys()].filter(
    (path) =>
      names.includes(posix.basename(path)) && posix.dirname(posix.dirname(path)) === configDirectory(tree),
  );
}

/**
 * The tree as it would be had we never been here: our drop-ins gone, and nothing in the lines of our block in the main
 * file, which stay, because the lines behind them are shown to people by their numbers.
 */
export function withoutOurs(tree: Tree, name = '00-agentless.conf'): Tree {
  const existing = existingDropIns(tree, name);
  const files = [...tree.files]
    .filter(([path]) => !existing.includes(path))
    .map(([path, bytes]) => [path, path === tree.main ? blankBlock(bytes) : bytes] as const);
  return {...tree, files: new Map(files)};
}

/**
 * The plain name, then names that sort before whatever may stand in its way: 00-agentless.conf, 00--agentless.conf,
 * 0-agentless.conf, 0--agentless.conf. An earlier file is in the way only when it sets a keyword of ours.
 */
function dropInNames(name: string): string[] {
  const short = name.replace(/^0+/, '0');
  return [...new Set([name, name.replace('-', '--'), short, short.replace('-', '--')])];
}

function isDropInDirectory(tree: Tree, directory: string): boolean {
  const exists =
    tree.directories?.has(directory) ||
    [...tree.files.keys()].some((path) => posix.dirname(path) === directory);
  return exists && posix.dirname(directory) === configDirectory(tree);
}

/** Where the administrator's files lie; a vendor's main file under /usr/etc has its drop-ins for us under /etc. */
function configDirectory(tree: Tree): string {
  return posix.dirname(tree.main).replace(/^\/usr(?=\/etc\/)/, '');
}
