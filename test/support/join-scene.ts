// A real join in this process, on a host that can die under it: real files, a real sshd, a real cluster.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync} from 'node:fs';
import {join as joinPath} from 'node:path';
import type {Cluster} from '../../src/cluster/cluster.js';
import {Secret} from '../../src/errors.js';
import type {Host} from '../../src/host/host.js';
import {LocalHost} from '../../src/host/local.js';
import {join, type Tools} from '../../src/operations/join.js';
import type {Joined} from '../../src/operations/joined.js';
import type {Departure} from '../../src/operations/leave/report.js';
import {type LeaveWish, leave} from '../../src/operations/leave.js';
import {type Renewal, type RenewWish, renew} from '../../src/operations/renew.js';
import type {JoinWish} from '../../src/operations/settings.js';
import {recover} from '../../src/plan/plan.js';
import {clientOf} from './cluster-client.js';
import {CrashingHost, type Fault} from './crashing-host.js';
import {servedKeys} from './served-keys.js';
import {Stage} from './stage.js';
import {snapshot} from './tree.js';

type Tree = Awaited<ReturnType<typeof snapshot>>;

const isReload = (argv: readonly string[]): boolean =>
  argv[0] === 'kill' || argv.some((word) => word.includes('kill -HUP'));

export class JoinScene {
  /** All that was said so far. */
  readonly warnings: string[] = [];

  private constructor(
    readonly stage: Stage,
    private readonly untouched: Tree,
    private readonly keys: ReadonlySet<string>,
  ) {}

  /** `prepare`: what the host has been through before. */
  static async set(
    options: Parameters<typeof Stage.quick>[0] = {},
    prepare: (stage: Stage) => Promise<void> = async () => undefined,
  ): Promise<JoinScene> {
    const stage = await Stage.quick(options);
    await prepare(stage);
    execFileSync('cp', ['-a', joinPath(stage.root, 'etc'), joinPath(stage.root, 'copy')]);
    return new JoinScene(stage, await stage.host(), await servedKeys(stage.sshd.port));
  }

  host(fault?: Fault): CrashingHost {
    return new CrashingHost(new LocalHost(), fault, isReload);
  }

  /** Joins as the program does, on this host; a dead host speaks to nobody any more. */
  join(host: CrashingHost, changes: Partial<JoinWish> = {}): Promise<Joined> {
    const {cluster, sshd, dataDir} = this.stage;
    const wish: JoinWish = {
      proxy: cluster.proxy,
      admission: {by: 'token', token: new Secret(cluster.token)},
      hostname: 'web1',
      address: `127.0.0.1:${sshd.port}`,
      config: sshd.config,
      dataDir,
      register: true,
      reload: true,
      proveLogins: [],
      dryRun: false,
      replace: true,
      ...changes,
    };
    return join(this.tools(host), wish);
  }

  /** Leaves as the program does, on this host. */
  leave(host: CrashingHost, changes: Partial<LeaveWish> = {}): Promise<Departure> {
    const {dataDir} = this.stage;
    const wish = {dataDir, local: false, reload: true, dryRun: false, yes: false, ...changes};
    return leave(this.tools(host), wish);
  }

  /** Renews as the program does, on this host. */
  renew(host: CrashingHost, changes: Partial<RenewWish> = {}): Promise<Renewal> {
    const {dataDir} = this.stage;
    const wish = {dataDir, check: false, repair: false, fewerNames: false, reload: true, ...changes};
    return renew(this.tools(host), wish);
  }

  private tools(host: CrashingHost): Tools {
    const connect = async () => mortal(clientOf(this.stage.cluster, {deadline: 30_000}), host);
    return {host, connect, ...silent((text) => this.warnings.push(text))};
  }

  /** What any command does first. */
  async recover(host: Host = new LocalHost()): Promise<string> {
    return (await recover(host, this.stage.dataDir)).outcome;
  }

  /** How often sshd has been told to read its configuration again. */
  get reloads(): number {
    const log = readFileSync(joinPath(this.stage.root, 'etc/sshd.log'), 'latin1');
    return log.match(/Received SIGHUP/g)?.length ?? 0;
  }

