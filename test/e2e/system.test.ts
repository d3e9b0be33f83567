// The default paths: /etc/ssh, /run and /var/lib/agentless as a distribution has them, in a mount namespace of their own.

import {type ChildProcess, spawn, spawnSync} from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {findSshd} from '../../src/demo/private-sshd.js';
import {formatPublicKey, generateKey, publicBlob} from '../../src/ssh/key.js';
import {agentless} from '../support/cli.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {freePort} from '../support/free-port.js';
import {Namespace} from '../support/namespace.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {servedKeys} from '../support/served-keys.js';
import {skip} from '../support/skip.js';
import {ssh} from '../support/ssh-client.js';
import {sshdIsAtLeast} from '../support/sshd-version.js';
import {type Envelope, envelope} from '../support/stage.js';
import {type Leaf, snapshot} from '../support/tree.js';

const SSHD = process.env['SSHD'] ?? findSshd();
const DROP_IN = '/etc/ssh/sshd_config.d/00-agentless.conf';

describe('join openssh on the default paths', function () {
  this.timeout(60_000);
  let space: Namespace;
  let cluster: TemporaryCluster;
  let port: number;
  const daemons: ChildProcess[] = [];

  beforeEach(async function () {
    const started = await Namespace.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    space = started;
    [cluster, port] = await Promise.all([temporaryCluster(), freePort()]);
  });

  afterEach(async () => {
    const gone = daemons.splice(0).map((daemon) => {
      const exit = new Promise((resolve) => daemon.once('exit', resolve));
      return daemon.exitCode === null && daemon.kill() ? exit : undefined;
    });
    await Promise.all(gone);
    if (space === undefined) return;
    await Promise.all([space.stop(), cluster.stop()]);
  });

  /** The port is of others' making, as cloud-init does it: the stock file stays stock. */
  function configure(): void {
    const lines = `Port ${port}\nListenAddress 127.0.0.1\n${sshdIsAtLeast(9, 8) ? 'PerSourcePenalties no\n' : ''}`;
    if (sshdIsAtLeast(8, 4)) writeFileSync(space.path('/etc/ssh/sshd_config.d/50-cloud-init.conf'), lines);
    else appendFileSync(space.path('/etc/ssh/sshd_config'), lines);
  }

  async function startSshd(prefix: readonly string[] = [], config = '/etc/ssh/sshd_config'): Promise<void> {
    const words = [
      ...space.prefix,
      ...prefix,
      SSHD,
      '-D',
      '-f',
      config,
      '-E',
      join(space.directory, 'sshd.log'),
    ];
    daemons.push(spawn(words[0] ?? '', words.slice(1), {stdio: 'ignore'}));
    for (let attempt = 0; (await servedKeys(port)).size === 0; attempt += 1) {
      if (attempt > 50) expect.fail(readFileSync(join(space.directory, 'sshd.log'), 'latin1'));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async function joinThere(
    words: readonly string[] = [],
    prefix: readonly string[] = [],
    caFile = cluster.caFile,
  ): Promise<Envelope & {exit: number | null}> {
    const argv = ['join', 'openssh', '--proxy-server', cluster.proxy, '--ca-file', caFile];
    const rest = ['--token', '-', '--hostname', 'web1', '--address', `127.0.0.1:${port}`, '--json', ...words];
    const options = {prefix: [...space.prefix, ...prefix], input: cluster.token};
    const answer = envelope(await agentless([...argv, ...rest], options));
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    return answer;
  }

  async function login(user: string): Promise<void> {
    const directory = join(space.directory, 'client');
    mkdirSync(directory, {recursive: true});
    const {privateKey, certificate} = await cluster.login({
      logins: [user],
      user: 'alice',
      roles: ['access'],
      ttlSeconds: 600,
    });
    const identity = join(directory, user);
    writeFileSync(identity, privateKey, {mode: 0o600});
    writeFileSync(`${identity}-cert.pub`, `${certificate.trim()}\n`);
    const knownHost = `@cert-authority * ${formatPublicKey(publicBlob(cluster.testOnlySshKey('host')))}`;
    const what = {directory, port, identity, knownHost, login: user, hostKeyAlias: 'web1'};
    const {stdout, stderr} = await ssh(what, 'id -un');
    expect(stdout, stderr).to.equal(`${user}\n`);
  }

  const machine = () => ({
    etc: readFileSync('/etc/ssh/sshd_config', 'latin1'),
    names: spawnSync('find', ['/etc/ssh', '/etc/pam.d', '/var/lib/agentless'], {encoding: 'utf8'}).stdout,
  });

  it('writes one drop-in, leaves sshd_config alone, logs in, and has nothing to do the second time', async function () {
    if (!sshdIsAtLeast(8, 4)) skip(this, 'this sshd has no drop-ins');
    const outside = machine();
    configure();
    await startSshd();
    const stock = await snapshot(space.path('/etc'));
    const {result, changed} = await joinThere();
    expect(changed).to.equal(true);
    expect(result.config).to.equal(DROP_IN);
    expect(result.names).to.include('web1');

    const dropIn = lstatSync(space.path(DROP_IN));
    expect([dropIn.mode & 0o7777, dropIn.uid, dropIn.gid]).to.deep.equal([0o644, 0, 0]);
    expect(readFileSync(space.path(DROP_IN), 'latin1')).to.match(/^# Managed by agentless; undo with/);
    const {mode} = lstatSync(space.path('/var/lib/agentless'));
    expect(mode & 0o7777).to.equal(0o700);
    expect(lstatSync(space.path('/var/lib/agentless/identity/key.pem')).mode & 0o7777).to.equal(0o600);

    const after = await snapshot(space.path('/etc'));
    const added = Object.keys(after).filter((path) => !(path in stock));
    for (const path of added)
      expect(path).to.match(
        /^(ssh\/)?agentless(\/|$)|^ssh\/sshd_config\.d\/00-agentless\.conf$|^pam\.d\/teleport$/,
      );
    // The rest of it is in the tests of PAM.
    const withoutOurs = ({content = '', mtime: _mtime, ...leaf}: Leaf) => ({
      ...leaf,
      content: content.replace(/^.*Managed by agentless.*\n/gm, ''),
    });
    for (const [path, leaf] of Object.entries(stock)) {
      const now = after[path] ?? expect.fail(`${path} is gone`);
      if (path !== 'pam.d/sshd') expect(now, path).to.deep.equal(leaf);
      else expect(withoutOurs(now), path).to.deep.equal(withoutOurs(leaf));
    }

    await login('root');
    expect((await joinThere()).changed).to.equal(false);
    expect(await snapshot(space.path('/etc'))).to.deep.equal(after);
    expect(spawnSync('ls', [space.path('/run')], {encoding: 'utf8'}).stdout).to.not.include('agentless');
    expect(machine(), 'nothing of the machine').to.deep.equal(outside);
  });

  it('leaves no failed login behind: a rehearsal comes as nobody that sshd would note', async () => {
    configure();
    await startSshd();
    const {result} = await joinThere(['--dry-run']);
    expect(result.names).to.include('web1');
    expect(readFileSync(space.path('/var/log/btmp'))).to.have.length(0);
  });

  it('goes before a drop-in of others that sets TrustedUserCAKeys earlier, and keeps that authority', async function () {
    if (!sshdIsAtLeast(8, 4)) skip(this, 'this sshd has no drop-ins');
    configure();
    const own = formatPublicKey(publicBlob(generateKey('ed25519')));
    writeFileSync(space.path('/etc/ssh/site_ca.pub'), `${own}\n`);
    const other = '/etc/ssh/sshd_config.d/00-aaa.conf';
    writeFileSync(space.path(other), 'TrustedUserCAKeys /etc/ssh/site_ca.pub\n');
    await startSshd();
    const {result} = await joinThere(['--prove-login', 'root']);
    expect(result.config).to.match(/^\/etc\/ssh\/sshd_config\.d\/0.*agentless\.conf$/);
    expect(result.config < other, `${result.config} is read before ${other}`).to.equal(true);
    expect(result.userAuthorities.own).to.equal(1);
    expect(readFileSync(space.path(result.userAuthorities.file), 'latin1')).to.include(own);
    expect(readFileSync(space.path(other), 'latin1')).to.equal('TrustedUserCAKeys /etc/ssh/site_ca.pub\n');
    await login('root');
    expect((await joinThere()).changed).to.equal(false);
  });

  it('edits sshd_config where it includes nothing, and only by a block', async () => {
    const config = space.path('/etc/ssh/sshd_config');
    const stock = readFileSync(config, 'latin1').replace(/^Include.*\n/m, '');
    writeFileSync(config, `Port ${port}\nListenAddress 127.0.0.1\n${stock}`);
    rmSync(space.path('/etc/ssh/sshd_config.d'), {recursive: true});
    await startSshd();
    const {result} = await joinThere();
    expect(result.config).to.equal('/etc/ssh/sshd_config');
    expect(existsSync(space.path('/etc/ssh/sshd_config.d'))).to.equal(false);
    const text = readFileSync(config, 'latin1');
    expect(text).to.match(/^# BEGIN agentless [\s\S]*?\n# END agentless\nPort /);
    expect(text.endsWith(stock)).to.equal(true);
    await login('root');
  });

  describe('and leave', () => {
    const leaveThere = async (words: readonly string[] = []): Promise<Envelope> => {
      const answer = envelope(await agentless(['leave', '--json', ...words], {prefix: space.prefix}));
      expect(answer.status, JSON.stringify(answer)).to.equal(0);
      return answer;
    };

    it('takes the drop-in out again: the whole of /etc and /var/lib is as it was', async function () {
      if (!sshdIsAtLeast(8, 4)) skip(this, 'this sshd has no drop-ins');
      configure();
      await startSshd();
      const before = await snapshot(space.path('/etc'));
      const keys = await servedKeys(port);
      await joinThere();
      await login('root');
      const {result, warnings} = await leaveThere();
      expect(result.removed).to.include(DROP_IN);
      expect(warnings).to.deep.equal([]);
      expect(await snapshot(space.path('/etc'))).to.deep.equal(before);
      expect(existsSync(space.path('/var/lib/agentless'))).to.equal(false);
      expect(await servedKeys(port)).to.deep.equal(keys);
      expect((await leaveThere()).changed).to.equal(false);
    });

    it('keeps the lines that others have put into the drop-in', async function () {
      if (!sshdIsAtLeast(8, 4)) skip(this, 'this sshd has no drop-ins');
      configure();
      await startSshd();
      await joinThere();
      appendFileSync(space.path(DROP_IN), '# of the site\nMaxSessions 7\n');
      const {result} = await leaveThere();
      expect(readFileSync(space.path(DROP_IN), 'latin1')).to.equal('# of the site\nMaxSessions 7\n');
      expect(result.left).to.deep.equal([]);
      expect(result.restored.filter((path: string) => path !== '/etc/pam.d/sshd')).to.deep.equal([DROP_IN]);
      expect((await servedKeys(port)).size, 'no certificates').to.equal(2);
    });
  });

  it('works without root on an sshd of an ordinary user', async function () {
    skipUnlessNobodyCanRunIt(this);
    // An account that can log in: the stock one has no shell.
    space.run('sed', '-i', 's|^nobody:.*|nobody:x:65534:65534::/tmp:/bin/sh|', '/etc/passwd');
    const home = join(space.directory, 'home');
    chmodSync(space.directory, 0o755);
    mkdirSync(home);
    chownSync(home, 65534, 65534);
    copyFileSync(cluster.caFile, join(home, 'ca.pem'));
    chmodSync(join(home, 'ca.pem'), 0o644);
    writeFileSync(join(space.directory, 'sshd.log'), '');
    chmodSync(join(space.directory, 'sshd.log'), 0o666);
    const keys = ['ed25519', 'ecdsa'].map((type) => join(home, `ssh_host_${type}_key`));
    for (const key of keys)
      space.run(
        ...NOBODY,
        'ssh-keygen',
        '-q',
        '-t',
        key.includes('ecdsa') ? 'ecdsa' : 'ed25519',
        '-N',
        '',
        '-f',
        key,
      );
    const stock = readFileSync(space.path('/etc/ssh/sshd_config'), 'latin1');
    const head = [`Port ${port}`, 'ListenAddress 127.0.0.1', ...keys.map((key) => `HostKey ${key}`)];
    const config = join(home, 'sshd_config');
    writeFileSync(config, [...head, `PidFile ${home}/sshd.pid`, 'StrictModes no', stock].join('\n'));
    chownSync(config, 65534, 65534);
    await startSshd(NOBODY, config);
    const local = ['--openssh-config', config, '--data-dir', join(home, 'data')];
    const joinAsNobody = () => joinThere([...local, '--prove-login', 'nobody'], NOBODY, join(home, 'ca.pem'));
    expect((await joinAsNobody()).changed).to.equal(true);
    expect(lstatSync(join(home, 'data')).uid).to.equal(65534);
    expect((await servedKeys(port)).size, 'two keys and two certificates').to.equal(4);
    await login('nobody');
    expect((await joinAsNobody()).changed).to.equal(false);
    const leaving = ['leave', '--data-dir', join(home, 'data'), '--json'];
    const left = envelope(await agentless(leaving, {prefix: [...space.prefix, ...NOBODY]}));
    expect([left.status, left.changed, left.warnings], JSON.stringify(left)).to.deep.equal([0, true, []]);
    expect(existsSync(join(home, 'data'))).to.equal(false);
    expect((await servedKeys(port)).size, 'two keys').to.equal(2);
  });
});
