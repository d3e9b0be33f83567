// A private sshd that joins a real cluster by the built program, and what is done to it there.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import {type PrivateSshd, startPrivateSshd} from '../../src/demo/private-sshd.js';
import {agentless} from './cli.js';
import type {RealCluster} from './real-cluster.js';
import {patientConfig} from './sshd-version.js';
import {type Envelope, envelope} from './stage.js';
import {type Leaf, snapshot} from './tree.js';

export type Answer = Envelope & {readonly stderr: string; readonly exit: number | null};

let count = 0;

export class RealStage {
  /** A name that no earlier run has left in the cluster. */
  name = `agentless-${Date.now().toString(36)}-${++count}`;

  private constructor(
    readonly cluster: RealCluster,
    readonly root: string,
    readonly sshd: PrivateSshd,
  ) {}

  static async start(cluster: RealCluster): Promise<RealStage> {
    const root = mkdtempSync(join(tmpdir(), 'agentless-life-'));
    const keyTypes = ['ed25519', 'ecdsa'];
    const program = process.env['SSHD'];
    const stock = patientConfig();
    return new RealStage(
      cluster,
      root,
      await startPrivateSshd({directory: join(root, 'etc'), program, keyTypes, stock}),
    );
  }

  /** Whatever has become of it, nothing stays in the cluster. */
  async stop(): Promise<void> {
    await this.sshd.stop();
    for (const {metadata} of await this.cluster.nodes(this.name))
      await this.cluster.tctl('rm', `node/${metadata.name}`);
    rmSync(this.root, {recursive: true, force: true});
  }

  get dataDir(): string {
    return join(this.root, 'data');
  }

  async run(command: string, words: readonly string[] = [], input = ''): Promise<Answer> {
    const place = ['--data-dir', this.dataDir, '--json'];
    const said = await agentless([...command.split(' '), ...place, ...words], {input});
    const answer = envelope(said);
    expect(answer.exit, JSON.stringify(answer)).to.equal(answer.status);
    return answer;
  }

  join(words: readonly string[] = [], token = this.cluster.token): Promise<Answer> {
    return this.again([...words, '--token', '-'], token);
  }

  /** The same without a token, as on a host that has joined. */
  again(words: readonly string[] = [], input = ''): Promise<Answer> {
    const where = ['--proxy-server', this.cluster.proxy, '--openssh-config', this.sshd.config];
    const what = ['--hostname', this.name, '--address', `127.0.0.1:${this.sshd.port}`];
    return this.run('join openssh', [...where, ...what, ...this.cluster.trust, ...words], input);
  }

  renew(words: readonly string[] = []): Promise<Answer> {
    return this.run('renew', words);
  }

  status(): Promise<Answer> {
    return this.run('status', ['--online', ...this.cluster.trust]);
  }

  /** Until the cluster's readers show the phase to this host; its other parts have followed a second later. */
  async until(type: 'host' | 'openssh', phase: RotationPhase): Promise<void> {
    for (const end = Date.now() + 10_000; ; ) {
      const {result, error} = await this.renew(['--check']);
      if (result?.rotation[type].phase === phase) break;
      if (Date.now() > end) expect.fail(`the ${type} authority is not at ${phase}: ${JSON.stringify(error)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }

  /**
   * A real login through the proxy. A proxy keeps, for a day and by the name that is dialled, what it presents to users, also
   * when the authority that has signed it is gone (rotation reference A.5): nothing that a host can mend, and a new name
   * is not concerned. True when that was in the way.
   */
  async login(what: string): Promise<boolean> {
    const login = userInfo().username;
    const first = await this.cluster.login(login, this.name);
    if (first.stdout === 'hello\n') return false;
    expect(first.stderr, what).to.match(/access denied to \S+ connecting to /);
    const {result} = await this.explain(first.stderr);
    expect(JSON.stringify(result), what).to.match(/restart .*prox/i);
    this.name = `${this.name}x`;
    const renamed = await this.again();
    expect(renamed.exit, JSON.stringify(renamed)).to.equal(0);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const second = await this.cluster.login(login, this.name);
    expect(second.stdout, `${what}: ${second.stderr}`).to.equal('hello\n');
    return true;
  }

  async explain(text: string): Promise<Answer> {
    return envelope(await agentless(['doctor', '--json', '--explain', '-'], {input: text}));
  }

  /** All that a join may change; the pid file's time is sshd's own. */
  async host(): Promise<Record<string, Leaf>> {
    const {'sshd.log': _log, 'sshd.pid': pid, ...tree} = await snapshot(join(this.root, 'etc'));
    if (pid === undefined) return tree;
    const {mtime: _mtime, ...written} = pid;
    return {...tree, 'sshd.pid': written};
  }

  /** Leaves, and makes sure that nothing is left on the host or in the cluster. */
  async leave(untouched: Record<string, Leaf>): Promise<void> {
    const left = await this.run('leave');
    expect([left.exit, left.warnings], JSON.stringify(left)).to.deep.equal([0, []]);
    expect(left.result.node.removed).to.equal(true);
    expect(await this.host()).to.deep.equal(untouched);
    await eventually(async () => expect(await this.cluster.nodes(this.name)).to.deep.equal([]));
  }
}

/** Reads lag behind writes by about a second. */
export async function eventually(check: () => Promise<unknown>): Promise<void> {
  for (const end = Date.now() + 10_000; ; ) {
    try {
      await check();
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}
