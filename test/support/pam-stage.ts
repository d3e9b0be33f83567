// A joined host with the PAM half installed, in a mount namespace of its own; what a test does to its /etc is undone.

import {type ChildProcess, spawn} from 'node:child_process';
import {appendFileSync, chmodSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {findSshd} from '../../src/demo/private-sshd.js';
import {agentless, type CliResult} from './cli.js';
import {type TemporaryCluster, temporaryCluster} from './dev-cluster.js';
import {freePort} from './free-port.js';
import {Namespace} from './namespace.js';
import {servedKeys} from './served-keys.js';
import {sshdIsAtLeast} from './sshd-version.js';
import {type Envelope, envelope} from './stage.js';

const SSHD = process.env['SSHD'] ?? findSshd();
const KEPT = ['/etc/agentless', '/etc/pam.d', '/etc/ssh'];

export class PamStage {
  #daemon: ChildProcess | undefined;

  private constructor(
    readonly space: Namespace,
    readonly cluster: TemporaryCluster,
    readonly port: number,
  ) {}

  /** Undefined where no namespace can be had. Nothing is joined yet. */
  static async start(): Promise<PamStage | undefined> {
    const space = await Namespace.start();
    if (space === undefined) return undefined;
    const [cluster, port] = await Promise.all([temporaryCluster(), freePort()]);
    const stage = new PamStage(space, cluster, port);
    const lines = `Port ${port}\nListenAddress 127.0.0.1\n${sshdIsAtLeast(9, 8) ? 'PerSourcePenalties no\n' : ''}`;
    if (sshdIsAtLeast(8, 4)) writeFileSync(space.path('/etc/ssh/sshd_config.d/50-cloud-init.conf'), lines);
    else appendFileSync(space.path('/etc/ssh/sshd_config'), lines);
    await stage.#startSshd();
    return stage;
  }

  async #startSshd(): Promise<void> {
    const log = join(this.space.directory, 'sshd.log');
    const [program = '', ...words] = [...this.space.prefix, SSHD, '-D', '-E', log];
    this.#daemon = spawn(program, words, {stdio: 'ignore'});
    for (let attempt = 0; (await servedKeys(this.port)).size === 0; attempt += 1) {
      if (attempt > 50) expect.fail(readFileSync(log, 'latin1'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async join(...words: readonly string[]): Promise<void> {
    const {cluster} = this;
    const argv = ['join', 'openssh', '--proxy-server', cluster.proxy, '--ca-file', cluster.caFile];
    const rest = ['--token', '-', '--hostname', 'web1', '--address', `127.0.0.1:${this.port}`, '--json'];
    const result = await this.run([...argv, ...rest, ...words], [], cluster.token);
    expect(result.status, result.stdout + result.stderr).to.equal(0);
    this.space.run('sh', '-c', `mkdir -p /run/kept && cp -a ${KEPT.join(' ')} /run/kept`);
  }

  /** As it was after the join. */
  restore(): void {
    this.space.run('sh', '-c', `rm -rf ${KEPT.join(' ')} && cp -a /run/kept/. /etc`);
  }

  run(argv: readonly string[], prefix: readonly string[] = [], input = ''): Promise<CliResult> {
    return agentless(argv, {prefix: [...this.space.prefix, ...prefix], input});
  }

  async json(
    argv: readonly string[],
    prefix: readonly string[] = [],
  ): Promise<Envelope & {stderr: string; exit: number | null}> {
    return envelope(await this.run([...argv, '--json'], prefix));
  }

  write(path: string, text: string, mode = 0o644): void {
    writeFileSync(this.space.path(path), text, 'latin1');
    chmodSync(this.space.path(path), mode);
  }

  read(path: string): string {
    return readFileSync(this.space.path(path), 'latin1');
  }

  edit(path: string, change: (text: string) => string): void {
    writeFileSync(this.space.path(path), change(this.read(path)), 'latin1');
  }

  /** A hook of lines of sh. */
  hook(phase: string, name: string, ...lines: readonly string[]): string {
    const path = `/etc/agentless/pam.d/${phase}/${name}`;
    this.write(path, ['#!/bin/sh', ...lines, ''].join('\n'), 0o755);
    return path;
  }

  async stop(): Promise<void> {
    const daemon = this.#daemon;
    const gone = new Promise((resolve) => daemon?.once('exit', resolve));
    if (daemon?.exitCode === null && daemon.kill()) await gone;
    await Promise.all([this.space.stop(), this.cluster.stop()]);
  }
}
