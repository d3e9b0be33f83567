// What users of Teleport's agentless OpenSSH ask for: rotation, renewal, revocation. A scenario each, by the numbers of
// docs/demands.md; those that other tests are already are named there.

import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {RotationPhase} from '../../../src/cluster/cluster.js';
import {formatPublicKey, publicBlob} from '../../../src/ssh/key.js';
import {agentless} from '../../support/cli.js';
import {ssh} from '../../support/ssh-client.js';
import {Stage} from '../../support/stage.js';

describe('demands: rotation and renewal', function () {
  this.timeout(60_000);
  this.slow(8000);
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.quick();
  });
  afterEach(() => stage.stop());

  const joins = async () => {
    const {exit, stderr} = await stage.joinJson();
    expect(exit, stderr).to.equal(0);
  };
  const renew = (...words: string[]) => agentless(['renew', '--data-dir', stage.dataDir, ...words]);
  const enter = (phase: RotationPhase) => stage.cluster.rotate('openssh', phase);
  const trusted = () =>
    readFileSync(join(stage.root, 'etc/agentless/trusted_user_ca_keys'), 'latin1')
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'));
  /** Whether somebody who holds this certificate gets in; the host is known by its plain key. */
  const getsIn = async (identity: string) => {
    const {port, hostKeys} = stage.sshd;
    const knownHost = `[127.0.0.1]:${port} ${hostKeys[0]}`;
    const directory = join(stage.root, 'client');
    return (await ssh({directory, port, identity, knownHost, login: stage.login})).stdout === 'hello\n';
  };

  it('63: in each phase `renew --check` says which it is, and what is left to do by when', async () => {
    await joins();
    await stage.cluster.rotate('host', 'init');
    const init = await renew('--check');
    expect(init.status).to.equal(3);
    expect(init.stdout).to.match(
      /host authority is being rotated \(init\): renew after update_clients and before standby$/m,
    );
    await stage.cluster.rotate('host', 'update_clients');
    expect((await renew()).status).to.equal(0);
    const done = await renew('--check');
    expect(done.status, done.stdout).to.equal(0);
    expect(done.stdout).to.match(
      /^Nothing is due on web1\.\nUnder way: the host authority is being rotated \(update_clients\)$/m,
    );
    expect(done.stdout, 'old news').to.not.include('before standby');
  });

  it('64: a host that has renewed in `init` lets in whoever comes with the new key, without another run', async () => {
    await joins();
    await enter('init');
    expect((await renew()).status).to.equal(0);
    await enter('update_clients');
    expect(await getsIn(await stage.identity())).to.equal(true);
  });

  it('64: and one that has not does not, until it does', async () => {
    await joins();
    await enter('init');
    await enter('update_clients');
    const identity = await stage.identity();
    expect(await getsIn(identity)).to.equal(false);
    expect((await renew()).status).to.equal(0);
    expect(await getsIn(identity)).to.equal(true);
  });

  it('70: a key with `cert-authority` before it, which sshd would stop at, is named and left out; the others stay', async () => {
    const site = join(stage.root, 'etc/site_ca');
    const [first, second] = (['user', 'host'] as const).map((type) =>
      formatPublicKey(publicBlob(stage.cluster.testOnlySshKey(type))),
    );
    writeFileSync(site, `${first} one\n${first} once more\ncert-authority ${second}\n`);
    writeFileSync(stage.sshd.config, `TrustedUserCAKeys ${site}\n${stage.config}`, 'latin1');
    const {exit, warnings, stderr} = await stage.joinJson();
    expect(exit, stderr).to.equal(0);
    expect(warnings).to.include(`${site} line 3 is no public key that can be merged; it is left out`);
    const ours = formatPublicKey(publicBlob(stage.cluster.testOnlySshKey('openssh')));
    expect(trusted()).to.deep.equal([ours, `${first} one`]);
  });

  it('72: the old key is trusted as long as the cluster lists it, and no longer', async () => {
    await joins();
    const old = await stage.identity();
    for (const phase of ['init', 'update_clients', 'update_servers'] as const) {
      await enter(phase);
      expect((await renew()).status, phase).to.equal(0);
      expect(await getsIn(old), phase).to.equal(true);
      expect(trusted(), phase).to.have.length(2);
    }
    await enter('standby');
    expect((await renew()).status).to.equal(0);
    expect(trusted()).to.have.length(1);
    expect(await getsIn(old)).to.equal(false);
    expect(await getsIn(await stage.identity())).to.equal(true);
  });
});
