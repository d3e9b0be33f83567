// Hosts that are unusual and all the same fit: what was there stays, to the byte, and works.

import {execFileSync, spawn} from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {startPrivateSshd} from '../../src/demo/private-sshd.js';
import {signCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, opensshPrivateKey, publicBlob} from '../../src/ssh/key.js';
import {agentless} from '../support/cli.js';
import {refused} from '../support/refusal.js';
import {ssh} from '../support/ssh-client.js';
import {patientConfig} from '../support/sshd-version.js';
import {Stage} from '../support/stage.js';

const isRoot = process.getuid?.() === 0;

describe('join openssh on an unusual host', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  /** A host with this text behind the lines that make its sshd private. */
  const start = async (edit: (stock: string) => string = (text) => text): Promise<void> => {
    stage = await Stage.quick({sshd: {stock: edit(patientConfig())}});
  };

  async function expectJoined(words: readonly string[] = [], options: readonly string[] = []) {
    const answer = await stage.joinJson(words);
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    expect(answer.changed).to.equal(true);
    const login = await stage.loginByCertificate('web1', options);
    expect(login.stdout, login.stderr).to.equal('hello\n');
    return answer;
  }

  async function expectUnchanged(): Promise<void> {
    const before = await stage.host();
    const {exit, changed} = await stage.joinJson();
    expect([exit, changed]).to.deep.equal([0, false]);
    expect(await stage.host()).to.deep.equal(before);
  }

  it('whose sshd_config ends lines with CR LF', async () => {
    await start((text) => text.replaceAll('\n', '\r\n'));
    const old = stage.config;
    await expectJoined();
    expect(stage.config.endsWith(old)).to.equal(true);
    await expectUnchanged();
  });

  it('whose sshd_config is not UTF-8', async () => {
    await start((text) => `# gr\xfc\xdfe \xff\xfe\n${text}# no end of line \xe9`);
    // The helper writes UTF-8, and an administrator of old did not.
    writeFileSync(stage.sshd.config, stage.config.replaceAll(/\xc3([\x80-\xbf])/g, '\xfc'), 'latin1');
    const old = stage.config;
    expect(Buffer.from(old, 'latin1').toString('utf8')).to.include('\ufffd');
    await expectJoined();
    expect(stage.config.endsWith(old)).to.equal(true);
    await expectUnchanged();
  });

  it('with two host keys of one type, of which sshd serves the first', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'agentless-second-'));
    try {
      const second = join(elsewhere, 'second_ed25519_key');
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', second]);
      await start((text) => `HostKey ${second}\n${text}`);
      const before = await stage.host();
      const {result, warnings} = await expectJoined();
      expect(result.certificates.map(({type}: {type: string}) => type)).to.deep.equal(['ed25519', 'ecdsa']);
      expect(warnings.join('\n')).to.match(
        /second_ed25519_key is not served: .* \S*ssh_host_ed25519_key comes first/,
      );
      await expectUnchanged();
      const left = await agentless(['leave', '--data-dir', stage.dataDir, '--yes']);
      expect(left.status, left.stderr).to.equal(0);
      expect(await stage.host()).to.deep.equal(before);
    } finally {
      rmSync(elsewhere, {recursive: true});
    }
  });

  it('whose sshd_config ends in a Match block', async () => {
    await start((text) => `${text}\nMatch User somebody-else\n  X11Forwarding no`);
    const old = stage.config;
    await expectJoined(['--prove-login', stage.login]);
    expect(stage.config.endsWith(old)).to.equal(true);
    await expectUnchanged();
  });

  it('whose sshd_config is a symbolic link: it stays one, and its target keeps mode and owner', async () => {
    await start();
    const {config} = stage.sshd;
    const target = join(stage.root, 'etc/site/sshd_config.site');
    mkdirSync(join(stage.root, 'etc/site'));
    renameSync(config, target);
    symlinkSync('site/sshd_config.site', config);
    chmodSync(target, 0o640);
    if (isRoot) chownSync(target, 1234, 4321);
    const {mode, uid, gid} = statSync(target);
    await expectJoined();
    expect(lstatSync(config).isSymbolicLink()).to.equal(true);
    expect(readlinkSync(config)).to.equal('site/sshd_config.site');
    expect(statSync(target)).to.include({mode, uid, gid});
    expect(readFileSync(target, 'latin1')).to.match(/^# BEGIN agentless/);
    await expectUnchanged();
  });

  describe('that trusts a user authority already', () => {
    const own = generateKey('ed25519');

    /** A client with a certificate of the site's own authority. */
    async function loginByOwnAuthority() {
      const identity = join(stage.root, 'client/own');
      const key = generateKey('ed25519');
      writeFileSync(identity, await opensshPrivateKey(key), {mode: 0o600});
      const now = BigInt(Math.floor(Date.now() / 1000));
      const fields = {type: 'user', key: publicBlob(key), principals: [stage.login]} as const;
      const validity = {validAfter: now - 60n, validBefore: now + 600n};
      const line = signCertificate({...fields, ...validity, extensions: {'permit-pty': ''}}, own);
      writeFileSync(`${identity}-cert.pub`, `${line}\n`);
      const {port, hostKeys} = stage.sshd;
      const knownHost = `[127.0.0.1]:${port} ${hostKeys[0]}`;
      return ssh({directory: join(stage.root, 'client'), port, identity, knownHost, login: stage.login});
    }

    it('keeps trusting it: both log in, and its own file is left alone', async () => {
      const directory = execFileSync('mktemp', ['-d'], {encoding: 'utf8'}).trim();
      const file = join(directory, 'ca.pub');
      const text = `# ours\n${formatPublicKey(publicBlob(own))} site ca\nnot a key\n`;
      writeFileSync(file, text);
      await start((stock) => `TrustedUserCAKeys ${file}\n${stock}`);
      expect((await loginByOwnAuthority()).stdout).to.equal('hello\n');
      const {result, warnings} = await expectJoined();
      const again = await loginByOwnAuthority();
      expect(again.stdout, again.stderr).to.equal('hello\n');
      expect(result.userAuthorities.own).to.equal(1);
      expect(warnings.join('\n')).to.include(`${file} line 3 is no public key`);
      expect(readFileSync(file, 'utf8')).to.equal(text);
      await expectUnchanged();
      execFileSync('rm', ['-r', directory]);
    });

    it('behind a named pipe: refused, and the pipe is never opened', async () => {
      const directory = execFileSync('mktemp', ['-d'], {encoding: 'utf8'}).trim();
      const [pipe, opened] = [join(directory, 'pipe'), join(directory, 'opened')];
      execFileSync('mkfifo', [pipe]);
      const writer = spawn('sh', ['-c', 'exec 3>"$1"; touch "$2"', 'sh', pipe, opened], {stdio: 'ignore'});
      await start((stock) => `TrustedUserCAKeys ${pipe}\n${stock}`);
      const says = /cannot be merged: .*pipe is not a regular file/;
      const {error} = await refused(stage, {exit: 6, code: 'HOST_UNSUITABLE', says});
      expect(error?.hint).to.include('cut those users off');
      expect(existsSync(opened), 'somebody has opened the pipe').to.equal(false);
      writer.kill('SIGKILL');
      execFileSync('rm', ['-r', directory]);
    });
  });

  it('that serves a certificate of somebody else: it goes on, with a warning', async () => {
    await start();
    await stage.sshd.stop();
    const [key = ''] = stage.sshd.hostKeys;
    const foreign = join(stage.root, 'etc/foreign-cert.pub');
    const now = BigInt(Math.floor(Date.now() / 1000));
    const blob = Buffer.from(key.split(' ')[1] ?? '', 'base64');
    const validity = {validAfter: now - 60n, validBefore: now + 600n};
    const authority = generateKey('ed25519');
    const line = signCertificate({type: 'host', key: blob, principals: ['web1'], ...validity}, authority);
    writeFileSync(foreign, `${line}\n`);
    const directory = join(stage.root, 'etc');
    const stock = `HostCertificate ${foreign}\n${patientConfig()}`;
    const sshd = await startPrivateSshd({
      directory,
      program: process.env['SSHD'],
      keyTypes: ['ed25519', 'ecdsa'],
      stock,
    });
    stage = Object.assign(Object.create(Stage.prototype), stage, {sshd});
    // A client takes the type it prefers, ours or not.
    const ecdsa = ['HostKeyAlgorithms=ecdsa-sha2-nistp256-cert-v01@openssh.com'];
    const {result, warnings} = await expectJoined([], ecdsa);
    expect(result.certificates.map(({type}: {type: string}) => type)).to.deep.equal(['ecdsa']);
    expect(warnings.join('\n'))
      .to.include(`keeps the certificate in ${foreign}`)
      .and.to.include('clients that prefer its type');
    const knownHost = `@cert-authority * ${formatPublicKey(publicBlob(authority))}`;
    const old = await ssh({
      directory: join(stage.root, 'client'),
      port: sshd.port,
      identity: await stage.identity(),
      login: stage.login,
      knownHost,
      hostKeyAlias: 'web1',
      options: ['HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com'],
    });
    expect(old.stdout, old.stderr).to.equal('hello\n');
    await expectUnchanged();
  });

  it('on which no sshd runs: joins, warns, and serves once it is started', async () => {
    await start();
    await stage.sshd.stop();
    const {exit, changed, warnings} = await stage.joinJson();
    expect([exit, changed]).to.deep.equal([0, true]);
    expect(warnings.join('\n')).to.include('sshd is not running');
    const program = process.env['SSHD'] ?? '/usr/sbin/sshd';
    const child = spawn(program, ['-D', '-f', stage.sshd.config], {stdio: 'ignore'});
    try {
      await waitFor(async () => (await stage.loginByCertificate('web1')).status === 0);
    } finally {
      child.kill();
    }
  });
});

async function waitFor(condition: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    if (await condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  expect.fail('it did not come about');
}
