// The system's sshd on its default paths with PAM, and an embedded cluster: /etc, /run and /var/lib are a namespace's own.
// A joined host can be kept and put back, so that not every test has to join.

import {type ChildProcess, spawn} from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import {findSshd} from '../../src/demo/private-sshd.js';
import {formatPublicKey, generateKey, opensshPrivateKey, publicBlob} from '../../src/ssh/key.js';
import {type EffectiveConfig, parseEffective} from '../../src/ssh/sshd-config/index.js';
import {agentless, type CliOptions} from './cli.js';
import {type TemporaryCluster, temporaryCluster} from './dev-cluster.js';
import {freePort} from './free-port.js';
import {Namespace} from './namespace.js';
import {servedKeys} from './served-keys.js';
import {type SshResult, ssh} from './ssh-client.js';
import {sshdIsAtLeast} from './sshd-version.js';
import {type Envelope, envelope} from './stage.js';
import {type Leaf, snapshot} from './tree.js';

export type Answer = Envelope & {readonly stderr: string; readonly exit: number | null};
export type Phase = 'account' | 'open_session' | 'close_session';

const SSHD = process.env['SSHD'] ?? findSshd();
const STOCK = 'stock';

/** What a join may change, besides the data directory. */
const PLACES = ['ssh', 'pam.d', 'agentless'];

export interface Login {
  readonly login?: string;
  readonly user?: string;
  readonly roles?: readonly string[];
  readonly command?: string;
  /** What is typed on a terminal, instead of a command. */
  readonly typed?: string;
}

export class SystemStage {
  #logins = 0;
  readonly #nodes = new Map<string, ReadonlySet<string>>();
  #daemon: ChildProcess | undefined;
  readonly client: string;

  private constructor(
    readonly space: Namespace,
    readonly cluster: TemporaryCluster,
    readonly port: number,
  ) {
    this.client = join(space.directory, 'client');
  }

  /** Undefined where there is no namespace to be had. */
  static async start(): Promise<SystemStage | undefined> {
    const space = await Namespace.start();
    if (space === undefined) return undefined;
    const [cluster, port] = await Promise.all([temporaryCluster(), freePort()]);
    const stage = new SystemStage(space, cluster, port);
    mkdirSync(stage.client);
    await stage.#configure();
    stage.keep(STOCK);
    await stage.startSshd();
    return stage;
  }

  async stop(): Promise<void> {
    await this.stopSshd();
    await Promise.all([this.space.stop(), this.cluster.stop()]);
  }

  /** How PAM takes part: sshd from 9.8 on can be told the name of its service. */
  get shape(): 'add-on' | 'service' {
    return this.effective.has('pamservicename') ? 'service' : 'add-on';
  }

  /** What sshd would do, as `sshd -T` has it. */
  get effective(): EffectiveConfig {
    return parseEffective(this.space.run(SSHD, '-T', '-f', '/etc/ssh/sshd_config'));
  }

  /** A path inside, as it is seen from outside. */
  path(inside: string): string {
    return this.space.path(inside);
  }

  read(inside: string): string {
    return readFileSync(this.path(inside), 'latin1');
  }

