// A cluster that several hosts join from here, through ssh: they never see it.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {agentless} from './cli.js';
import {type TemporaryCluster, temporaryCluster} from './dev-cluster.js';
import type {FarHost} from './far-host.js';
import {ALICE} from './identity.js';
import {type SshResult, ssh} from './ssh-client.js';
import {type Envelope, envelope} from './stage.js';

export type Answer = Envelope & {readonly stderr: string; readonly exit: number | null};

export class FarStage {
  readonly #root = mkdtempSync(join(tmpdir(), 'far-stage-'));

  private constructor(readonly cluster: TemporaryCluster) {}

  static async start(): Promise<FarStage> {
    const stage = new FarStage(await temporaryCluster());
    writeFileSync(stage.identity, await stage.cluster.identity(ALICE), {mode: 0o600});
    return stage;
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
    rmSync(this.#root, {recursive: true});
  }

  /** A file with the identity of somebody who may do all that is ever needed. */
  get identity(): string {
    return join(this.#root, 'alice.id');
  }

  /** `agentless … --host …`, with the token on standard input where the words ask for it. */
  async at(host: FarHost, ...words: readonly string[]): Promise<Answer> {
    return envelope(await agentless([...words, ...host.there, '--json'], {input: `${this.cluster.token}\n`}));
  }

  join(host: FarHost, ...words: readonly string[]): Promise<Answer> {
    const where = ['--proxy-server', this.cluster.proxy, '--ca-file', this.cluster.caFile];
    return this.at(host, 'join', 'openssh', ...where, '--token', '-', ...words);
  }

  leave(host: FarHost): Promise<Answer> {
    return this.at(host, 'leave', '--identity', this.identity);
  }

  /** Logs in by a certificate, as somebody who trusts the cluster's host authority and knows nothing else of this host. */
  async login(host: FarHost, dialled: string = host.name): Promise<SshResult> {
    const {privateKey, certificate} = await this.cluster.login({
      logins: ['root'],
      user: 'alice',
      roles: ['access'],
      ttlSeconds: 600,
    });
    const identity = join(this.#root, `${host.name}.key`);
    writeFileSync(identity, privateKey, {mode: 0o600});
    writeFileSync(`${identity}-cert.pub`, `${certificate.trim()}\n`);
    const authority = formatPublicKey(publicBlob(this.cluster.testOnlySshKey('host')));
    const to = {port: 22, login: 'root', host: host.link.address, hostKeyAlias: dialled};
    return ssh({directory: this.#root, identity, knownHost: `@cert-authority * ${authority}`, ...to});
  }
}
