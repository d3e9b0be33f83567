// A host that lives on while its cluster's authorities are rotated, at random and mixed, renewed now and then, with real
// logins. What it can do at any moment is what the model says; when its identity is finished it joins again with a token.

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../src/errors.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {JoinScene} from '../support/join-scene.js';
import {
  changed,
  type Held,
  isAccepted,
  JUST_JOINED,
  NEVER_ROTATED,
  possible,
  type Rotating,
  renewed,
} from '../support/rotation-model.js';

/** Changes of a phase; a renewal follows on about every second. */
const STEPS = 10;

describe('a host that is renewed now and then while authorities are rotated', function () {
  this.timeout(180_000);
  let scene: JoinScene;
  let rotating: Rotating = NEVER_ROTATED;
  let held: Held = JUST_JOINED;
  let generation = 0;
  const seen = {logins: 0, refused: 0, finished: 0};

  before(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}});
    await scene.join(scene.host());
  });
  after(() => scene.stop());

  async function renewOrJoin(told: string): Promise<void> {
    const expected = renewed(held, rotating);
    const outcome = await scene.renew(scene.host()).catch((error: unknown) => error);
    if (expected !== 'finished') {
      if (outcome instanceof Error) throw outcome;
      held = expected;
      expect((await scene.renew(scene.host())).changed, `${told}: nothing is left to do`).to.equal(false);
      return;
    }
    expect(outcome, told).to.be.instanceOf(Failure);
    expect([(outcome as Failure).code, (outcome as Failure).hint], told).to.deep.equal([
      'REQUEST_REFUSED',
      'join again with a token',
    ]);
    const [id] = scene.stage.cluster.nodes().map((node) => node.id);
    expect((await scene.join(scene.host())).changed, `${told}: what the hint says helps`).to.equal(true);
    expect(scene.stage.cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
    held = {signer: rotating.host.active, users: rotating.openssh.trusted};
    seen.finished += 1;
  }

  /** The signer of what lies on the host is active whenever it was renewed; a login asks for the active one. */
  async function expectLogin(told: string): Promise<void> {
    const {stdout, stderr} = await scene.stage.loginByCertificate('web1');
    const works = isAccepted(held, rotating) && held.signer === rotating.host.active;
    expect(stdout, `${told}: ${stderr}`).to.equal(works ? 'hello\n' : '');
    seen[works ? 'logins' : 'refused'] += 1;
    const [line = ''] = ['ed25519'].map((type) =>
      readFileSync(join(scene.stage.root, `etc/agentless/ssh_host_${type}_key-cert.pub`), 'latin1'),
    );
    const active = formatPublicKey(publicBlob(scene.stage.cluster.testOnlySshKey('host')));
    const signer = formatPublicKey(parseCertificate(line.trim()).authority);
    expect(signer === active, told).to.equal(held.signer === rotating.host.active);
  }

  it('is let in exactly when the tables say so, and finds its way back', async () => {
    const picks = fc.sample(fc.tuple(fc.nat(), fc.boolean()), STEPS);
    let told = 'joined';
    for (const [pick, renews] of picks) {
      const ways = possible({host: rotating.host.phase, openssh: rotating.openssh.phase});
      const change = ways[pick % ways.length];
      if (change === undefined) throw new Error('a rotation has no end');
      await scene.stage.cluster.rotate(change.type, change.phase);
      if (change.phase === 'init') generation += 1;
      rotating = changed(rotating, change, generation);
      told += `, ${change.type} ${change.phase}${renews ? ', renewed' : ''}`;
      if (renews) await renewOrJoin(told);
      await expectLogin(told);
    }
    await renewOrJoin(`${told}, renewed`);
    await expectLogin(told);
    expect(seen.logins).to.be.greaterThan(2);
  });

  it('is finished when it was silent for a whole rotation, and joins again with a token as the same node', async () => {
    while (rotating.host.phase !== 'standby')
      await step(rotating.host.phase === 'rollback' ? 'standby' : 'rollback');
    await renewOrJoin('before the silence');
    const before = seen.finished;
    for (const phase of ['init', 'update_clients', 'update_servers', 'standby'] as const) await step(phase);
    await renewOrJoin('after the silence');
    expect(seen.finished).to.equal(before + 1);
    await expectLogin('after the silence');
  });

  async function step(phase: 'init' | 'update_clients' | 'update_servers' | 'standby' | 'rollback') {
    await scene.stage.cluster.rotate('host', phase);
    if (phase === 'init') generation += 1;
    rotating = changed(rotating, {type: 'host', phase}, generation);
  }
});
