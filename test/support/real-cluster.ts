// A real cluster, as somebody who administers it has it: TELEPORT_PROXY, TELEPORT_TOKEN (role Node) and, for a private web
// certificate, TELEPORT_CA_FILE, as everywhere; TELEPORT_IDENTITY of a user who may log in as whoever runs the tests; and in
// TELEPORT_TCTL how tctl is called with all rights, as in "tctl -c /etc/teleport.yaml" on the auth host.

import {execFile} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import {readIdentity} from '../../src/commands/identity.js';
import {skip} from './skip.js';

export interface Said {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A record of the cluster, as tctl shows it. */
export interface NodeRecord {
  readonly metadata: {readonly name: string; readonly expires?: string};
  readonly spec: {readonly hostname: string; readonly addr: string};
}

export class RealCluster {
  readonly #user: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'agentless-interop-cluster-'));

  private constructor(
    readonly proxy: string,
    readonly token: string,
    readonly caFile: string | undefined,
    readonly tctlCommand: string,
    user: string,
  ) {
    this.#user = user;
  }

  /** Skips, with the reason, where something is not given. */
  static async given(context: Mocha.Context): Promise<RealCluster> {
    const {TELEPORT_PROXY, TELEPORT_TOKEN, TELEPORT_CA_FILE, TELEPORT_IDENTITY, TELEPORT_TCTL} = process.env;
    const needed = {TELEPORT_PROXY, TELEPORT_TOKEN, TELEPORT_IDENTITY, TELEPORT_TCTL};
    const missing = Object.entries(needed).flatMap(([name, value]) => (value ? [] : [name]));
    if (!TELEPORT_PROXY || !TELEPORT_TOKEN || !TELEPORT_IDENTITY || !TELEPORT_TCTL)
      skip(context, `${missing.join(', ')} not set; it rotates the authorities of the whole cluster`);
    if ((await run('tsh', ['version', '--client'])).exit !== 0) skip(context, 'tsh is not on PATH');
    const {user} = await readIdentity(TELEPORT_IDENTITY, () => undefined);
    return new RealCluster(
      TELEPORT_PROXY,
      TELEPORT_TOKEN,
      TELEPORT_CA_FILE || undefined,
      TELEPORT_TCTL,
      user,
    );
  }

  /** A rotation that a failed test has left half done is ended. */
  async end(): Promise<void> {
    for (const type of ['host', 'openssh'] as const) {
      const to = (phase: RotationPhase) => this.rotate(type, phase).catch(() => undefined);
      for (const phase of ['standby', 'rollback', 'standby'] as const) await to(phase);
    }
    rmSync(this.#directory, {recursive: true, force: true});
  }

  /** Words for any command that speaks to the proxy before it has joined. */
  get trust(): readonly string[] {
    return this.caFile === undefined ? [] : ['--ca-file', this.caFile];
  }

  async tctl(...words: readonly string[]): Promise<string> {
    const said = await run('/bin/sh', ['-c', `${this.tctlCommand} "$@"`, 'tctl', ...words], this.#env);
    if (said.exit !== 0) throw new Error(`tctl ${words.join(' ')}: ${said.stderr}`);
    return said.stdout;
  }

  async rotate(type: 'host' | 'openssh', phase: RotationPhase): Promise<void> {
    await this.tctl('auth', 'rotate', '--manual', `--type=${type}`, `--phase=${phase}`);
  }

  /** All records of that host name. */
  async nodes(hostname: string): Promise<readonly NodeRecord[]> {
    const all = JSON.parse(await this.tctl('get', 'nodes', '--format=json')) as readonly NodeRecord[];
    return all.filter(({spec}) => spec.hostname === hostname);
  }

  /** Has the record of that name end so many seconds from now, as time itself would have it after a while. */
  async shorten(hostname: string, seconds: number): Promise<void> {
    const [record] = await this.nodes(hostname);
    if (record === undefined) throw new Error(`there is no node ${hostname}`);
    const expires = new Date(Date.now() + seconds * 1000).toISOString();
    const file = join(this.#directory, 'node.json');
    writeFileSync(file, JSON.stringify({...record, metadata: {...record.metadata, expires}}));
    await this.tctl('create', '--force', file);
  }

  /**
   * A new identity file: what one of these knows of the cluster's authorities is frozen, so that each phase of a rotation
   * of the host authority wants another.
   */
  async sign(): Promise<string> {
    const file = join(this.#directory, 'identity');
    const to = ['--format=file', `--user=${this.#user}`, '--ttl=10m', `--out=${file}`, '--overwrite'];
    await this.tctl('auth', 'sign', ...to);
    return file;
  }

  /** `tsh ssh LOGIN@NAME echo hello` through the proxy, by somebody who has just been given an identity. */
  async login(login: string, name: string): Promise<Said> {
    const words = ['ssh', `${login}@${name}`, 'echo', 'hello'];
    const [identity, home] = [await this.sign(), join(this.#directory, 'tsh')];
    const options = ['--proxy', this.proxy, '-i', identity, ...words];
    return run('tsh', options, {...this.#env, TELEPORT_HOME: home});
  }

  get #env(): NodeJS.ProcessEnv {
    return {...process.env, ...(this.caFile !== undefined && {SSL_CERT_FILE: this.caFile})};
  }
}

function run(program: string, argv: readonly string[], env = process.env): Promise<Said> {
  return new Promise((resolve) => {
    execFile(program, argv, {env, maxBuffer: 1 << 26}, (error, stdout, stderr) => {
      resolve({exit: error === null ? 0 : 1, stdout, stderr: stderr || (error?.message ?? '')});
    });
  });
}
