// What leaving does to the host, from the ownership record: sshd is given back its own configuration and takes it, then
// the files that nobody needs any more go.

import {basename, dirname, join} from 'node:path/posix';
import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {dataDirectory} from '../../plan/data-directory.js';
import type {Change, OwnershipRecord} from '../../plan/record.js';
import type {PathStep, Step} from '../../plan/step.js';
import {type Left, lastingSteps, type Rules, type TakeBack, takeBack} from '../../plan/take-back.js';
import {
  dialectOf,
  isBlank,
  removeBlock,
  type Setting,
  settings,
  type Tree,
  textOf,
  withoutOwnLines,
} from '../../ssh/sshd-config/index.js';
import {commandSteps} from '../changes.js';
import {installedDirectory, OWNER_LINE} from '../layout.js';
import type {LeaveWish} from '../leave.js';
import type {Membership} from '../ownership.js';
import {
  ASKED_FOR,
  asksForOurs,
  hookSwitches,
  isAskedFor,
  isService,
  switchedOff,
  uselessSwitches,
  withoutIncludes,
} from '../pam/take-back.js';

export interface LeavePlan {
  readonly steps: readonly Step[];
  /** The steps among them that change what sshd reads at its start. */
  readonly config: readonly PathStep[];
  /** The step among them that makes sshd take that; undefined when nothing does. */
  readonly reload: Step | undefined;
  readonly left: readonly Left[];
  /** Links to ready-made hooks, which go with those. */
  readonly links: readonly string[];
  /** What sshd reads once they are done; undefined when nobody has looked at sshd. */
  readonly tree: Tree | undefined;
}

/** `facts` undefined: sshd is left alone, whatever state it is in. */
export async function planLeave(
  host: Host,
  wish: LeaveWish,
  {record, settings: {config}}: Membership,
  facts: HostFacts | undefined,
): Promise<LeavePlan> {
  const directory = dataDirectory(wish.dataDir);
  const rules: Rules = {directory, without: editor(record, facts), needed: () => undefined, gone: new Set()};
  const isConfig = configurationOf(config, facts?.tree);
  const edited = stillIncluding(await takeBack(host, record.changes.filter(isConfig), rules), record, config);
  const kept = edited.left.map(({path}) => path);
  const first = [
    ...edited.steps,
    ...strayBlock(facts?.tree, [...edited.steps.map(({path}) => path), ...kept]),
  ];

  const tree = facts && treeAfter(facts.tree, first);
  const removed = new Set(first.flatMap(({path, to}) => (to === undefined ? [path] : [])));
  const others = record.changes.filter((change) => !isConfig(change));
  const needed = neededBy(facts, tree);
  const asks = !wish.reload && asksForOurs(record);
  const back = (gone: ReadonlySet<string>) =>
    takeBack(host, others, {
      ...rules,
      needed: (path) => needed(path) ?? (asks && isAskedFor(path) ? ASKED_FOR : undefined),
      gone,
    });
  const whole = await back(removed);
  const switches = await uselessSwitches(host, await hookSwitches(host, others), whole.steps);
  const links = switches.map(({path}) => path);
  const rest = links.length > 0 ? await back(new Set([...removed, ...links])) : whole;

  const paths = [...first, ...rest.steps];
  // What others have removed already may be in effect still: from 9.8 on sshd keeps certificates in memory.
  const touched = [...paths, ...record.changes];
  const reload = wish.reload && facts && touched.some(({path}) => !path.startsWith(`${directory.path}/`));
  const commands = reload ? commandSteps({facts}, wish) : [];
  const {before, after} = lastingSteps(record);
  return {
    steps: [...before, ...first, ...commands, ...switches.map(switchedOff), ...rest.steps, ...after],
    config: first,
    reload: commands.find((step) => step.kind === 'command'),
    left: [...edited.left, ...rest.left],
    links,
    tree,
  };
}

