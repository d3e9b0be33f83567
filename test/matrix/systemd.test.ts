// A join of the sshd that systemd runs, with every path as it is by default. It changes /etc and runs systemctl, so it
// needs a machine that is thrown away: scripts/matrix.ts boots one from a copy of a root directory.

import {execFileSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {agentless, type CliResult} from '../support/cli.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {servedKeys} from '../support/served-keys.js';
import {skip} from '../support/skip.js';
import {ssh} from '../support/ssh-client.js';

const run = (program: string, ...words: readonly string[]) =>
  execFileSync(program, words, {encoding: 'utf8'}).trim();
const systemctl = (...words: readonly string[]) => run('systemctl', ...words);
const property = (unit: string, name: string) => systemctl('show', '--value', `--property=${name}`, unit);

/** What changes when a unit is started again, and what does not when it is reloaded. */
const life = () =>
  ['MainPID', 'InvocationID', 'ActiveEnterTimestampMonotonic'].map((name) => property('ssh.service', name));
const journal = () => run('journalctl', '--no-pager', '--output=cat', '--unit=ssh.service');

/** Nothing runs, and systemd forgets how often it was started: it allows five times in ten seconds. */
function stopped(): void {
  systemctl('stop', 'ssh.socket', 'ssh.service');
  run('sh', '-c', 'systemctl reset-failed ssh.socket ssh.service 2>/dev/null || true');
}

/** Every file of the configuration with its mode and content. */
const digest = () =>
  run('sh', '-c', 'cd /etc/ssh && find . -type f -exec stat -c "%A %n" {} + -exec sha256sum {} + | sort');

describe('join openssh under systemd', () => {
  let directory: string;
  let cluster: TemporaryCluster;
  const hooks: Partial<ClusterOptions> = {};

  before(function () {
    if (process.env['DISPOSABLE_MACHINE'] !== 'yes') skip(this, 'this machine is not to be thrown away');
    run('cp', '-a', '/etc/ssh', '/etc/ssh.stock');
  });
  beforeEach(async () => {
    stopped();
    run('rm', '-rf', '/etc/ssh', '/var/lib/agentless');
    run('cp', '-a', '/etc/ssh.stock', '/etc/ssh');
    directory = mkdtempSync(join(tmpdir(), 'systemd-'));
    hooks.testOnlyCall = undefined;
    cluster = await temporaryCluster(hooks);
  });
  afterEach(async () => {
    await cluster?.stop();
    if (directory) rmSync(directory, {recursive: true});
  });

  function joined(...words: readonly string[]): Promise<CliResult> {
    const where = ['--proxy-server', cluster.proxy, '--ca-file', cluster.caFile, '--token', '-'];
    const host = ['--hostname', 'web1', '--address', '127.0.0.1:22'];
    return agentless(['join', 'openssh', ...where, ...host, ...words], {input: `${cluster.token}\n`});
  }

  /** Logs in over the certificate alone, and says so in the failure when it does not work. */
  async function loggedIn(): Promise<void> {
    const {privateKey, certificate} = await cluster.login({
      logins: ['root'],
      user: 'alice',
      roles: [],
      ttlSeconds: 600,
    });
    const identity = join(directory, 'identity');
    run(
      'sh',
      '-c',
      'umask 077; printf "%s" "$1" >"$3"; printf "%s\\n" "$2" >"$3-cert.pub"',
      'sh',
      privateKey,
      certificate.trim(),
      identity,
    );
    const knownHost = `@cert-authority * ${formatPublicKey(publicBlob(cluster.testOnlySshKey('host')))}`;
    const {stdout, stderr} = await ssh({
      directory,
      port: 22,
      identity,
      knownHost,
      login: 'root',
      hostKeyAlias: 'web1',
    });
    expect(stdout, stderr).to.equal('hello\n');
  }

  const warmUp = () => ssh({directory, port: 22, identity: '/dev/null', knownHost: '# none', login: 'root'});

  it('ssh.service: is found from the pid and reloaded; the process stays', async () => {
    systemctl('start', 'ssh.service');
    const before = life();
    const {status, stderr} = await joined();
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(new RegExp(`^ +reload +ssh\\.service \\(pid ${before[0]} stays\\)`, 'm'));
    expect(stderr).to.match(/^ +prove +sshd serves 3 of 3 certificates; all 3 known host keys unchanged/m);
    expect(life()).to.deep.equal(before);
    expect(journal()).to.include('Received SIGHUP; restarting.');
    await loggedIn();
    expect(cluster.nodes()).to.have.length(1);
  });

  it('ssh.service: a second run changes and reloads nothing', async () => {
    systemctl('start', 'ssh.service');
    expect((await joined()).status).to.equal(0);
    const said = journal().match(/SIGHUP/g)?.length;
    const {status, stdout} = await joined('--json');
    expect([status, JSON.parse(stdout).changed], stdout).to.deep.equal([0, false]);
    expect(journal().match(/SIGHUP/g)?.length).to.equal(said);
    await loggedIn();
  });

  it('ssh.socket, nobody connected yet: nothing is reloaded, the next connection starts sshd with it', async () => {
    systemctl('start', 'ssh.socket');
    expect(property('ssh.service', 'ActiveState')).to.not.equal('active');
    const {status, stderr} = await joined();
    expect(status, stderr).to.equal(0);
    expect(stderr, stderr).to.match(
      /^ +reload +not needed: ssh\.socket starts sshd for the next connection/m,
    );
    await loggedIn();
    expect(property('ssh.socket', 'ActiveState')).to.equal('active');
  });

  it('ssh.socket, sshd runs already: it is started again, never reloaded, and the socket stays', async () => {
    systemctl('start', 'ssh.socket');
    await warmUp();
    const before = life();
    expect(property('ssh.service', 'ActiveState')).to.equal('active');
    const {status, stderr} = await joined();
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(/^ +reload +ssh\.service restarted \(ssh\.socket keeps listening\)/m);
    expect(life()).to.not.deep.equal(before);
    await loggedIn();
    expect(property('ssh.socket', 'ActiveState')).to.equal('active');
    expect(property('ssh.service', 'Result')).to.equal('success');
    expect(readFileSync('/etc/ssh/sshd_config.d/00-agentless.conf', 'utf8')).to.include('HostCertificate');
  });

  for (const [when, units] of [
    ['ssh.service', ['ssh.service']],
    ['ssh.socket, nobody connected yet', ['ssh.socket']],
    ['ssh.socket, sshd runs already', ['ssh.socket', 'warm']],
  ] as const) {
    it(`${when}: a failure after the proof is taken back, from the running sshd as well`, async () => {
      systemctl('start', 'ssh.service');
      const [files, keys] = [digest(), await servedKeys(22)];
      stopped();
      systemctl('start', units[0]);
      if (units.length > 1) await warmUp();
      hooks.testOnlyCall = (name) =>
        name.endsWith('/UpsertNode') ? {code: Code.PermissionDenied, message: 'no'} : undefined;
      const {status, stderr} = await joined();
      expect(stderr).to.match(/^ +prove /m);
      expect([status, digest()], stderr).to.deep.equal([7, files]);
      expect(await servedKeys(22)).to.deep.equal(keys);
      expect(property(units[0], 'ActiveState')).to.equal('active');
    });
  }

  it('ssh.socket, which systemd starts no more: all is put back, and both are up again', async () => {
    systemctl('start', 'ssh.socket');
    await warmUp();
    const files = digest();
    for (let start = 2; start <= 5; start += 1) systemctl('restart', 'ssh.service');
    const {status, stderr} = await joined();
    expect(stderr).to.match(/attempted too often/);
    expect([status, digest()], stderr).to.deep.equal([7, files]);
    expect(property('ssh.socket', 'ActiveState')).to.equal('active');
    expect(await servedKeys(22)).to.not.have.property('size', 0);
  });
});