  write(inside: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.path(inside)), {recursive: true});
    writeFileSync(this.path(inside), text, 'latin1');
    chmodSync(this.path(inside), mode);
  }

  exists(inside: string): boolean {
    return lstatSync(this.path(inside), {throwIfNoEntry: false}) !== undefined;
  }

  /** All of /etc, or a directory in it. */
  etc(directory = ''): Promise<Record<string, Leaf>> {
    return snapshot(this.path(join('/etc', directory)));
  }

  /** A directory in /etc as it was before anything. */
  stock(directory: string): Promise<Record<string, Leaf>> {
    return this.kept(STOCK, directory);
  }

  /** A directory in /etc as it was when the host was kept under this name. */
  kept(name: string, directory: string): Promise<Record<string, Leaf>> {
    return snapshot(join(this.space.directory, 'kept', name, directory));
  }

  // ---- what people run

  async run(words: readonly string[], options: CliOptions = {}): Promise<Answer> {
    const said = await agentless([...words, '--json'], {...options, prefix: this.space.prefix});
    const answer = envelope(said);
    expect(answer.exit, JSON.stringify(answer)).to.equal(answer.status);
    return answer;
  }

  get words(): readonly string[] {
    const {proxy, caFile} = this.cluster;
    const where = ['--proxy-server', proxy, '--ca-file', caFile, '--token', '-'];
    return ['join', 'openssh', ...where, '--hostname', 'web1', '--address', `127.0.0.1:${this.port}`];
  }

  /** Joins with the default flags and these. */
  join(words: readonly string[] = [], options: CliOptions = {}): Promise<Answer> {
    return this.run([...this.words, ...words], {input: this.cluster.token, ...options});
  }

  async joined(words: readonly string[] = []): Promise<Answer> {
    const answer = await this.join(words);
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    return answer;
  }

  async left(words: readonly string[] = []): Promise<Answer> {
    const answer = await this.run(['leave', ...words]);
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    return answer;
  }

  // ---- logins

  /** With a certificate of the cluster; as root unless said otherwise. */
  async login({user = 'alice', roles = ['access'], ...how}: Login = {}): Promise<SshResult> {
    const request = {logins: [how.login ?? 'root'], user, roles, ttlSeconds: 600};
    const {privateKey, certificate} = await this.cluster.login(request);
    this.#logins += 1;
    const identity = join(this.client, `login.${this.#logins}`);
    writeFileSync(identity, privateKey, {mode: 0o600});
    writeFileSync(`${identity}-cert.pub`, `${certificate.trim()}\n`);
    const authority = formatPublicKey(publicBlob(this.cluster.testOnlySshKey('host')));
    return this.#ssh(identity, `@cert-authority * ${authority}`, how);
  }

  /** As root with a plain key, by a client that knows the plain host key. */
  loginByKey(): Promise<SshResult> {
    const [type = '', blob = ''] = this.read('/etc/ssh/ssh_host_ed25519_key.pub').split(' ');
    return this.#ssh(join(this.client, 'plain'), `web1 ${type} ${blob}`, {});
  }

  /** By a password that PAM asks for. */
  loginByPassword(login: string, password: string): Promise<SshResult> {
    const askpass = join(this.client, 'askpass');
    writeFileSync(askpass, `#!/bin/sh\necho '${password}'\n`, {mode: 0o700});
    const [type = '', blob = ''] = this.read('/etc/ssh/ssh_host_ed25519_key.pub').split(' ');
    return this.#ssh(join(this.client, 'plain'), `web1 ${type} ${blob}`, {login}, askpass);
  }

  #ssh(
    identity: string,
    knownHost: string,
    {login = 'root', command = 'echo hello', typed}: Login,
    askpass?: string,
  ) {
    const {client: directory, port} = this;
    const asking = askpass === undefined ? {} : {askpass};
    const what = {directory, port, identity, knownHost, login, hostKeyAlias: 'web1', ...asking};
    // No command and a terminal: what sshd has to show comes before what the shell says.
    return typed === undefined
      ? ssh(what, command)
      : ssh({...what, input: typed, options: ['RequestTTY=force', 'LogLevel=ERROR']}, '');
  }

  // ---- hooks

  /** A hook of the site: lines of sh. */
  hook(phase: Phase, name: string, ...lines: readonly string[]): string {
    const path = `/etc/agentless/pam.d/${phase}/${name}`;
    this.write(path, ['#!/bin/sh', ...lines, ''].join('\n'), 0o755);
    return path;
  }

  /** Hooks that record what they see, in every phase. */
  recordAll(): void {
    for (const phase of ['account', 'open_session', 'close_session'] as const)
      this.hook(
        phase,
        '50-record',
        `mkdir -p /run/seen; env -0 >/run/seen/.${phase}`,
        `mv /run/seen/.${phase} /run/seen/${phase}`,
      );
  }

  /** What the hook of a phase has seen since it was asked for last; undefined when it has not run. */
  async seen(phase: Phase, patience = 0): Promise<Readonly<Record<string, string>> | undefined> {
    const path = this.path(`/run/seen/${phase}`);
    for (const end = Date.now() + patience; !existsSync(path); ) {
      if (Date.now() > end) return undefined;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const entries = readFileSync(path, 'utf8').split('\0').filter(Boolean);
    rmSync(path);
    return Object.fromEntries(
      entries.map((entry) => {
        const at = entry.indexOf('=');
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
  }

  // ---- the host

  async startSshd(): Promise<void> {
    const [program = '', ...words] = [...this.space.prefix, SSHD, '-D', '-E', this.#log];
    this.#daemon = spawn(program, words, {stdio: 'ignore'});
    for (let attempt = 0; (await servedKeys(this.port)).size === 0; attempt += 1) {
      if (attempt > 50) expect.fail(this.log);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stopSshd(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined) return;
    const exit = new Promise((resolve) => daemon.once('exit', resolve));
    if (daemon.exitCode === null && daemon.kill()) await exit;
    this.#daemon = undefined;
  }

  get #log(): string {
    return join(this.space.directory, 'sshd.log');
  }

  /** What sshd has said. */
  get log(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'latin1') : '';
  }

  /** Keeps the host as it is now, for `back`. */
  keep(name: string): void {
    const copy = join(this.space.directory, 'kept', name);
    const script = `mkdir -p "$1"; for place in ${PLACES.join(' ')}; do [ ! -e "/etc/$place" ] || cp -a "/etc/$place" "$1"; done
      [ ! -e /var/lib/agentless ] || cp -a /var/lib/agentless "$1/data"`;
    this.space.run('sh', '-ec', script, 'sh', copy);
    this.#nodes.set(name, new Set(this.cluster.nodes().map(({id}) => id)));
  }

  /** Puts the host back to where it was kept, and has sshd read it. Records of other joins go. */
  async back(name = STOCK): Promise<void> {
    const copy = join(this.space.directory, 'kept', name);
    const script = `cd /etc; rm -rf ${PLACES.join(' ')} /var/lib/agentless /run/seen
      for place in ${PLACES.join(' ')}; do [ ! -e "$1/$place" ] || cp -a "$1/$place" .; done
      [ ! -e "$1/data" ] || cp -a "$1/data" /var/lib/agentless`;
    this.space.run('sh', '-ec', script, 'sh', copy);
    const kept = this.#nodes.get(name);
    for (const {id} of this.cluster.nodes()) if (!kept?.has(id)) this.cluster.removeNode(id);
    await this.reload();
  }

  async reload(): Promise<void> {
    const seen = this.log.length;
    process.kill(Number(this.read('/run/sshd.pid')), 'SIGHUP');
    for (const end = Date.now() + 5000; !this.log.slice(seen).includes('Server listening'); ) {
      if (Date.now() > end) expect.fail(`sshd did not come back: ${this.log.slice(seen)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Others' lines, as cloud-init writes them: the stock file stays stock. */
  async #configure(): Promise<void> {
    const key = generateKey('ed25519');
    writeFileSync(join(this.client, 'plain'), await opensshPrivateKey(key), {mode: 0o600});
    this.write('/etc/ssh/authorized/root', `${formatPublicKey(publicBlob(key))}\n`);
    const lines = [
      `Port ${this.port}`,
      'ListenAddress 127.0.0.1',
      'AuthorizedKeysFile /etc/ssh/authorized/%u',
      ...(sshdIsAtLeast(9, 8) ? ['PerSourcePenalties no'] : []),
    ];
    if (sshdIsAtLeast(8, 4)) this.write('/etc/ssh/sshd_config.d/50-cloud-init.conf', `${lines.join('\n')}\n`);
    else this.write('/etc/ssh/sshd_config', `${this.read('/etc/ssh/sshd_config')}${lines.join('\n')}\n`);
  }

  /** Names in a directory; empty when there is none. */
  names(inside: string): readonly string[] {
    return existsSync(this.path(inside)) ? readdirSync(this.path(inside)).sort() : [];
  }
}
