import {execFileSync} from 'node:child_process';
import {rmSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Host} from '../../src/host/host.js';
import {LocalHost} from '../../src/host/local.js';
import {CrashingHost, type Fault} from './crashing-host.js';
import {
  CONFIG,
  ENABLED,
  enableTimer,
  isReload,
  joinLike,
  leaveLike,
  makeHost,
  RUNNING,
} from './join-like-plan.js';
import {type Leaf, snapshot, temporaryTree, Xattrs} from './tree.js';

type Tree = Record<string, Leaf>;

const RECORD = 'var/lib/agentless/record.json';

/** Everything but the times of what commands write: the running copy, and the trace of an enabled unit. */
function withoutRunningTime(tree: Tree): Tree {
  const timeless = Object.entries(tree).map(([path, leaf]) => {
    const {mtime, ...rest} = leaf;
    return [path, path === RUNNING || path === ENABLED ? rest : leaf] as const;
  });
  return Object.fromEntries(timeless);
}

/** What two runs of the same plan have in common: not the times of what was written, nor the record's id and dates. */
function withoutTimes(tree: Tree): Tree {
  const leaves = Object.entries(tree).map(([path, {mtime, ...leaf}]) => {
    const content = leaf.content?.replace(/"(transaction|at|since)": "[^"]*"/g, '"$1"');
    return [path, path === RECORD ? {...leaf, content} : leaf];
  });
  return Object.fromEntries(leaves) as Tree;
}

/** A host in a directory that can be put back to where it was, and that knows its "before" and its "after". */
export class CrashScene {
  readonly root = temporaryTree();
  readonly operations: CrashingHost['operations'] = [];
  readonly #copies = temporaryTree();
  readonly #real = new LocalHost();
  #xattrs: Xattrs | undefined;
  #before: Tree = {};
  #after: Tree = {};

  private constructor(private readonly again: boolean | 'leaving') {}

  /** `again`: the host has been joined before, and the plan changes the same files once more. */
  static async set(again: boolean): Promise<CrashScene> {
    const scene = new CrashScene(again);
    scene.#xattrs = await Xattrs.start(scene.root);
    await makeHost(scene.root, scene.#xattrs);
    if (again) await joinLike(scene.host(), scene.root);
    scene.keep('before');
    scene.#before = await snapshot(scene.root, scene.#xattrs);
    const host = scene.host();
    await scene.join(host);
    scene.operations.push(...host.operations);
    scene.#after = await snapshot(scene.root, scene.#xattrs);
    return scene;
  }

  host(fault?: Fault): CrashingHost {
    return new CrashingHost(this.#real, fault, isReload);
  }

  /** A host that has been joined, changed once more, and given a timer; what it does is to leave. */
  static async leaving(): Promise<CrashScene> {
    const scene = new CrashScene('leaving');
    const {root} = scene;
    scene.#xattrs = await Xattrs.start(root);
    await makeHost(root, scene.#xattrs);
    const untouched = withoutRunningTime(await snapshot(root, scene.#xattrs));
    await joinLike(scene.host(), root);
    await joinLike(scene.host(), root, {}, true);
    await enableTimer(scene.host(), root);
    scene.keep('before');
    scene.#before = await snapshot(root, scene.#xattrs);
    const host = scene.host();
    await scene.join(host);
    scene.operations.push(...host.operations);
    scene.#after = await snapshot(root, scene.#xattrs);
    expect(withoutRunningTime(scene.#after), 'left').to.deep.equal(untouched);
    return scene;
  }

  join(host: Host, rest: Parameters<typeof joinLike>[2] = {}): Promise<void> {
    if (this.again === 'leaving') return leaveLike(host, this.root, rest);
    return joinLike(host, this.root, rest, this.again);
  }

  keep(name: string): void {
    rmSync(join(this.#copies, name), {recursive: true, force: true});
    execFileSync('cp', ['-a', this.root, join(this.#copies, name)]);
  }

  copyOf(name: string): string {
    return join(this.#copies, name);
  }

  back(name: string): void {
    rmSync(this.root, {recursive: true});
    execFileSync('cp', ['-a', join(this.#copies, name), this.root]);
  }

  /** The host is wholly before, or wholly after, and the service runs what the files say. */
  async expectWhole(which: 'before' | 'after' | 'either', what: string): Promise<void> {
    const tree = await snapshot(this.root, this.#xattrs);
    const after =
      which === 'either' ? tree[RECORD]?.content !== this.#before[RECORD]?.content : which === 'after';
    // Leaving puts back the times as well.
    const known = this.again === 'leaving' ? withoutRunningTime : withoutTimes;
    if (after) expect(known(tree), what).to.deep.equal(known(this.#after));
    else expect(withoutRunningTime(tree), what).to.deep.equal(withoutRunningTime(this.#before));
    expect(tree[RUNNING]?.content, `${what}: running`).to.equal(tree[CONFIG]?.content);
  }

  clear(): void {
    this.#xattrs?.stop();
    rmSync(this.root, {recursive: true, force: true});
    rmSync(this.#copies, {recursive: true, force: true});
  }
}