  /** What differs from the host as it was before; empty when nothing does. */
  async differences(): Promise<string[]> {
    const tree = await this.stage.host();
    const paths = [...new Set([...Object.keys(tree), ...Object.keys(this.untouched)])];
    const changed = paths.filter(
      (path) => JSON.stringify(tree[path]) !== JSON.stringify(this.untouched[path]),
    );
    const left = existsSync(this.stage.dataDir) ? Object.keys(await snapshot(this.stage.dataDir)) : [];
    const served = await servedKeys(this.stage.sshd.port);
    const same = served.size === this.keys.size && [...served].every((key) => this.keys.has(key));
    return [...changed, ...left.map((name) => `data/${name}`), ...(same ? [] : ['what sshd serves'])];
  }

  /** All that a joined host is. */
  async look() {
    const {stage} = this;
    const [etc, data, served] = [stage.host(), snapshot(stage.dataDir), servedKeys(stage.sshd.port)];
    return {etc: await etc, data: await data, served: [...(await served)].sort()};
  }

  /** Puts the host back to where it was before the join, whatever has become of it. */
  async reset(): Promise<void> {
    const {root, dataDir, cluster} = this.stage;
    for (const {id} of cluster.nodes()) cluster.removeNode(id);
    rmSync(dataDir, {recursive: true, force: true});
    rmSync(joinPath(root, 'etc/agentless'), {recursive: true, force: true});
    execFileSync('cp', ['-a', joinPath(root, 'copy/sshd_config'), this.stage.sshd.config]);
    await this.reload();
  }

  /** Keeps the joined host as it is now, for `back`. */
  keep(): void {
    const {root, dataDir} = this.stage;
    rmSync(joinPath(root, 'kept'), {recursive: true, force: true});
    mkdirSync(joinPath(root, 'kept'));
    execFileSync('cp', ['-a', dataDir, joinPath(root, 'etc/agentless'), joinPath(root, 'kept')]);
  }

  async back(): Promise<void> {
    const {root, dataDir} = this.stage;
    for (const [name, place] of [
      ['data', dataDir],
      ['agentless', joinPath(root, 'etc/agentless')],
    ] as const) {
      rmSync(place, {recursive: true, force: true});
      execFileSync('cp', ['-a', '--no-target-directory', joinPath(root, 'kept', name), place]);
    }
    await this.reload();
  }

  /** sshd reads its configuration again, and has done so when this returns. */
  async reload(): Promise<void> {
    const etc = joinPath(this.stage.root, 'etc');
    const [pid, log] = ['sshd.pid', 'sshd.log'].map((name) => joinPath(etc, name));
    const seen = readFileSync(log ?? '', 'latin1').length;
    process.kill(Number(readFileSync(pid ?? '', 'latin1')), 'SIGHUP');
    while (
      !readFileSync(log ?? '', 'latin1')
        .slice(seen)
        .includes('Server listening')
    ) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  stop(): Promise<void> {
    // The stages of rehearsals that died: their process is this one, which is alive.
    for (const parent of ['/run', '/tmp']) {
      const names = readdirSync(parent).filter((name) => name.startsWith(`agentless-${process.pid}-`));
      for (const name of names) rmSync(joinPath(parent, name), {recursive: true});
    }
    return this.stage.stop();
  }
}

/** Nobody answers or interrupts. */
function silent(warn: (text: string) => void) {
  const report = {heading: () => undefined, step: () => undefined, warn};
  return {report, confirm: async () => false, signal: new AbortController().signal};
}

const SPEAKING: ReadonlySet<string | symbol> = new Set(['as', 'asOperator'] satisfies (keyof Cluster)[]);

/** The same object, whose methods throw once the host is dead: its process is gone as well. */
function mortal<T extends object>(target: T, host: CrashingHost): T {
  return new Proxy(target, {
    get: (object, name) => {
      const value: unknown = Reflect.get(object, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (host.dead && name !== 'close') throw new Error('the process is gone');
        const result: unknown = Reflect.apply(value, object, args);
        return SPEAKING.has(name) ? mortal(result as object, host) : result;
      };
    },
  });
}