/** What sshd reads: the files it includes now, and those that it might. */
function configurationOf(config: string, tree: Tree | undefined): (change: Change) => boolean {
  const read = new Set([
    config,
    ...(tree?.files.keys() ?? []),
    ...(tree?.mainTarget ? [tree.mainTarget] : []),
  ]);
  const beside = join(dirname(config), '/');
  return ({path, via}) =>
    read.has(path) || read.has(via ?? path) || (path.startsWith(beside) && path.endsWith('.conf'));
}

function editor(record: OwnershipRecord, facts: HostFacts | undefined): Rules['without'] {
  const made = record.changes.flatMap(({path, before}) => (before.kind === 'absent' ? [path] : []));
  const own = new Set([...made, ...made.filter(isService).map((path) => basename(path))]);
  const newest = dialectOf([10, 0]);
  const isConfig = configurationOf(String(record.settings['config']), facts?.tree);
  return (change, bytes) => {
    if (isService(change.path)) return withoutIncludes(change.path, bytes);
    if (!isConfig(change)) return undefined;
    const theirs = withoutOwnLines(bytes, facts?.dialect ?? newest, {own, header: [OWNER_LINE]});
    return change.before.kind === 'absent' && isBlank(theirs) ? 'gone' : theirs;
  };
}

/**
 * Where others have put lines into the file that our block includes, the block stays: without it their lines would not
 * be read any more.
 */
function stillIncluding({steps, left}: TakeBack, record: OwnershipRecord, config: string): TakeBack {
  const own = `${installedDirectory(config)}/`;
  const fragment = steps.find(({path, to}) => to !== undefined && path.startsWith(own));
  const main = steps.find(({path, via}) => path === config || via === config);
  if (fragment === undefined || main === undefined) return {steps, left};
  const {saved} = record.changes.find(({path}) => path === main.path) ?? {};
  const block: Left = {
    path: main.path,
    reason: `${main.path} keeps our block because it includes ${fragment.path}, which holds lines of others`,
    remedy: `move those lines into a file of yours, then remove the block and ${fragment.path}`,
    ...(saved === undefined ? {} : {saved}),
  };
  return {steps: steps.filter((step) => step !== main), left: [...left, block]};
}

/** Our block in a main file that is not the one we wrote it to: a link was replaced by a copy, as `sed -i` does. */
function strayBlock(tree: Tree | undefined, known: readonly string[]): PathStep[] {
  if (tree === undefined) return [];
  const path = tree.mainTarget ?? tree.main;
  const now = tree.files.get(tree.main) ?? new Uint8Array();
  const bytes = removeBlock(now);
  if (bytes.length === now.length || known.includes(path)) return [];
  return [{kind: 'path', path, to: {kind: 'file', bytes}, why: 'our lines in a copy of the file we wrote'}];
}

function treeAfter(tree: Tree, steps: readonly PathStep[]): Tree {
  const files = new Map(tree.files);
  for (const {path, via, to} of steps) {
    const names = [path, via, path === tree.mainTarget ? tree.main : undefined];
    for (const name of names) {
      if (name === undefined || !files.has(name)) continue;
      if (to?.kind === 'file') files.set(name, to.bytes);
      else files.delete(name);
    }
  }
  return {...tree, files};
}

/** sshd must never be left with a name of something that is gone. */
function neededBy(facts: HostFacts | undefined, tree: Tree | undefined): Rules['needed'] {
  const named = new Map<string, string>();
  for (const {args, file, line, keyword} of facts && tree
    ? settings(tree, facts.dialect)
    : ([] as Setting[])) {
    for (const argument of args) named.set(textOf(argument), `${keyword} in ${file} line ${line}`);
  }
  return (path) => {
    const option = facts?.daemon.options.find((word) => word.includes(path));
    const name = isService(path) ? basename(path) : path;
    const by = option === undefined ? named.get(name) : `sshd's command line (${option})`;
    return by === undefined ? undefined : `is left because sshd needs it: ${by}`;
  };
}
