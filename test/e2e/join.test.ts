import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {withFlags} from '../support/flags.js';
import {envelope, Stage} from '../support/stage.js';

describe('join openssh, end to end', () => {
  let stage: Stage;
  let before: Awaited<ReturnType<Stage['host']>>;
  beforeEach(async () => {
    stage = await Stage.start();
    before = await stage.host();
  });
  afterEach(() => stage.stop());

  it('joins, and a strict client that knows only the cluster logs in under every name', async () => {
    const {changed, result, exit, stderr} = await stage.joinJson([
      '--additional-principals',
      'db1.example.com',
    ]);
    expect(exit, stderr).to.equal(0);
    expect(changed).to.equal(true);
    expect(result.names).to.include.members(['web1', 'web1.dev.example', '127.0.0.1', 'db1.example.com']);
    for (const name of result.names) {
      const login = await stage.loginByCertificate(name);
      expect(login.stdout, `${name}: ${login.stderr}`).to.equal('hello\n');
    }
    expect(stage.cluster.nodes()).to.deep.equal([
      {
        id: result.node.id,
        hostname: 'web1',
        address: `127.0.0.1:${stage.sshd.port}`,
        labels: {},
        subKind: 'openssh',
      },
    ]);
  });

  it('keeps every plain host key working for clients that know only it', async () => {
    expect((await stage.join()).status).to.equal(0);
    expect(stage.sshd.hostKeys).to.have.length(3);
    for (const key of stage.sshd.hostKeys) {
      const login = await stage.loginByPlainKey(key);
      expect(login.stdout, login.stderr).to.equal('hello\n');
    }
  });

  it('certifies every host key that sshd serves', async () => {
    const {result} = await stage.joinJson();
    expect(result.certificates.map((one: {type: string}) => one.type).sort()).to.deep.equal([
      'ecdsa',
      'ed25519',
      'rsa',
    ]);
    for (const algorithm of [
      'ssh-ed25519-cert-v01@openssh.com',
      'ecdsa-sha2-nistp256-cert-v01@openssh.com',
      'rsa-sha2-512-cert-v01@openssh.com',
    ]) {
      const login = await stage.loginByCertificate('web1', [`HostKeyAlgorithms=${algorithm}`]);
      expect(login.status, `${algorithm}: ${login.stderr}`).to.equal(0);
    }
  });

  it('adds nothing to sshd_config but HostCertificate and TrustedUserCAKeys', async () => {
    expect((await stage.join()).status).to.equal(0);
    const text = readFileSync(stage.sshd.config, 'latin1');
    const old = before['sshd_config']?.content ?? '';
    expect(text.endsWith(old)).to.equal(true);
    const keywords = (lines: string) => new Set(lines.match(/^[^#\n ]+/gm));
    const own = text.slice(0, -old.length);
    const dropIn = join(stage.root, 'etc/agentless/sshd.conf');
    const added = existsSync(dropIn) ? readFileSync(dropIn, 'latin1') : own;
    expect(keywords(added)).to.deep.equal(new Set(['HostCertificate', 'TrustedUserCAKeys']));
    if (added !== own) expect(keywords(own)).to.deep.equal(new Set(['Include']));
  });

  it('changes nothing the second time: no write, no reload, no token', async () => {
    const first = await stage.joinJson();
    const after = await stage.host();
    const log = readFileSync(stage.sshd.log, 'latin1');
    const again = await stage.joinJson([], {input: 'not-a-token'});
    expect(again.exit, again.stderr).to.equal(0);
    expect(again.changed).to.equal(false);
    expect(again.result.node.id).to.equal(first.result.node.id);
    expect(await stage.host()).to.deep.equal(after);
    expect(readFileSync(stage.sshd.log, 'latin1').slice(log.length)).to.not.match(/SIGHUP|Server listening/);
    expect(stage.cluster.nodes()).to.have.length(1);
    expect(stage.cluster.stats.requests['POST /webapi/host/credentials'] ?? 1).to.equal(1);
  });

  it('needs no token the second time: its file may be gone, and nothing come from a pipe', async () => {
    const gone = join(stage.root, 'token');
    const refused = envelope(await agentless([...stage.words, '--token-file', gone, '--json']));
    expect([refused.exit, refused.error?.message]).to.deep.equal([
      2,
      `cannot read the token file ${gone} (ENOENT)`,
    ]);
    expect((await stage.join()).status).to.equal(0);
    for (const words of [
      ['--token-file', gone],
      ['--token', '-'],
    ]) {
      const again = envelope(await agentless([...stage.words, ...words, '--json']));
      expect([again.exit, again.changed], JSON.stringify(again)).to.deep.equal([0, false]);
    }
  });

  it('without an address takes the one that the cluster sees, and warns where that is loopback', async () => {
    const words = withFlags([...stage.words, '--token', '-', '--json'], {address: undefined});
    const first = envelope(await agentless(words, {input: stage.cluster.token}));
    expect(first.exit, JSON.stringify(first)).to.equal(0);
    const address = `127.0.0.1:${stage.sshd.port}`;
    expect(first.result.node.address).to.equal(address);
    expect(first.warnings.filter((warning) => warning.startsWith(`${address} is a loopback`))).to.have.length(
      1,
    );
    expect(stage.cluster.nodes()[0]?.address).to.equal(address);
    expect((await stage.loginByCertificate('127.0.0.1')).stdout).to.equal('hello\n');
    const second = envelope(await agentless(words, {input: stage.cluster.token}));
    expect([second.exit, second.changed]).to.deep.equal([0, false]);
  });

  it('takes relative paths from where it runs, and is found by their whole names afterwards', async () => {
    const at = {cwd: stage.root};
    const relative = (word: string) => (word.startsWith(`${stage.root}/etc/`) ? 'etc/sshd_config' : word);
    const words = stage.words.map((word) => (word === stage.dataDir ? './data/' : relative(word)));
    const joined = await agentless([...words, '--token', '-'], {...at, input: stage.cluster.token});
    expect(joined.status, joined.stderr).to.equal(0);
    const status = await agentless(['status', '--data-dir', stage.dataDir, '--json']);
    expect(JSON.parse(status.stdout).result).to.include({state: 'joined'});
    const left = await agentless(['leave', '--data-dir', 'data', '--yes'], at);
    expect(left.status, left.stderr).to.equal(0);
    expect(await stage.host()).to.deep.equal(before);
  });

  it('shows in a dry run what it would do, spends no token and changes nothing', async () => {
    const {status, stdout, stderr} = await stage.join(['--dry-run']);
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/^\+ HostCertificate .*ssh_host_ed25519_key-cert\.pub$/m);
    expect(stdout).to.match(/^\+ TrustedUserCAKeys /m);
    expect(stdout).to.contain('No token was spent.');
    expect(stderr).to.match(/rehearse +ed25519 ecdsa rsa accepted as web1/);
    expect(await stage.host()).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
    expect(stage.cluster.nodes()).to.have.length(0);
  });

  it('updates labels on a second run with the identity, not a token', async () => {
    await stage.join();
    const {changed, exit} = await stage.joinJson(['--labels', 'env=prod,team="a b"'], {input: 'not-a-token'});
    expect(exit).to.equal(0);
    expect(changed).to.equal(true);
    expect(stage.cluster.nodes()[0]?.labels).to.deep.equal({env: 'prod', team: 'a b'});
    expect((await stage.joinJson()).changed).to.equal(false);
    expect(stage.cluster.nodes()[0]?.labels).to.deep.equal({env: 'prod', team: 'a b'});
  });

  it('gets a new name certified on a second run', async () => {
    await stage.join();
    const {changed, result} = await stage.joinJson(['--additional-principals', 'new.example.com']);
    expect(changed).to.equal(true);
    expect(result.names).to.include('new.example.com');
    expect((await stage.loginByCertificate('new.example.com')).status).to.equal(0);
  });

  it('puts back what somebody removed', async () => {
    await stage.join();
    writeFileSync(stage.sshd.config, before['sshd_config']?.content ?? '', 'latin1');
    const {changed, exit} = await stage.joinJson();
    expect([exit, changed]).to.deep.equal([0, true]);
    expect((await stage.loginByCertificate('web1')).status).to.equal(0);
  });

  it('proves a login when asked, and says why it would be refused', async () => {
    const good = await stage.join(['--prove-login', stage.login, '--dry-run']);
    expect(good.status, good.stderr).to.equal(0);
    expect(good.stderr).to.contain(`${stage.login} would get in`);
    const bad = await stage.joinJson(['--prove-login', 'nobody-of-that-name']);
    expect(bad.exit).to.equal(6);
    expect(bad.error?.code).to.equal('REHEARSAL_FAILED');
    expect(bad.error?.detail).to.contain('nvalid user nobody-of-that-name');
    expect(await stage.host()).to.deep.equal(before);
  });

  for (const suite of ['legacy', 'fips-v1', 'hsm-v1'] as const) {
    it(`joins a cluster of suite ${suite}`, async () => {
      const other = await Stage.start({cluster: {suite}});
      try {
        const {exit, stderr} = await other.joinJson(['--prove-login', other.login]);
        expect(exit, stderr).to.equal(0);
        const login = await other.loginByCertificate('web1');
        expect(login.stdout, login.stderr).to.equal('hello\n');
      } finally {
        await other.stop();
      }
    });
  }
});
