import {execFileSync} from 'node:child_process';
import {chmodSync, chownSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync} from 'node:fs';
import {expect} from 'chai';
import type {HostFacts} from '../../../src/host/facts.js';
import {parsePublicKey} from '../../../src/ssh/key.js';
import {failure} from '../../support/cluster-client.js';
import {PrivateHost} from '../../support/private-host.js';

const isRoot = process.getuid?.() === 0;

describe('facts about a host', () => {
  let host: PrivateHost;
  let ed25519: string;
  let ecdsa: string;
  before(() => {
    host = new PrivateHost();
    ed25519 = host.key('one');
    ecdsa = host.key('two', 'ecdsa');
  });
  after(() => host[Symbol.dispose]());

  const keysOf = (facts: HostFacts) => facts.hostKeys.map(({file}) => file);

  it('are the configuration, the version, the keys and the port', async () => {
    host.configure([ed25519, ecdsa], 'Port 2222', 'UsePAM no');
    const facts = await host.look();
    expect(facts.daemon).to.include({state: 'stopped', process: undefined});
    expect(facts.config).to.equal(host.config);
    expect([...facts.tree.files.keys()]).to.deep.equal([host.config]);
    expect(facts.version[0]).to.be.at.least(7);
    expect(facts.effective.one('port')).to.equal('2222');
    expect(facts.port).to.equal(2222);
    expect(keysOf(facts)).to.deep.equal([ed25519, ecdsa]);
    expect(facts.warnings).to.deep.equal([]);
    for (const {file, blob, type} of facts.hostKeys) {
      const beside = parsePublicKey(readFileSync(`${file}.pub`, 'latin1'));
      expect({blob, type}).to.deep.equal({blob: beside.blob, type: beside.type});
    }
  });

  it('are read from a configuration that is a symbolic link, under the name that was given', async () => {
    host.configure([ed25519], `Include ${host.root}/conf.d/*.conf`);
    mkdirSync(host.at('conf.d'), {recursive: true});
    host.write('conf.d/a.conf', 'UsePAM no\n');
    const link = host.at('link');
    symlinkSync('sshd_config', link);
    const facts = await host.look(link);
    rmSync(link);
    expect(facts.tree.main).to.equal(link);
    expect(facts.tree.mainTarget).to.equal(host.config);
    if (facts.dialect.include) expect([...facts.tree.files.keys()]).to.include(host.at('conf.d/a.conf'));
  });

  describe('of host keys', () => {
    it('say by which algorithms each may prove itself', async () => {
      const rsa = host.key('three', 'rsa');
      host.configure([ed25519, ecdsa, rsa]);
      const by = (facts: HostFacts) =>
        facts.hostKeys.map(({plainBy, certificateBy}) => [plainBy, certificateBy]);
      expect(by(await host.look())).to.deep.equal([
        [['ssh-ed25519'], ['ssh-ed25519-cert-v01@openssh.com']],
        [['ecdsa-sha2-nistp256'], ['ecdsa-sha2-nistp256-cert-v01@openssh.com']],
        [
          ['rsa-sha2-512', 'rsa-sha2-256'],
          ['rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-256-cert-v01@openssh.com'],
        ],
      ]);
      const list =
        'ssh-ed25519,ecdsa-sha2-nistp256-cert-v01@openssh.com,rsa-sha2-256,ssh-rsa-cert-v01@openssh.com';
      host.configure([ed25519, ecdsa, rsa], `HostKeyAlgorithms ${list}`);
      expect(by(await host.look())).to.deep.equal([
        [['ssh-ed25519'], []],
        [[], ['ecdsa-sha2-nistp256-cert-v01@openssh.com']],
        [['rsa-sha2-256'], ['ssh-rsa-cert-v01@openssh.com']],
      ]);
      host.configure([ed25519, ecdsa], 'HostKeyAlgorithms -*cert-v01*');
      expect(by(await host.look())).to.deep.equal([
        [['ssh-ed25519'], []],
        [['ecdsa-sha2-nistp256'], []],
      ]);
    });

    it('do without the .pub file, which sshd does not need either', async () => {
      host.configure([ed25519]);
      const [known] = (await host.look()).hostKeys;
      renameSync(`${ed25519}.pub`, host.at('aside'));
      const [asked] = (await host.look()).hostKeys;
      renameSync(host.at('aside'), `${ed25519}.pub`);
      expect(asked?.blob).to.deep.equal(known?.blob);
    });

    it('follow a symbolic link', async () => {
      symlinkSync(ed25519, host.at('linked'));
      host.configure([host.at('linked')]);
      const facts = await host.look();
      expect(keysOf(facts)).to.deep.equal([host.at('linked')]);
      chmodSync(ed25519, 0o644);
      host.configure([host.at('linked'), ecdsa]);
      const {warnings} = await host.look();
      chmodSync(ed25519, 0o600);
      expect(warnings.join()).to.match(/^host key .*\/linked has mode 644; sshd does not load it/);
    });

    it('name a key once, whatever the number of its names', async () => {
      host.write('copy', readFileSync(ed25519, 'latin1'), 0o600);
      host.configure([ed25519, host.at('copy')]);
      expect(keysOf(await host.look())).to.deep.equal([ed25519]);
    });

    it('leave out what sshd does not load, and say so', async () => {
      chmodSync(ecdsa, 0o640);
      const missing = host.at('missing');
      const locked = host.key('locked', 'ed25519', 'secret');
      host.configure([ed25519, ecdsa, missing, locked]);
      const facts = await host.look();
      chmodSync(ecdsa, 0o600);
      expect(keysOf(facts)).to.deep.equal([ed25519]);
      expect(facts.warnings).to.deep.equal([
        `host key ${ecdsa} has mode 640; sshd does not load it (chmod 0600 ${ecdsa})`,
        `host key ${missing} cannot be read; it is not served`,
        `sshd cannot load host key ${locked}; it is not served`,
      ]);
    });

    it('keep a key that sshd loads although its mode is odd: another user owns it', async function () {
      if (!isRoot) this.skip();
      chownSync(ecdsa, 65534, 65534);
      chmodSync(ecdsa, 0o640);
      host.configure([ed25519, ecdsa]);
      const facts = await host.look();
      chownSync(ecdsa, 0, 0);
      chmodSync(ecdsa, 0o600);
      expect(keysOf(facts)).to.deep.equal([ed25519, ecdsa]);
      expect(facts.warnings).to.deep.equal([]);
    });

    it('leave out a key of a kind that no cluster certifies', async function () {
      try {
        host.key('dsa', 'dsa');
      } catch {
        this.skip();
      }
      host.configure([ed25519, host.at('dsa')]);
      const facts = await host.look();
      expect(keysOf(facts)).to.deep.equal([ed25519]);
      expect(facts.warnings.join()).to.contain('(ssh-dss) is of no kind that a cluster certifies');
    });

    it('are refused when none is left', async () => {
      host.write('one-more', readFileSync(ed25519, 'latin1'), 0o600);
      host.write('one-more.pub', 'ssh-unheard-of AAAA\n');
      host.configure([host.at('one-more')]);
      const {code, message, detail, hint} = await failure(host.look());
      expect(code).to.equal('HOST_UNSUITABLE');
      expect(message).to.equal('sshd has no host key that a cluster could certify');
      expect(detail).to.contain('(ssh-unheard-of)');
      expect(hint).to.contain('ssh-keygen -A');
    });

    it('are refused in words of their own when sshd loads none', async () => {
      host.configure([host.at('missing')]);
      const {code, message, detail, hint} = await failure(host.look());
      expect(code).to.equal('SSHD_CONFIG_INVALID');
      expect(message).to.equal('sshd can load none of its host keys');
      expect(detail).to.contain('no hostkeys available');
      expect(hint).to.contain('nothing was changed');
    });
  });

  describe('cannot be had', () => {
    const refusal = async (expected: {code: string; message: RegExp}, config?: string) => {
      const failed = await failure(host.look(config));
      expect(failed.code).to.equal(expected.code);
      expect(failed.message).to.match(expected.message);
      expect(failed.hint).to.be.a('string');
      return failed;
    };
    const UNSUITABLE = 'HOST_UNSUITABLE';

    it('where the configuration is broken: sshd says where', async () => {
      host.configure([ed25519], 'PermitRotLogin yes');
      const {detail, hint} = await refusal({code: 'SSHD_CONFIG_INVALID', message: /refuses its own/});
      expect(detail).to.match(/line 2: Bad configuration option: PermitRotLogin/);
      expect(detail).to.not.include('\r');
      expect(hint).to.contain(`sshd -t -f ${host.config}`);
    });

    it('where the configuration is missing, a dangling link, a directory or a named pipe', async () => {
      await refusal({code: UNSUITABLE, message: /^cannot read .*\/gone$/}, host.at('gone'));
      symlinkSync('nowhere', host.at('dangling'));
      const {detail} = await refusal({code: UNSUITABLE, message: /dangling symbolic/}, host.at('dangling'));
      expect(detail).to.equal(`${host.at('dangling')} -> nowhere`);
      await refusal({code: UNSUITABLE, message: /is not a regular file/}, host.root);
      execFileSync('mkfifo', [host.at('pipe')]);
      await refusal({code: UNSUITABLE, message: /is not a regular file/}, host.at('pipe'));
    });

    it('where a file cannot be written: nothing is tried', async function () {
      if (!isRoot) this.skip();
      host.configure([ed25519]);
      try {
        execFileSync('chattr', ['+i', host.config], {stdio: 'ignore'});
      } catch {
        this.skip();
      }
      try {
        const {hint} = await refusal({code: UNSUITABLE, message: /sshd_config cannot be written$/});
        expect(hint).to.contain('lsattr');
      } finally {
        execFileSync('chattr', ['-i', host.config]);
      }
    });
  });
});
