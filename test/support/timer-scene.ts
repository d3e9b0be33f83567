// A host with a timer, in a directory, for whoever breaks its transactions. What systemctl does there is a small model of
// systemd in files: it knows a unit only once it was loaded, and refuses what systemd refuses. That the real one agrees is
// what test/matrix/timer.test.ts shows.

import {execFileSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Host} from '../../src/host/host.js';
import {LocalHost} from '../../src/host/local.js';
import {lookAtSchedulers, type SchedulerPlaces, TIMER} from '../../src/host/scheduler.js';
import {parseInterval} from '../../src/operations/timer/interval.js';
import {planNoTimer, planTimer} from '../../src/operations/timer/plan.js';
import {dataDirectory} from '../../src/plan/data-directory.js';
import {type ApplyOptions, apply} from '../../src/plan/plan.js';
import {type OwnershipRecord, readRecord} from '../../src/plan/record.js';
import type {Step} from '../../src/plan/step.js';
import {lastingSteps, takeBack} from '../../src/plan/take-back.js';
import {CrashingHost, type Fault} from './crashing-host.js';
import {dataDirIn} from './join-like-plan.js';
import {type Leaf, snapshot, temporaryTree} from './tree.js';

const SYSTEMCTL = `#!/bin/sh
root=$(cd "$(dirname "$0")/.." && pwd)
units=$root/etc/systemd/system loaded=$root/run/loaded active=$root/run/active
reload() { rm -rf "$loaded"; mkdir "$loaded"; cp "$units"/*.* "$loaded"/ 2>/dev/null; return 0; }
exists() { [ -e "$units/$1" ] || { echo "Unit file $1 does not exist." >&2; exit 1; }; }
stop() { [ -e "$active/$1" ] || [ -e "$loaded/$1" ] || { echo "Unit $1 not loaded." >&2; exit 5; }; rm -f "$active/$1"; }
start() {
  [ -e "$loaded/$1" ] || { echo "Unit $1 not found." >&2; exit 5; }
  [ -e "$loaded/\${1%timer}service" ] || { echo "Refusing to start, unit to trigger not loaded." >&2; exit 1; }
  [ -e "$active/$1" ] || cp "$loaded/$1" "$active/$1"
  : >"$root/var/lib/systemd/timers/stamp-$1"
}
link=$units/timers.target.wants/
case "$1 $2" in
'daemon-reload ') reload ;;
'enable --now') exists "$3"; mkdir -p "$link"; ln -sf "../$3" "$link$3"; reload; start "$3" ;;
'disable --now') exists "$3"; rm -f "$link$3"; reload; stop "$3" ;;
disable*) exists "$2"; rm -f "$link$2"; reload ;;
'--quiet is-active') [ -e "$active/$3" ] ;;
enable*) exists "$2"; ln -sf "../$2" "$link$2"; reload ;;
stop*) stop "$2" ;;
restart*) rm -f "$active/$2"; start "$2" ;;
show*)
  for unit; do :; done
  [ -e "$link$unit" ] && echo UnitFileState=enabled
  [ -e "$active/$unit" ] && echo ActiveState=active ;;
*) echo "what is $*?" >&2; exit 64 ;;
esac
`;

export function placesIn(root: string): SchedulerPlaces {
  return {
    booted: join(root, 'run/systemd/system'),
    systemctl: join(root, 'bin/systemctl'),
    units: join(root, 'etc/systemd/system'),
    stamps: join(root, 'var/lib/systemd/timers'),
    crontabs: join(root, 'etc/cron.d'),
  };
}

const SETTINGS = {cluster: 'example.com', nodeId: '0b9c1e0e-0d5e-4a4e-8f39-1b1b6f9d2f0e'};

/** A host that is joined: nothing of it matters but that there is a record. */
export async function makeTimerHost(root: string): Promise<void> {
  const directories = ['bin', 'etc/cron.d', 'etc/systemd/system/timers.target.wants', 'run/systemd/system'];
  for (const path of [...directories, 'run/loaded', 'run/active', 'var/lib/systemd/timers'])
    mkdirSync(join(root, path), {recursive: true});
  writeFileSync(join(root, 'bin/systemctl'), SYSTEMCTL);
  chmodSync(join(root, 'bin/systemctl'), 0o755);
  const path = join(root, 'etc/joined');
  const to = {kind: 'file', bytes: Buffer.from('yes\n')} as const;
  await apply(new LocalHost(), [{kind: 'path', path, to, why: 'test'}], {
    dataDir: dataDirIn(root),
    operation: 'join openssh',
    settings: SETTINGS,
  });
}

export async function recordIn(root: string): Promise<OwnershipRecord> {
  const record = await readRecord(new LocalHost(), dataDirIn(root));
  if (record === undefined) throw new Error('not joined');
  return record;
}

/** Steps of an installation; `every` as it is typed. */
export async function timerSteps(root: string, every: string, unit: string | undefined = 'ssh.service') {
  const host = new LocalHost();
  const places = placesIn(root);
  const {systemd} = await lookAtSchedulers(host, places);
  const schedulers = {systemd, cron: 'running'} as const;
  const process = {pid: 1, argv: [], exe: undefined, unit, cwd: undefined, listening: []};
  const scene = {places, schedulers, record: await recordIn(root), daemon: {process}};
  return planTimer(host, scene, {
    every: parseInterval(every),
    program: ['/usr/bin/node', '/usr/local/bin/agentless'],
    dataDir: dataDirIn(root),
    nodeId: SETTINGS.nodeId,
  });
}

