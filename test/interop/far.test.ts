// Hosts that are reached through ssh alone, at a real cluster (support/real-cluster.ts). With `teleport` on PATH, or what
// TELEPORT names, one is joined by that first, as people have done it, and then taken over.

import {execFile, execFileSync} from 'node:child_process';
import {appendFileSync, mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {hostname, userInfo} from 'node:os';
import {join} from 'node:path';
import {promisify} from 'node:util';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {RealCluster} from '../support/real-cluster.js';
import {type RemoteTarget, startTarget} from '../support/remote-target.js';
import {skip} from '../support/skip.js';
import {envelope} from '../support/stage.js';

const TELEPORT = process.env['TELEPORT'] ?? 'teleport';

describe('hosts through ssh at a real Teleport', function () {
  this.timeout(120_000);
  let cluster: RealCluster;
  let root: string;
  let target: RemoteTarget;
  let untouched: string;

  before(async function () {
    cluster = await RealCluster.given(this);
  });

  after(async () => cluster?.end());

  beforeEach(async () => {
    root = mkdtempSync('/var/tmp/agentless-far-');
    target = await startTarget(root);
    untouched = readFileSync(target.sshd.config, 'utf8');
  });

  afterEach(async () => {
    await target?.stop();
    rmSync(root, {recursive: true, force: true});
  });

  const there = () => ['--host', 'web1', '--ssh-config', target.sshConfig, '--data-dir', join(root, 'data')];
  const newcomer = () => [
    '--proxy-server',
    cluster.proxy,
    ...cluster.trust,
    '--openssh-config',
    target.sshd.config,
  ];

  async function run(argv: readonly string[], input?: string) {
    const said = envelope(
      await agentless([...argv, ...there(), '--json'], input === undefined ? {} : {input}),
    );
    expect(said.exit, said.stderr + JSON.stringify(said.error)).to.equal(0);
    return said;
  }

  async function expectLogin(name: string): Promise<void> {
    const said = await until(
      () => cluster.login(userInfo().username, name),
      ({exit}) => exit === 0,
    );
    expect(said.stdout, said.stderr).to.equal('hello\n');
  }

  it('are joined by a token that stays here, logged in to, and left', async () => {
    const name = `far-${Date.now().toString(36)}`;
    const words = ['--hostname', name, '--address', `127.0.0.1:${target.sshd.port}`, '--token', '-'];
    const {result} = await run(['join', 'openssh', ...newcomer(), ...words], cluster.token);
    expect(result.identity).to.equal('discarded');
    await expectLogin(name);
    const identity = ['--identity', await cluster.sign()];
    const again = await run(['join', 'openssh', ...newcomer(), ...identity]);
    expect(again.changed).to.equal(false);
    const left = await run(['leave', ...identity]);
    expect(left.result.node.removed).to.equal(true);
    expect(readFileSync(target.sshd.config, 'utf8')).to.equal(untouched);
  });

  it('are taken over from `teleport join openssh`, and left', async function () {
    // That takes no other name.
    const name = hostname();
    if ((await cluster.nodes(name)).length > 0) skip(this, `the cluster has a node called ${name} already`);
    const argv = ['join', 'openssh', '--proxy-server', cluster.proxy, '--token', cluster.token];
    argv.push(
      '--openssh-config',
      target.sshd.config,
      '--data-dir',
      join(root, 'teleport'),
      '--labels',
      'env=far',
    );
    argv.push('--address', `127.0.0.1:${target.sshd.port}`, '--sshd-check-command', 'true');
    // It would restart the sshd of this machine.
    argv.push('--no-restart-sshd');
    const env = {...process.env, ...(cluster.caFile !== undefined && {SSL_CERT_FILE: cluster.caFile})};
    const missing = await promisify(execFile)(TELEPORT, argv, {env}).then(
      () => false,
      (error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return true;
        throw error;
      },
    );
    if (missing) skip(this, `${TELEPORT} is not on PATH`);
    process.kill(Number(readFileSync(join(root, 'etc', 'sshd.pid'), 'utf8')), 'SIGHUP');
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const [record] = await until(
      () => cluster.nodes(name),
      (nodes) => nodes.length > 0,
    );

    // It serves another key now, which a person would have to take as well.
    const scan = execFileSync('ssh-keyscan', ['-p', String(target.sshd.port), '127.0.0.1'], {
      stdio: 'pipe',
    }).toString();
    const known = scan.split('\n').filter((line) => /^[^#]/.test(line));
    const file = join(root, 'client', 'known_hosts');
    appendFileSync(file, known.map((line) => `web1 ${line.replace(/^\S+ /, '')}\n`).join(''));

    const identity = ['--identity', await cluster.sign()];
    const adopted = await run(['adopt', ...newcomer(), ...identity]);
    expect(adopted.result.node.id).to.equal(record?.metadata.name);
    await expectLogin(name);
    const left = await run(['leave', ...identity]);
    expect(left.result.node.removed).to.equal(true);
    expect(readFileSync(target.sshd.config, 'utf8')).to.not.include('Include');
  });
});

/** The lists of a cluster are a second behind. */
async function until<T>(ask: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  for (let left = 50; ; left -= 1) {
    const answer = await ask();
    if (isDone(answer) || left === 0) return answer;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
