// The configuration without the lines of an earlier join. Pure. Host keys that Teleport has had sshd serve are named by
// lines of the site's own from then on: clients know them, and no tool is needed for them.

import {Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import {
  type Edits,
  editLines,
  filesOf,
  includeLines,
  isBlank,
  quotePath,
  type Tree,
} from '../../ssh/sshd-config/index.js';
import type {Former} from './find.js';

/** A file of the configuration; `is` undefined: nothing is left of it. */
export interface Edit {
  readonly path: string;
  readonly was: Uint8Array;
  readonly is: Uint8Array | undefined;
}

export interface Cleared {
  readonly tree: Tree;
  readonly edits: readonly Edit[];
}

const KNOWN = '# Host keys that clients know';

/** `hostKeys`: files that the site's own lines are to name besides, in the place of Teleport's fragment. */
export function takeOut(
  {tree, dialect}: Pick<HostFacts, 'tree' | 'dialect'>,
  {fragment, lines}: Pick<Former, 'fragment' | 'lines'>,
  hostKeys: readonly string[],
): Cleared {
  const byFile = new Map<string, Map<number, readonly string[]>>();
  const edit = (file: string, line: number, instead: readonly string[]) => {
    byFile.set(file, new Map([...(byFile.get(file) ?? []), [line, instead]]));
  };
  const named = hostKeys.map((path) => `HostKey ${quotePath(path, dialect)}`);
  for (const [index, {file, line}] of (fragment?.includedBy ?? []).entries())
    edit(file, line, index === 0 && named.length > 0 ? [KNOWN, ...named] : []);
  for (const {file, line} of lines) edit(file, line, []);
  const edits = [...byFile].map(([path, changes]) => editOf(tree, path, changes));
  refuseNested(tree, dialect, edits);
  const files = new Map(tree.files);
  if (fragment !== undefined) files.delete(fragment.path);
  for (const {path, is} of edits) {
    if (is === undefined) files.delete(path);
    else files.set(path, is);
  }
  return {tree: {...tree, files}, edits};
}

function editOf(tree: Tree, path: string, changes: Edits): Edit {
  const was = tree.files.get(path) ?? new Uint8Array();
  const is = editLines(was, changes);
  return {path, was, is: path !== tree.main && isBlank(is) ? undefined : is};
}

/** A rehearsal reads such files from another place, which only the main file can be made to say. */
function refuseNested(tree: Tree, dialect: HostFacts['dialect'], edits: readonly Edit[]): void {
  const main = tree.files.get(tree.main) ?? new Uint8Array();
  const direct = new Set([
    tree.main,
    ...includeLines(main, dialect).flatMap(({patterns}) => patterns.flatMap((one) => filesOf(tree, one))),
  ]);
  const nested = edits.find(({path}) => !direct.has(path));
  if (nested === undefined) return;
  throw new Failure('HOST_UNSUITABLE', `${nested.path} is not included by ${tree.main} itself`, {
    hint: `move the lines of the join into ${tree.main}, or into a file that it includes, and adopt again`,
  });
}