export type Doing = {readonly install: string} | 'remove' | 'leave';

/** What the operations do once they have looked around. */
export async function carryOut(
  host: Host,
  root: string,
  doing: Doing,
  rest: Partial<ApplyOptions> = {},
): Promise<readonly Step[]> {
  const record = await recordIn(root);
  const dataDir = dataDirIn(root);
  const options = {dataDir, operation: 'test', settings: record.settings, ...rest};
  const steps = await stepsOf(root, doing, record);
  const ends = {transaction: record.transaction, made: record.made, keep: []};
  await apply(host, steps, doing === 'leave' ? {...options, ends} : options);
  return steps;
}

async function stepsOf(root: string, doing: Doing, record: OwnershipRecord): Promise<readonly Step[]> {
  const [host, dataDir] = [new LocalHost(), dataDirIn(root)];
  if (typeof doing === 'object') return timerSteps(root, doing.install);
  if (doing === 'remove') return (await planNoTimer(host, {record, places: placesIn(root)}, dataDir)).steps;
  const nothing = () => undefined;
  const rules = {
    directory: dataDirectory(dataDir),
    without: nothing,
    needed: nothing,
    gone: new Set<string>(),
  };
  const {before, after} = lastingSteps(record);
  return [...before, ...(await takeBack(host, record.changes, rules)).steps, ...after];
}

type Tree = Record<string, Leaf>;

const RECORD = 'var/lib/agentless/record.json';

/** What two runs have in common. Of what systemctl does itself the time is nobody's property. */
function comparable(tree: Tree, times: boolean): Tree {
  return Object.fromEntries(
    Object.entries(tree).map(([path, leaf]) => {
      const {mtime, ...rest} = leaf;
      const own = times && !/^run\/|\/stamp-/.test(path);
      const content =
        path === RECORD ? leaf.content?.replace(/"(transaction|at|since)": "[^"]*"/g, '"$1"') : leaf.content;
      return [path, own ? leaf : {...rest, ...(content !== undefined && {content})}];
    }),
  );
}

/** The same as CrashScene, of a timer. */
export class TimerScene {
  readonly root = temporaryTree();
  readonly operations: CrashingHost['operations'] = [];
  readonly #copies = temporaryTree();
  readonly #real = new LocalHost();
  #before: Tree = {};
  #after: Tree = {};

  private constructor(private readonly doing: Doing) {}

  /** `first` is done before, and somebody may then do something by `systemctl`. */
  static async set(
    doing: Doing,
    {first, by = [], cron = false}: {first?: Doing; by?: readonly string[]; cron?: boolean} = {},
  ): Promise<TimerScene> {
    const scene = new TimerScene(doing);
    await makeTimerHost(scene.root);
    if (cron) rmSync(placesIn(scene.root).booted, {recursive: true});
    if (first) await carryOut(scene.host(), scene.root, first);
    if (by.length > 0) execFileSync(placesIn(scene.root).systemctl, by);
    scene.keep('before');
    scene.#before = await snapshot(scene.root);
    const host = scene.host();
    await scene.join(host);
    scene.operations.push(...host.operations);
    scene.#after = await snapshot(scene.root);
    return scene;
  }

  host(fault?: Fault): CrashingHost {
    return new CrashingHost(this.#real, fault, () => true);
  }

  async join(host: CrashingHost, rest: Partial<ApplyOptions> = {}): Promise<void> {
    await carryOut(host, this.root, this.doing, rest);
  }

  keep(name: string): void {
    rmSync(join(this.#copies, name), {recursive: true, force: true});
    execFileSync('cp', ['-a', this.root, join(this.#copies, name)]);
  }

  back(name: string): void {
    rmSync(this.root, {recursive: true});
    execFileSync('cp', ['-a', join(this.#copies, name), this.root]);
  }

  /** The host is wholly before or after, and systemd has loaded and runs just what the files say. */
  async expectWhole(which: 'before' | 'after' | 'either', what: string): Promise<void> {
    const tree = await snapshot(this.root);
    const changed = tree[RECORD]?.content !== this.#before[RECORD]?.content;
    const after = which === 'either' ? changed : which === 'after';
    if (after) expect(comparable(tree, false), what).to.deep.equal(comparable(this.#after, false));
    else expect(comparable(tree, true), what).to.deep.equal(comparable(this.#before, true));
    this.expectLoaded(what);
  }

  expectLoaded(what: string): void {
    const text = (path: string) =>
      existsSync(join(this.root, path)) ? readFileSync(join(this.root, path), 'utf8') : undefined;
    const [file, loaded, active] = ['etc/systemd/system', 'run/loaded', 'run/active'].map((at) =>
      text(`${at}/${TIMER}`),
    );
    expect(loaded, `${what}: loaded`).to.equal(file);
    if (active !== undefined) expect(active, `${what}: active`).to.equal(file);
  }

  clear(): void {
    rmSync(this.root, {recursive: true, force: true});
    rmSync(this.#copies, {recursive: true, force: true});
  }
}
