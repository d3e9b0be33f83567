// A stage whose host has joined, to be damaged in one way after another: everything is put back after each.

import {execFileSync} from 'node:child_process';
import {existsSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Diagnosis} from '../../src/operations/doctor.js';
import type {Status} from '../../src/operations/status/report.js';
import type {CliResult} from './cli.js';
import {inProcess} from './in-process.js';
import {schemaNamed, violations} from './json-schema.js';
import {type Envelope, Stage} from './stage.js';
import {snapshot} from './tree.js';

export class JoinedStage {
  private constructor(readonly stage: Stage) {}

  static async start(
    options: Parameters<typeof Stage.quick>[0] = {},
    words: readonly string[] = [],
    prepare: (stage: Stage) => void = () => undefined,
  ): Promise<JoinedStage> {
    const stage = await Stage.quick(options);
    prepare(stage);
    const {status, stderr} = await stage.join(words);
    expect(status, stderr).to.equal(0);
    execFileSync('cp', ['-a', join(stage.root, 'etc'), join(stage.root, 'copy-etc')]);
    execFileSync('cp', ['-a', stage.dataDir, join(stage.root, 'copy-data')]);
    for (const name of ['sshd.log', 'sshd.pid']) rmSync(join(stage.root, 'copy-etc', name), {force: true});
    return new JoinedStage(stage);
  }

  stop(): Promise<void> {
    return this.stage.stop();
  }

  at(name: string): string {
    return join(this.stage.root, name);
  }

  get ours(): string {
    return this.at('etc/agentless');
  }

  /** As of a join that was told of no authority, because the system knew the proxy's. */
  forgetTrust(): void {
    const record = JSON.parse(readFileSync(this.record, 'utf8'));
    delete record.settings.trust;
    writeFileSync(this.record, JSON.stringify(record));
  }

  get record(): string {
    return join(this.stage.dataDir, 'record.json');
  }

  get place(): string[] {
    return ['--data-dir', this.stage.dataDir, '--openssh-config', this.stage.sshd.config];
  }

  /** Puts files and directories back as they were after the join; the daemon goes on as it is. */
  restore(): void {
    const etc = this.at('etc');
    execFileSync('find', [
      etc,
      '-mindepth',
      '1',
      '-not',
      '-name',
      'sshd.log',
      '-not',
      '-name',
      'sshd.pid',
      '-delete',
    ]);
    rmSync(this.stage.dataDir, {recursive: true, force: true});
    for (const place of ['etc', 'data'])
      execFileSync('cp', ['-a', '--no-target-directory', this.at(`copy-${place}`), this.at(place)]);
  }

  /** Makes the running daemon read its configuration again, and waits until it has. */
  async reload(): Promise<void> {
    const log = this.stage.sshd.log;
    const seen = readFileSync(log, 'latin1').length;
    process.kill(Number(readFileSync(this.at('etc/sshd.pid'), 'latin1')), 'SIGHUP');
    while (!readFileSync(log, 'latin1').slice(seen).includes('Server listening'))
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /** What `status --json` says; its result fits the schema, and nothing has changed meanwhile. */
  async status(words: readonly string[] = []): Promise<Status & {exit: number | null; envelope: Envelope}> {
    const before = await this.#tree();
    const ran = await inProcess(['status', '--json', ...this.place, ...words]);
    expect(await this.#tree(), 'a status changes nothing').to.deep.equal(before);
    const envelope = JSON.parse(ran.stdout || '{}') as Envelope;
    expect(violations(envelope, schemaNamed('envelope'))).to.deep.equal([]);
    expect(envelope.error, ran.stderr).to.equal(undefined);
    expect(violations(envelope.result, schemaNamed('status'))).to.deep.equal([]);
    expect(envelope.status).to.equal(ran.status);
    expect(ran.status).to.equal(envelope.result.problems.length === 0 ? 0 : 3);
    return {...envelope.result, exit: ran.status, envelope};
  }

  /** What `doctor --json` says, under the same conditions; nothing of its rehearsals may be left. */
  async doctor(words: readonly string[] = []): Promise<Diagnosis & {exit: number | null}> {
    const before = await this.#tree();
    const ran = await inProcess(['doctor', '--json', ...this.place, ...words]);
    expect(await this.#tree(), 'a doctor changes nothing').to.deep.equal(before);
    for (const parent of ['/run', '/tmp'])
      expect(
        readdirSync(parent).filter((name) => name.startsWith(`agentless-${process.pid}-`)),
      ).to.deep.equal([]);
    const envelope = JSON.parse(ran.stdout || '{}') as Envelope;
    expect(violations(envelope, schemaNamed('envelope')), ran.stderr).to.deep.equal([]);
    expect(envelope.error, ran.stderr).to.equal(undefined);
    expect(violations(envelope.result, schemaNamed('doctor'))).to.deep.equal([]);
    const diagnosis = envelope.result as Diagnosis;
    const failed = diagnosis.findings.filter(({status}) => status === 'fail');
    expect(ran.status, JSON.stringify(failed)).to.equal(failed.length === 0 ? 0 : 3);
    for (const {status, fix, text} of diagnosis.findings)
      if (status === 'fail') expect(fix, `what to do about: ${text}`).to.be.a('string');
    return {...diagnosis, exit: ran.status};
  }

  text(words: readonly string[] = []): Promise<CliResult> {
    return inProcess(['status', ...this.place, ...words]);
  }

  /** Everything that a status might change; nothing where a pipe would keep the reader waiting. */
  async #tree() {
    const pipes = execFileSync('find', [this.stage.root, '-type', 'p'], {encoding: 'utf8'});
    if (pipes !== '') return pipes;
    const data = existsSync(this.stage.dataDir) ? await snapshot(this.stage.dataDir) : {};
    return {host: await this.stage.host(), data};
  }
}
