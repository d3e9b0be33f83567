// A stage on which a person's identity file lies, for what hosts do with one instead of a token.

import {execFileSync} from 'node:child_process';
import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {agentless, type CliOptions} from './cli.js';
import {ALICE, type IdentityRequest, speaking} from './identity.js';
import {schemaNamed, violations} from './json-schema.js';
import {type Envelope, envelope, Stage} from './stage.js';

export type Ran = Envelope & {readonly stderr: string; readonly exit: number | null; readonly stdout: string};

export class IdentityStage {
  /** Values of the tokens that hosts have shown. */
  readonly shown: string[] = [];

  private constructor(
    readonly stage: Stage,
    readonly hooks: Partial<ClusterOptions>,
    /** An identity file of alice, who may do all that is ever needed. */
    readonly file: string,
  ) {}

  static async start(): Promise<IdentityStage> {
    const hooks: Partial<ClusterOptions> = {lag: false, limits: false};
    const stage = await Stage.quick({cluster: hooks});
    stage.cluster.removeToken(stage.cluster.token);
    const made = new IdentityStage(stage, hooks, join(stage.root, 'alice.id'));
    made.watch();
    await made.identity('alice.id');
    return made;
  }

  /** Sees each token that a host shows. */
  watch(): void {
    this.hooks.testOnlyJoinReply = (reply, {token}) => {
      this.shown.push(token);
      return reply;
    };
  }

  /** Path of a new identity file. */
  async identity(name: string, changes: Partial<IdentityRequest> = {}): Promise<string> {
    const path = join(this.stage.root, name);
    writeFileSync(path, await this.stage.cluster.identity({...ALICE, ...changes}), {mode: 0o600});
    return path;
  }

  /** A command with --json in the place of this stage; what it says holds no token, and fits its schema. */
  async run(command: string, words: readonly string[] = [], options: CliOptions = {}): Promise<Ran> {
    const place = command === 'join openssh' ? this.stage.words.slice(2) : ['--data-dir', this.stage.dataDir];
    const ran = await agentless([...command.split(' '), ...place, ...words, '--json'], options);
    for (const token of this.shown) expect(`${ran.stdout}${ran.stderr}`).to.not.include(token);
    const answer = {...envelope(ran), stdout: ran.stdout};
    expect(answer.exit, ran.stdout).to.equal(answer.status);
    if (answer.error === undefined) {
      const wrong = violations(answer.result, schemaNamed(command.replaceAll(' ', '-')));
      expect(wrong, ran.stdout).to.deep.equal([]);
    }
    return answer;
  }

  join(words: readonly string[] = [], options: CliOptions = {}): Promise<Ran> {
    return this.run('join openssh', words, options);
  }

  /** With another token than the one that is made for it. */
  joinByToken(words: readonly string[] = []): Promise<Ran> {
    const token = this.stage.cluster.addToken({roles: ['Node']});
    return this.join(['--token', '-', ...words], {input: token});
  }

  /** Values of the tokens that the cluster has now. */
  async tokens(): Promise<string[]> {
    await using alice = await speaking(this.stage.cluster);
    return (await alice.operator.tokens()).map(({name}) => name.reveal());
  }

  asked(call: string): number {
    return this.stage.cluster.stats.requests[call] ?? 0;
  }

  get minted(): number {
    return this.asked('proto.AuthService/CreateTokenV2');
  }

  /** Files under the data directory that hold a private key or what a token would open. */
  secrets(): string[] {
    if (!existsSync(this.stage.dataDir)) return [];
    const words = [
      '-rlE',
      ['PRIVATE KEY', ...this.shown].join('|'),
      this.stage.dataDir,
      join(this.stage.root, 'etc/agentless'),
    ];
    try {
      return execFileSync('grep', words, {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']})
        .trim()
        .split('\n');
    } catch {
      return [];
    }
  }

  async logIn(what: string): Promise<void> {
    const {stdout, stderr} = await this.stage.loginByCertificate('web1');
    expect(stdout, `${what}: ${stderr}`).to.equal('hello\n');
  }
}
