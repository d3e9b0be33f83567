// Host keys come and go: nobody has taken our lines out, so a renewal brings them up to date by itself.

import {execFileSync} from 'node:child_process';
import {appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../src/host/local.js';
import {status} from '../../src/operations/status.js';
import {JoinScene} from '../support/join-scene.js';

describe('a renewal of a host with other keys', function () {
  this.timeout(120_000);
  let scene: JoinScene;
  beforeEach(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}, sshd: {keyTypes: ['ed25519']}});
  });
  afterEach(() => scene.stop());

  const at = (name: string) => join(scene.stage.root, 'etc', name);
  const config = () => scene.stage.config;
  const own = () => [at('agentless/sshd.conf'), at('sshd_config.d/00-agentless.conf')].find(existsSync);
  const lines = () => readFileSync(own() ?? scene.stage.sshd.config, 'latin1');
  const certificate = (type: string) => at(`agentless/ssh_host_${type}_key-cert.pub`);

  async function addKey(): Promise<void> {
    const key = at('ssh_host_ecdsa_key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', key]);
    writeFileSync(
      scene.stage.sshd.config,
      config().replace(/^HostKey .*\n/m, `$&HostKey ${key}\n`),
      'latin1',
    );
    await scene.reload();
  }
  async function removeKey(): Promise<void> {
    writeFileSync(scene.stage.sshd.config, config().replace(/^HostKey .*ecdsa_key\n/m, ''), 'latin1');
    await scene.reload();
  }

  const problems = async () => {
    const {dataDir, sshd} = scene.stage;
    const seen = await status({host: new LocalHost(), warn: () => undefined}, {dataDir, config: sshd.config});
    return seen.problems.map(({code}) => code);
  };

  for (const dropIn of [false, true]) {
    it(`takes up a key and lets go of one, ${dropIn ? 'in a drop-in' : 'in a block'}`, async () => {
      if (dropIn) {
        mkdirSync(at('sshd_config.d'));
        writeFileSync(
          scene.stage.sshd.config,
          `Include ${at('sshd_config.d')}/*.conf\n${config()}`,
          'latin1',
        );
      }
      await scene.join(scene.host());
      const alone = lines();
      await addKey();
      expect(await problems()).to.deep.equal(['HOST_KEY_NEW']);
      const check = await scene.renew(scene.host(), {check: true});
      expect([check.due, check.drift]).to.deep.equal([['ecdsa: there is no certificate yet'], []]);

      const site = dropIn ? config() : '';
      const {changed, due, drift} = await scene.renew(scene.host());
      expect([changed, due, drift]).to.deep.equal([true, ['ecdsa: there is no certificate yet'], []]);
      expect(scene.warnings.filter((text) => /our lines/.test(text))).to.deep.equal([]);
      expect(lines()).to.include(`HostCertificate ${certificate('ecdsa')}\n`);
      if (dropIn) expect(config()).to.equal(site);
      expect((await scene.look()).served).to.include(readFileSync(certificate('ecdsa'), 'latin1').trim());
      expect(await problems()).to.deep.equal([]);
      expect((await scene.renew(scene.host())).changed, 'a second time').to.equal(false);

      await removeKey();
      const gone = await scene.renew(scene.host(), {check: true});
      expect(gone.drift).to.deep.equal([]);
      expect(gone.due.join('\n'))
        .to.match(/names certificates of other host keys than there are now/)
        .and.match(/ecdsa_key-cert\.pub is needed no more/);
      expect((await scene.renew(scene.host())).changed).to.equal(true);
      expect(lines()).to.equal(alone);
      expect(existsSync(certificate('ecdsa'))).to.equal(false);
      expect(await problems()).to.deep.equal([]);

      const theirs = config().replace(/# BEGIN agentless[\s\S]*# END agentless\n/, '');
      expect((await scene.leave(scene.host())).left).to.deep.equal([]);
      expect(config()).to.equal(theirs);
    });
  }

  it('is for a repair where others have changed our file, or taken a line out of it', async () => {
    await scene.join(scene.host());
    const file = own() ?? scene.stage.sshd.config;
    const ours = lines();
    await addKey();
    appendFileSync(file, '# a note\n');
    const noted = lines();
    if (file !== scene.stage.sshd.config) {
      expect((await scene.renew(scene.host())).drift).to.deep.equal([file]);
      expect(lines()).to.equal(noted);
    }
    writeFileSync(file, noted.replace(/^HostCertificate .*\n/m, ''), 'latin1');
    expect((await scene.renew(scene.host())).drift).to.deep.equal([file]);
    expect((await scene.renew(scene.host(), {repair: true})).drift).to.deep.equal([]);
    expect(lines())
      .to.include(certificate('ecdsa'))
      .and.include(ours.split('\n').at(-2) ?? '');
    expect((await scene.stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
  });

  it('is for a repair where our file has another mode', async function () {
    await scene.join(scene.host());
    const file = own();
    if (file === undefined) return this.skip();
    chmodSync(file, 0o600);
    const {changed, drift} = await scene.renew(scene.host());
    expect([changed, drift]).to.deep.equal([false, [file]]);
  });
});
