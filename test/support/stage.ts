// Everything an end-to-end test needs: an embedded cluster, a private sshd with the stock configuration, the built program,
// a real client.

import {mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import {join} from 'node:path';
import {type PrivateSshd, type SshdOptions, startPrivateSshd} from '../../src/demo/private-sshd.js';
import type {ClusterOptions, DevCluster} from '../../src/devcluster/index.js';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {agentless, type CliOptions, type CliResult} from './cli.js';
import {temporaryCluster} from './dev-cluster.js';
import {withFlags} from './flags.js';
import {type SshResult, ssh} from './ssh-client.js';
import {patientConfig} from './sshd-version.js';
import {type Leaf, snapshot} from './tree.js';

export interface Envelope {
  readonly version: number;
  readonly command: string;
  readonly status: number;
  readonly changed: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into results of many shapes.
  readonly result: any;
  readonly error?: {code: string; message: string; hint?: string; detail?: string; restored: boolean};
  readonly warnings: readonly string[];
}

export class Stage {
  readonly login = userInfo().username;

  private constructor(
    readonly root: string,
    readonly cluster: DevCluster & {stop: () => Promise<void>},
    readonly sshd: PrivateSshd,
  ) {}

  static async start(
    options: {cluster?: Partial<ClusterOptions>; sshd?: Partial<SshdOptions>} = {},
  ): Promise<Stage> {
    const root = mkdtempSync(join(tmpdir(), 'agentless-e2e-'));
    const program = process.env['SSHD'];
    const [cluster, sshd] = await Promise.all([
      temporaryCluster(options.cluster),
      startPrivateSshd({directory: join(root, 'etc'), program, stock: patientConfig(), ...options.sshd}),
    ]);
    mkdirSync(join(root, 'client'));
    return new Stage(root, cluster, sshd);
  }

  async stop(): Promise<void> {
    await this.sshd.stop();
    await this.cluster.stop();
    rmSync(this.root, {recursive: true, force: true});
  }

  /** A cluster and an sshd for tests that do not need every type of key; making RSA keys is slow. */
  static quick(options: Parameters<typeof Stage.start>[0] = {}): Promise<Stage> {
    return Stage.start({...options, sshd: {keyTypes: ['ed25519', 'ecdsa'], ...options.sshd}});
  }

  /** Everything a join may change. */
  host(): Promise<Record<string, Leaf>> {
    return hostTree(join(this.root, 'etc'));
  }

  /** The text of sshd_config, latin-1. */
  get config(): string {
    return readFileSync(this.sshd.config, 'latin1');
  }

  /** Works with other text in sshd_config, which the running sshd has not read, and puts the old one back. */
  async withConfig<T>(edit: (text: string) => string, work: () => Promise<T>): Promise<T> {
    const {config: path} = this.sshd;
    const [old, {atime, mtime}] = [readFileSync(path), statSync(path)];
    writeFileSync(path, edit(old.toString('latin1')), 'latin1');
    try {
      return await work();
    } finally {
      writeFileSync(path, old);
      utimesSync(path, atime, mtime);
    }
  }

  get dataDir(): string {
    return join(this.root, 'data');
  }

  get words(): string[] {
    return [
      'join',
      'openssh',
      '--proxy-server',
      this.cluster.proxy,
      '--ca-file',
      this.cluster.caFile,
      ...this.local,
    ];
  }

  /** What makes it this host. */
  get local(): string[] {
    return [
      '--openssh-config',
      this.sshd.config,
      '--data-dir',
      this.dataDir,
      '--hostname',
      'web1',
      '--address',
      `127.0.0.1:${this.sshd.port}`,
    ];
  }

  /** `agentless join openssh …` with the token on standard input. */
  join(words: readonly string[] = [], options: CliOptions = {}): Promise<CliResult> {
    return agentless([...this.words, '--token', '-', ...words], {
      input: `${this.cluster.token}\n`,
      ...options,
    });
  }

  /** The same with some flags given another value; undefined leaves one out. */
  joinWith(
    flags: Readonly<Record<string, string | undefined>>,
    words: readonly string[] = [],
    options: CliOptions = {},
  ): Promise<CliResult> {
    const argv = withFlags([...this.words, '--token', '-', ...words], flags);
    return agentless(argv, {input: `${this.cluster.token}\n`, ...options});
  }

  /** The same with --json; the envelope is parsed, with the text of standard error beside it. */
  async joinJson(
    words: readonly string[] = [],
    options: CliOptions = {},
  ): Promise<Envelope & {stderr: string; exit: number | null}> {
    return envelope(await this.join([...words, '--json'], options));
  }

  /** `agentless leave …` on this host. */
  leave(words: readonly string[] = [], options: CliOptions = {}): Promise<CliResult> {
    return agentless(['leave', '--data-dir', this.dataDir, ...words], options);
  }

  async leaveJson(
    words: readonly string[] = [],
    options: CliOptions = {},
  ): Promise<Envelope & {stderr: string; exit: number | null}> {
    return envelope(await this.leave([...words, '--json'], options));
  }

  /** A certificate as the proxy would present it. */
  async identity(login = this.login, roles = ['access']): Promise<string> {
    const {privateKey, certificate} = await this.cluster.login({
      logins: [login],
      user: 'alice',
      roles,
      ttlSeconds: 600,
    });
    const file = join(this.root, 'client', `${login}-${Math.random().toString(36).slice(2)}`);
    writeFileSync(file, privateKey, {mode: 0o600});
    writeFileSync(`${file}-cert.pub`, `${certificate.trim()}\n`);
    return file;
  }

  /** A strict client that knows the cluster's host authority and nothing else. */
  async loginByCertificate(host = '127.0.0.1', options: readonly string[] = []): Promise<SshResult> {
    const authority = formatPublicKey(publicBlob(this.cluster.testOnlySshKey('host')));
    return ssh({
      ...(await this.client()),
      knownHost: `@cert-authority * ${authority}`,
      hostKeyAlias: host,
      options,
    });
  }

  /** A strict client that knows one plain host key and nothing else. */
  async loginByPlainKey(key: string, options: readonly string[] = []): Promise<SshResult> {
    return ssh({...(await this.client()), knownHost: `[127.0.0.1]:${this.sshd.port} ${key}`, options});
  }

  private async client() {
    return {
      directory: join(this.root, 'client'),
      port: this.sshd.port,
      identity: await this.identity(),
      login: this.login,
    };
  }
}

/** The directory of a private sshd, but for what it writes itself: its log, and the time of its pid file. */
export async function hostTree(directory: string): Promise<Record<string, Leaf>> {
  const {'sshd.log': _log, 'sshd.pid': pid, ...tree} = await snapshot(directory);
  if (pid === undefined) return tree;
  const {mtime: _mtime, ...written} = pid;
  return {...tree, 'sshd.pid': written};
}

export function envelope({
  stdout,
  stderr,
  status,
}: CliResult): Envelope & {stderr: string; exit: number | null} {
  return {...(JSON.parse(stdout) as Envelope), stderr, exit: status};
}
