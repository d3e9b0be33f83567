// A host that keeps no credential of its own: with a token, with one that is made for it, or by somebody's signature. Others
// speak for it from then on.

import {readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {withFlags} from '../support/flags.js';
import {ALICE} from '../support/identity.js';
import {IdentityStage} from '../support/identity-stage.js';
import {snapshot} from '../support/tree.js';

const HOST_CALL = 'proto.AuthService/GenerateHostCerts';
const MANUAL_CALL = 'teleport.trust.v1.TrustService/GenerateHostCert';
const PHASES = ['init', 'update_clients', 'update_servers', 'standby'] as const;

describe('a host that keeps no credential', function () {
  this.timeout(90_000);
  let scene: IdentityStage;
  let before: Awaited<ReturnType<IdentityStage['stage']['host']>>;

  beforeEach(async () => {
    scene = await IdentityStage.start();
    before = await scene.stage.host();
  });
  afterEach(() => scene.stage.stop());

  const speaking = () => ['--identity', scene.file];
  const recorded = () => JSON.parse(readFileSync(join(scene.stage.dataDir, 'record.json'), 'utf8')).settings;

  function expectDiscarded(what: string): void {
    expect(scene.secrets(), what).to.deep.equal([]);
    expect(recorded().identity, what).to.equal('discarded');
  }

  const WAYS: Readonly<Record<string, () => ReturnType<IdentityStage['join']>>> = {
    'a token': () => scene.joinByToken(['--discard-identity']),
    'an identity': () => scene.join([...speaking(), '--discard-identity']),
    'a signature': () => scene.join([...speaking(), '--manual']),
  };

  for (const [way, joinNow] of Object.entries(WAYS)) {
    it(`joins by ${way}, leaves no private key anywhere, and is reached all the same`, async () => {
      const {exit, result, stdout} = await joinNow();
      expect(exit, stdout).to.equal(0);
      expect(result.identity).to.equal('discarded');
      expectDiscarded(way);
      await scene.logIn(way);
      expect(scene.stage.cluster.nodes()).to.have.length(1);
      if (way === 'a signature') {
        expect(scene.asked(MANUAL_CALL)).to.equal(2);
        expect({minted: scene.minted, shown: scene.shown, own: scene.asked(HOST_CALL)}).to.deep.equal({
          minted: 0,
          shown: [],
          own: 0,
        });
      }
      const again = await scene.join(speaking());
      expect({exit: again.exit, changed: again.changed}).to.deep.equal({exit: 0, changed: false});
      expect(scene.minted, 'none is made on a joined host').to.be.at.most(way === 'an identity' ? 1 : 0);
    });
  }

  it('is signed for by whoever may; what is missing is named, and nothing has changed', async () => {
    const poor = await scene.identity('poor.id', {roles: ['access']});
    const {exit, error} = await scene.join(['--identity', poor, '--manual']);
    expect(exit).to.equal(4);
    expect(error?.message).to.match(/may not sign a host certificate: no role allows host_cert: create/);
    expect(error?.hint).to.include('{resources: [host_cert], verbs: [create]}');
    expect(await scene.stage.host()).to.deep.equal(before);
  });

  it('says whom it needs to be renewed, joined again, and left', async () => {
    await WAYS['a signature']?.();
    const joined = await scene.stage.host();
    for (const [command, needs] of [
      ['renew', 'needs --identity FILE'],
      ['join openssh', 'needs a token or --identity FILE'],
    ] as const) {
      const {exit, error} = await scene.run(command);
      expect({exit, code: error?.code}).to.deep.equal({exit: 2, code: 'USAGE'});
      expect(error?.message).to.include('this host keeps no credential for dev.example').and.include(needs);
    }
    const dry = await scene.joinByToken(['--dry-run']);
    expect({exit: dry.exit, says: dry.error?.message}).to.deep.equal({
      exit: 2,
      says: 'this host keeps no credential for dev.example: a dry run needs --identity FILE',
    });
    expect(await scene.stage.host()).to.deep.equal(joined);
    const [node] = scene.stage.cluster.nodes();
    const {exit, warnings, result} = await scene.run('leave');
    expect({exit, removed: result.node.removed}).to.deep.equal({exit: 0, removed: false});
    expect(warnings.join('\n'))
      .to.include('the node record stays: this host keeps no credential for dev.example')
      .and.include(`tctl rm node/${node?.id}`)
      .and.include('leave --identity FILE');
    expect(await scene.stage.host()).to.deep.equal(before);
  });

  it('warns of a timer that has nothing to renew with from then on', async () => {
    await scene.joinByToken();
    const path = '/etc/systemd/system/agentless-renew.timer';
    const file = join(scene.stage.dataDir, 'record.json');
    const record = JSON.parse(readFileSync(file, 'utf8'));
    const [change] = record.changes;
    record.changes.push({...change, path, before: {kind: 'absent'}, saved: undefined, via: undefined});
    writeFileSync(file, JSON.stringify(record), {mode: 0o600});
    const kept = await scene.join();
    expect({exit: kept.exit, warned: /timer/.test(kept.warnings.join())}).to.deep.equal({
      exit: 0,
      warned: false,
    });
    const {exit, warnings} = await scene.join([...speaking(), '--discard-identity']);
    expect(exit).to.equal(0);
    expect(warnings.join('\n')).to.include('take it out with `agentless renew --remove-timer`');
    expectDiscarded('with a timer');
  });

  it('leaves, record and all, with --identity', async () => {
    await WAYS['a token']?.();
    const {exit, result, warnings} = await scene.run('leave', speaking());
    expect({exit, removed: result.node.removed, warnings}).to.deep.equal({
      exit: 0,
      removed: true,
      warnings: [],
    });
    expect(scene.stage.cluster.nodes()).to.deep.equal([]);
    expect(await scene.stage.host()).to.deep.equal(before);
  });

  it('stays joined when the identity is of another cluster; a role that is missing is named, and it leaves', async () => {
    await WAYS['a token']?.();
    await using other = await temporaryCluster({name: 'other.example'});
    const foreign = await scene.identity('bob.id');
    writeFileSync(foreign, await other.identity(ALICE));
    const joined = await scene.stage.host();
    const wrong = await scene.run('leave', ['--identity', foreign]);
    expect({exit: wrong.exit, code: wrong.error?.code}).to.deep.equal({exit: 2, code: 'USAGE'});
    expect(await scene.stage.host()).to.deep.equal(joined);
    const poor = await scene.identity('poor.id', {roles: ['access']});
    const {exit, result, warnings} = await scene.run('leave', ['--identity', poor]);
    expect({exit, removed: result.node.removed}).to.deep.equal({exit: 0, removed: false});
    expect(warnings.join('\n'))
      .to.match(/the node record stays: alice may not remove a node/)
      .and.include('{resources: [node], verbs: [delete]}');
  });

  it('is what a host with a dead credential is like, too: leave --identity deletes its record', async () => {
    expect((await scene.joinByToken()).exit).to.equal(0);
    writeFileSync(join(scene.stage.dataDir, 'identity/key.pem'), 'PEM?');
    const {exit, result, warnings} = await scene.run('leave', speaking());
    expect({exit, removed: result.node.removed, warnings}).to.deep.equal({
      exit: 0,
      removed: true,
      warnings: [],
    });
    expect(await scene.stage.host()).to.deep.equal(before);
  });

  it('has well-being and renewals told by status, which misses no credential', async () => {
    await WAYS['a token']?.();
    const words = ['--openssh-config', scene.stage.sshd.config, '--online'];
    const {exit, result} = await scene.run('status', words);
    expect({exit, identity: result.identity, problems: result.problems}).to.deep.equal({
      exit: 0,
      identity: 'discarded',
      problems: [],
    });
    expect(result.unseen.join()).to.include('keeps no credential to ask it with');
    const place = ['--data-dir', scene.stage.dataDir, '--openssh-config', scene.stage.sshd.config];
    const {stdout} = await agentless(['status', ...place]);
    expect(stdout).to.match(/^ {2}renewal +nothing due; renewing needs a token or --identity$/m);
  });

  for (const type of ['host', 'openssh'] as const) {
    it(`is renewed by an operator in every phase of a rotation of the ${type} authority`, async () => {
      await WAYS['a signature']?.();
      for (const phase of PHASES) {
        await scene.stage.cluster.rotate(type, phase);
        const who = ['--identity', await scene.identity(`${phase}.id`)];
        const check = await scene.run('renew', [...who, '--check']);
        const {exit, changed, stdout} = await scene.run('renew', who);
        expect(exit, stdout).to.equal(0);
        expect(changed, `${phase}: what --check says is what is done`).to.equal(check.exit === 3);
        expect((await scene.run('renew', [...who, '--check'])).exit, phase).to.equal(0);
        await scene.logIn(phase);
        expectDiscarded(phase);
      }
      expect(scene.asked(HOST_CALL)).to.equal(0);
    });
  }

  it('is renewed by an identity of this cluster, which is shown its record, and by no other', async () => {
    await WAYS['a signature']?.();
    await using other = await temporaryCluster({name: 'other.example'});
    const foreign = await scene.identity('bob.id');
    writeFileSync(foreign, await other.identity(ALICE));
    const wrong = await scene.run('renew', ['--identity', foreign]);
    expect({exit: wrong.exit, code: wrong.error?.code}).to.deep.equal({exit: 2, code: 'USAGE'});
    expect(wrong.error?.message).to.include('this host is joined to dev.example');
    scene.hooks.testOnlyRoles = {blind: {rules: [], seesNodes: false}};
    const blind = await scene.run('renew', [
      '--identity',
      await scene.identity('blind.id', {roles: ['blind']}),
    ]);
    expect({exit: blind.exit, code: blind.error?.code}).to.deep.equal({exit: 4, code: 'REQUEST_REFUSED'});
    expect(blind.error?.hint).to.include("node_labels: {'*': '*'}");
  });

  it('gives up the credential it has kept so far, and gets one again with a token', async () => {
    expect((await scene.joinByToken()).exit).to.equal(0);
    const [node] = scene.stage.cluster.nodes();
    expect(scene.secrets()).to.have.length(1);
    const reloads = () => readFileSync(scene.stage.sshd.log, 'latin1').match(/Received SIGHUP/g)?.length ?? 0;
    const seen = reloads();
    const without = await scene.join(['--discard-identity']);
    expect({exit: without.exit, changed: without.changed}, without.stdout).to.deep.equal({
      exit: 0,
      changed: true,
    });
    expectDiscarded('given up');
    expect((await scene.join(speaking())).changed, 'as before').to.equal(false);

    const stays = await scene.joinByToken();
    expect({exit: stays.exit, changed: stays.changed}, stays.stdout).to.deep.equal({exit: 0, changed: false});
    expectDiscarded('still');

    const kept = await scene.joinByToken(['--no-discard-identity']);
    expect({exit: kept.exit, changed: kept.changed}, kept.stdout).to.deep.equal({exit: 0, changed: true});
    expect(recorded()).to.not.have.property('identity');
    expect(scene.stage.cluster.nodes().map(({id}) => id)).to.deep.equal([node?.id]);
    expect((await scene.run('renew')).exit, 'it speaks for itself again').to.equal(0);
    expect(reloads(), 'nothing of this is for sshd').to.equal(seen);

    expect((await scene.join([...speaking(), '--manual'])).changed).to.equal(true);
    expectDiscarded('by a signature');
    expect((await scene.join([...speaking(), '--no-discard-identity'])).changed).to.equal(true);
    expect(recorded()).to.not.have.property('identity');
    expect(scene.minted, 'a credential takes a token').to.equal(1);
    expect((await scene.tokens()).filter((value) => scene.shown.at(-1) === value)).to.deep.equal([]);
  });

  it('has its credential back when giving it up fails after all', async () => {
    expect((await scene.joinByToken()).exit).to.equal(0);
    const joined = [await scene.stage.host(), await snapshot(scene.stage.dataDir)];
    scene.hooks.testOnlyCall = (name) =>
      name.endsWith('/UpsertNode') ? {code: Code.PermissionDenied, message: 'no'} : undefined;
    const {exit, error} = await scene.join(['--discard-identity', '--labels', 'env=test']);
    expect({exit, restored: error?.restored}).to.deep.equal({exit: 7, restored: true});
    expect([await scene.stage.host(), await snapshot(scene.stage.dataDir)]).to.deep.equal(joined);
    scene.hooks.testOnlyCall = undefined;
    expect((await scene.run('renew')).exit).to.equal(0);
  });

  it('is dialled where the cluster sees whoever signs for it, unless an address is given', async () => {
    scene.hooks.testOnlyReply = (name, reply) =>
      name.endsWith('/Ping') ? Object.assign(reply, {remoteAddr: '10.0.0.5:1234'}) : reply;
    const words = withFlags([...scene.stage.words, ...speaking(), '--manual'], {address: undefined});
    const {status, stderr} = await agentless(words);
    expect(status, stderr).to.equal(0);
    expect(scene.stage.cluster.nodes()[0]?.address).to.equal(`10.0.0.5:${scene.stage.sshd.port}`);
  });

  it('is told that nobody has looked for another of its name where the roles show no nodes', async () => {
    scene.hooks.testOnlyRoles = {
      signer: {
        seesNodes: false,
        rules: [
          {resources: ['host_cert'], verbs: ['create']},
          {resources: ['node'], verbs: ['create', 'update']},
        ],
      },
    };
    const file = await scene.identity('signer.id', {roles: ['signer']});
    const {exit, warnings, stdout} = await scene.join(['--identity', file, '--manual']);
    expect(exit, stdout).to.equal(0);
    expect(warnings.join()).to.include('the cluster shows alice no nodes');
  });

  it('tells in a dry run that a credential would be made, and makes none', async () => {
    await WAYS['a signature']?.();
    const words = [...speaking(), '--no-discard-identity', '--dry-run'];
    const {exit, changed, result} = await scene.join(words);
    expect({exit, changed}).to.deep.equal({exit: 0, changed: true});
    expect(result.preview).to.match(/^identity +made with a token when you join$/m);
    expect(scene.minted).to.equal(0);
    expectDiscarded('a dry run');
  });
});
