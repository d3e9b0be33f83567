// Where our lines go. A place is good when sshd, reading the tree with our lines in it, takes each of them once,
// globally, and before anybody else's line of a keyword that keeps its first value. A drop-in is tried first, then a
// marked block at the top of the main file, which is always good.
import {Failure} from '../../errors.js';
import {findBlocks, withBlockInPlace, withBlockOnTop} from './block.js';
import type {Dialect} from './dialect.js';
import {dropInPaths, existingDropIns} from './drop-in.js';
import {bytesOf, latin1, parseConfig, rawOf, splitLines} from './file.js';
import {escapeGlob} from './glob.js';
import {accumulates} from './keywords.js';
import {firstGlobal} from './lookup.js';
import {quotePath} from './quote.js';
import {type Setting, settings, type Tree} from './tree.js';

/** What is to be installed, and the names to use for it. */
export interface Installation {
  /** Complete lines without end of line. */
  readonly directives: readonly string[];
  /** File name of the drop-in, for example 00-agentless.conf. */
  readonly dropIn: string;
  /** Absolute path of the file that a block includes, where there is no drop-in directory. */
  readonly fragment: string;
  /** Comment lines that head every file of ours. */
  readonly header: readonly string[];
}

/** A file to be written, whole. */
export interface WrittenFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** What to write where; `stale` lists drop-ins of ours from before that must go. */
export type Placement =
  | (WrittenFile & {readonly kind: 'drop-in'; readonly stale: readonly string[]})
  | (WrittenFile & {
      readonly kind: 'block';
      readonly stale: readonly string[];
      readonly fragment?: WrittenFile;
    });

/**
 * Decides how our lines are installed. Placing again over what was placed gives the same bytes, and a block stays a
 * block. Fails with SSHD_CONFIG_INVALID or HOST_UNSUITABLE where no edit of ours could work.
 */
export function place(tree: Tree, dialect: Dialect, what: Installation): Placement {
  const main = readableMain(tree, dialect);
  const stale = existingDropIns(tree, what.dropIn);
  const hasBlock = findBlocks(splitLines(latin1(main))).length > 0;
  const dropIn = hasBlock || !mayInclude(tree, dialect) ? undefined : placeDropIn(tree, dialect, what, stale);
  return dropIn ?? placeBlock(without(tree, stale), main, dialect, what, stale);
}

function placeDropIn(
  tree: Tree,
  dialect: Dialect,
  what: Installation,
  existing: string[],
): Placement | undefined {
  const bytes = fileOf([...what.header, ...what.directives]);
  for (const path of dropInPaths(tree, dialect, what.dropIn)) {
    const stale = existing.filter((other) => other !== path);
    const installed = withFile(without(tree, stale), {path, bytes});
    if (takesEffect(installed, dialect, what.directives, (setting) => setting.file === path)) {
      return {kind: 'drop-in', path, bytes, stale};
    }
  }
  return undefined;
}

function placeBlock(
  tree: Tree,
  main: Uint8Array,
  dialect: Dialect,
  what: Installation,
  stale: string[],
): Placement {
  const path = tree.mainTarget ?? tree.main;
  if (path.startsWith('/usr/')) throw vendorFile(path);
  const lines = [...what.header, ...what.directives];
  const fragment = mayInclude(tree, dialect) ? {path: what.fragment, bytes: fileOf(lines)} : undefined;
  const content = fragment ? [`Include ${quotePath(escapeGlob(fragment.path), dialect)}`] : lines;
  const inPlace = withBlockInPlace(main, content);
  const stays = inPlace && blockTakesEffect(tree, inPlace, fragment, dialect, what.directives);
  const bytes = stays ? inPlace : withBlockOnTop(main, content);
  return {kind: 'block', path, bytes, stale, ...(fragment && {fragment})};
}

function blockTakesEffect(
  tree: Tree,
  main: Uint8Array,
  fragment: WrittenFile | undefined,
  dialect: Dialect,
  directives: readonly string[],
): boolean {
  const edited = withFile(tree, {path: tree.main, bytes: main});
  if (fragment !== undefined) {
    const installed = withFile(edited, fragment);
    return takesEffect(installed, dialect, directives, ({file}) => file === fragment.path);
  }
  const blocks = findBlocks(splitLines(latin1(main)));
  return takesEffect(edited, dialect, directives, ({file, line}) => {
    return file === tree.main && blocks.some(({start, end}) => start < line && line <= end);
  });
}

/** Whether each of our lines is read once, globally, and not shadowed by somebody else's earlier line. */
function takesEffect(
  tree: Tree,
  dialect: Dialect,
  directives: readonly string[],
  isOurs: (setting: Setting) => boolean,
): boolean {
  const all = settings(tree, dialect);
  const ours = all.filter(isOurs);
  const wins = ({keyword}: Setting) => {
    const first = firstGlobal(all, keyword);
    return accumulates(keyword) || (first !== undefined && isOurs(first));
  };
  return (
    ours.length === directives.length && ours.every((setting) => setting.scope === undefined && wins(setting))
  );
}

/** Include can be used, and does not make this sshd listen on a port more. */
function mayInclude(tree: Tree, dialect: Dialect): boolean {
  if (!dialect.include) return false;
  return (
    !dialect.includeAddsPort ||
    !settings(tree, dialect).some(({keyword, args}) => keyword === 'port' && args[0] !== '22')
  );
}

function readableMain(tree: Tree, dialect: Dialect): Uint8Array {
  const main = tree.files.get(tree.main);
  if (main === undefined) throw new Failure('HOST_UNSUITABLE', `there is no ${tree.main} to add to`);
  const first = parseConfig(main, dialect).lines[0];
  if (first?.problem?.includes('byte order mark')) {
    throw new Failure(
      'SSHD_CONFIG_INVALID',
      `${tree.main} begins with a byte order mark, which sshd refuses`,
      {
        hint: 'save the file as plain UTF-8, check with `sshd -t`, and join again',
      },
    );
  }
  return main;
}

function vendorFile(path: string): Failure {
  return new Failure(
    'HOST_UNSUITABLE',
    `sshd reads ${path}, which belongs to a package and includes no drop-ins`,
    {
      hint: `copy it to ${path.slice('/usr'.length)}, restart sshd, and join again`,
    },
  );
}

function fileOf(lines: readonly string[]): Uint8Array {
  return bytesOf(lines.map((line) => `${rawOf(line)}\n`).join(''));
}

/** The tree as it is when this file has been written. */
export function withFile(tree: Tree, {path, bytes}: WrittenFile): Tree {
  return {...tree, files: new Map([...tree.files, [path, bytes]])};
}

/** The tree as it is when these files are gone. */
export function without(tree: Tree, paths: readonly string[]): Tree {
  return {...tree, files: new Map([...tree.files].filter(([path]) => !paths.includes(path)))};
}
