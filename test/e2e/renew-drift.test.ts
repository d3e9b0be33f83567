// A host whose configuration others have rewritten: what is still in effect is kept up to date, and what is missing is put
// back only when that is wished.

import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {JoinScene} from '../support/join-scene.js';

describe('a renewal on a host that has drifted', function () {
  this.timeout(120_000);
  let scene: JoinScene;
  beforeEach(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}});
    await scene.join(scene.host());
  });
  afterEach(() => scene.stop());

  const own = (name: string) => join(scene.stage.root, 'etc/agentless', name);
  const certificate = (type: string) => readFileSync(own(`ssh_host_${type}_key-cert.pub`), 'latin1').trim();
  /** Takes lines out of the files that hold ours. */
  const lose = (lines: RegExp) => {
    for (const path of [own('sshd.conf'), scene.stage.sshd.config]) {
      const text = readFileSync(path, 'latin1');
      writeFileSync(path, text.replace(lines, ''), 'latin1');
    }
  };
  const replaceSigner = async () => {
    for (const phase of ['init', 'update_clients'] as const) await scene.stage.cluster.rotate('host', phase);
  };

  it('that lost one of our lines: the certificate that is left is renewed, and sshd is told', async () => {
    lose(/^HostCertificate .*ecdsa.*\n/m);
    const old = certificate('ed25519');
    const [{drift}, reloads] = [await scene.renew(scene.host(), {check: true}), scene.reloads];
    expect(drift).to.have.length(1);
    await replaceSigner();
    const renewal = await scene.renew(scene.host());
    expect([renewal.changed, renewal.drift]).to.deep.equal([true, drift]);
    expect(scene.reloads, 'told once').to.equal(reloads + 1);
    const {served} = await scene.look();
    expect(served).to.include(certificate('ed25519')).and.not.include(old);
    const idle = await scene.renew(scene.host());
    expect([idle.changed, idle.drift, scene.reloads]).to.deep.equal([false, drift, reloads + 1]);
    expect((await scene.renew(scene.host(), {repair: true})).drift).to.deep.equal([]);
    expect((await scene.look()).served).to.include(certificate('ecdsa'));
    expect((await scene.stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
  });

  it('that lost all of them: its files are renewed for later, and sshd is left alone', async () => {
    lose(/^(HostCertificate|TrustedUserCAKeys|Include).*agentless.*\n/gm);
    const [config, reloads] = [scene.stage.config, scene.reloads];
    await replaceSigner();
    const {changed, drift} = await scene.renew(scene.host());
    expect([changed, drift.length > 0]).to.deep.equal([true, true]);
    expect([scene.stage.config, scene.reloads]).to.deep.equal([config, reloads]);
    expect((await scene.join(scene.host())).changed, 'a second join puts them back').to.equal(true);
    expect((await scene.stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
    expect((await scene.renew(scene.host())).changed).to.equal(false);
  });

  it('that lost the file behind our lines: the repair writes it again', async () => {
    rmSync(own('sshd.conf'), {force: true});
    rmSync(own('trusted_user_ca_keys'));
    const {drift} = await scene.renew(scene.host(), {check: true});
    expect((await scene.renew(scene.host(), {repair: true})).changed, drift.join()).to.equal(true);
    expect((await scene.stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
  });

  it('is undone to the byte when sshd does not come back from being told', async () => {
    lose(/^HostCertificate .*ecdsa.*\n/m);
    await replaceSigner();
    const {served: _, ...before} = await scene.look();
    const outcome = await scene
      .renew(scene.host(), {reloadCommand: 'echo no >&2; exit 1'})
      .catch((error: unknown) => error);
    expect(outcome).to.include({code: 'CHANGE_FAILED', restored: true});
    // What it serves is what the configuration of others has it serve, now that it has read it.
    const {served, ...now} = await scene.look();
    expect(now).to.deep.equal(before);
    expect(served).to.include(certificate('ed25519'));
  });
});
