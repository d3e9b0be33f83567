// A join with an identity instead of a token: one is made as late as possible, used, and deleted whatever happens.

import {existsSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {ALICE} from '../support/identity.js';
import {IdentityStage} from '../support/identity-stage.js';

const REFUSED = {code: Code.PermissionDenied, message: 'no'} as const;

describe('join openssh --identity', function () {
  this.timeout(60_000);
  let scene: IdentityStage;
  let before: Awaited<ReturnType<IdentityStage['stage']['host']>>;

  beforeEach(async () => {
    scene = await IdentityStage.start();
    before = await scene.stage.host();
  });
  afterEach(() => scene.stage.stop());

  const byIdentity = (words: readonly string[] = [], file = scene.file) =>
    scene.join(['--identity', file, ...words]);

  async function expectUntouched(): Promise<void> {
    expect(await scene.stage.host()).to.deep.equal(before);
    expect(existsSync(scene.stage.dataDir)).to.equal(false);
    expect(scene.stage.cluster.nodes()).to.deep.equal([]);
    expect(await scene.tokens()).to.deep.equal([]);
  }

  it('makes a token of five minutes, uses it, and deletes it', async () => {
    const ends: number[] = [];
    scene.hooks.testOnlyCall = (name) => {
      if (name.endsWith('/DeleteToken')) {
        const [token] = JSON.parse(readFileSync(join(scene.stage.cluster.dir, 'tokens.json'), 'utf8'));
        ends.push(token.expires);
      }
      return undefined;
    };
    const {exit, result, stdout} = await byIdentity();
    expect(exit, stdout).to.equal(0);
    expect(result.identity).to.equal('kept');
    expect(scene.shown).to.have.length(1);
    expect(ends[0]).to.be.within(Date.now() + 240_000, Date.now() + 300_000);
    expect(await scene.tokens()).to.deep.equal([]);
    const key = readFileSync(join(scene.stage.dataDir, 'identity/key.pem'), 'latin1');
    expect(key).to.include('PRIVATE KEY').and.to.not.include(scene.shown[0]);
    await scene.logIn('after the join');
    expect((await scene.run('renew')).changed, 'it speaks for itself from now on').to.equal(false);
  });

  it('makes none on a host that is joined already, nor for a dry run', async () => {
    const dry = await byIdentity(['--dry-run']);
    expect({exit: dry.exit, changed: dry.changed}).to.deep.equal({exit: 0, changed: true});
    expect(scene.minted).to.equal(0);
    await expectUntouched();
    expect((await byIdentity()).exit).to.equal(0);
    const again = await byIdentity();
    expect({exit: again.exit, changed: again.changed}).to.deep.equal({exit: 0, changed: false});
    expect(scene.minted).to.equal(1);
  });

  it('makes none for a host that could not serve a certificate: the rehearsal comes first', async () => {
    const {stage} = scene;
    await stage.withConfig(
      (text) => `HostKeyAlgorithms ssh-ed25519\n${text}`,
      async () => {
        const {exit, error} = await byIdentity();
        expect(exit, JSON.stringify(error)).to.equal(6);
      },
    );
    expect(scene.minted).to.equal(0);
    expect(existsSync(stage.dataDir)).to.equal(false);
    expect(stage.cluster.nodes()).to.deep.equal([]);
  });

  it('deletes it when the cluster refuses to admit the host', async () => {
    scene.hooks.testOnlyHttp = ({path}) =>
      path.endsWith('/host/credentials')
        ? {status: 400, body: JSON.stringify({error: {message: 'the token does not allow "Node" role'}})}
        : undefined;
    const {exit, error} = await byIdentity();
    expect(exit, JSON.stringify(error)).to.equal(4);
    expect(scene.minted).to.equal(1);
    await expectUntouched();
  });

  it('has deleted it when the record cannot be written, and undoes everything', async () => {
    scene.hooks.testOnlyCall = (name) => (name.endsWith('/UpsertNode') ? REFUSED : undefined);
    const {exit, error} = await byIdentity();
    expect({exit, restored: error?.restored}, JSON.stringify(error)).to.deep.equal({exit: 7, restored: true});
    expect(scene.minted).to.equal(1);
    await expectUntouched();
  });

  for (const call of ['CreateTokenV2', 'GenerateHostCerts', 'DeleteToken']) {
    it(`deletes it when a signal comes as ${call} is asked`, async () => {
      let send = (_: NodeJS.Signals): void => undefined;
      scene.hooks.testOnlyCall = (name) => {
        if (name.endsWith(`/${call}`)) send('SIGTERM');
        return undefined;
      };
      const {status, stderr} = await agentless([...scene.stage.words, '--identity', scene.file], {
        started: (_, kill) => {
          send = kill;
        },
      });
      expect(status, stderr).to.equal(130);
      expect(stderr)
        .to.match(/^error: interrupted/m)
        .and.to.not.include('could not be deleted');
      expect(scene.minted).to.equal(1);
      await expectUntouched();
    });
  }

  it('says until when a token is valid that cannot be deleted, and has joined all the same', async () => {
    scene.hooks.testOnlyCall = (name) => (name.endsWith('/DeleteToken') ? REFUSED : undefined);
    const {exit, warnings} = await byIdentity();
    expect(exit).to.equal(0);
    expect(warnings.join('\n')).to.match(
      /the token made for this join could not be deleted .* valid until \d{4}-/,
    );
  });

  it('names what is missing: another cluster, an end that is past, a permission, a second factor', async () => {
    await using other = await temporaryCluster({name: 'other.example'});
    const foreign = await scene.identity('bob.id');
    writeFileSync(foreign, await other.identity(ALICE));
    const cases = [
      [foreign, 2, /is for the cluster other\.example, and 127\.0\.0\.1:\d+ is of dev\.example/],
      [await scene.identity('old.id', {ttlSeconds: -60}), 4, /has expired on/],
      [
        await scene.identity('poor.id', {roles: ['access']}),
        4,
        /may not make a token: no role allows token: create/,
      ],
    ] as const;
    for (const [file, code, says] of cases) {
      const {exit, error} = await byIdentity([], file);
      expect(error?.message).to.match(says);
      expect(exit, error?.message).to.equal(code);
      await expectUntouched();
    }
    scene.hooks.testOnlyMfa = true;
    const person = await scene.identity('person.id', {bySelf: true});
    const {exit, error} = await byIdentity([], person);
    expect({exit, says: error?.message}).to.deep.equal({
      exit: 4,
      says: 'the cluster wants a second factor of alice to make a token, and there is no way to show it here',
    });
    scene.hooks.testOnlyMfa = undefined;
    await expectUntouched();
  });

  it('comes from the environment as well, and gives way to a token there', async () => {
    const token = scene.stage.cluster.addToken({roles: ['Node'], value: 'given-in-the-environment'});
    const env = {AGENTLESS_IDENTITY: scene.file, AGENTLESS_TOKEN: token};
    expect((await scene.join([], {env})).exit).to.equal(0);
    expect({minted: scene.minted, shown: scene.shown}).to.deep.equal({minted: 0, shown: [token]});
    expect((await scene.run('leave')).exit).to.equal(0);
    expect((await scene.join([], {env: {AGENTLESS_IDENTITY: scene.file}})).exit).to.equal(0);
    expect(scene.minted).to.equal(1);
  });

  it('heals a joined host whose own credential the cluster accepts no more, under its old id', async () => {
    expect((await byIdentity()).exit).to.equal(0);
    const [node] = scene.stage.cluster.nodes();
    for (const phase of ['init', 'update_clients', 'update_servers', 'standby'] as const)
      await scene.stage.cluster.rotate('host', phase);
    expect((await scene.join()).error?.hint).to.include('join again with a token');
    const {exit, changed, stdout} = await byIdentity([], await scene.identity('new.id'));
    expect({exit, changed}, stdout).to.deep.equal({exit: 0, changed: true});
    expect(scene.stage.cluster.nodes().map(({id}) => id)).to.deep.equal([node?.id]);
    expect(await scene.tokens()).to.deep.equal([]);
    await scene.logIn('after the rotation');
    expect((await scene.run('renew')).changed).to.equal(false);
  });

  it('gives a joined host a new credential in place of one that is lost', async () => {
    expect((await byIdentity()).exit).to.equal(0);
    const [node] = scene.stage.cluster.nodes();
    rmSync(join(scene.stage.dataDir, 'identity/key.pem'));
    const {exit, error} = await scene.join();
    expect({exit, hint: error?.hint})
      .to.deep.include({exit: 6})
      .and.to.have.property('hint')
      .that.matches(/join again with a token/);
    expect((await byIdentity()).exit).to.equal(0);
    expect(scene.stage.cluster.nodes().map(({id}) => id)).to.deep.equal([node?.id]);
    expect((await scene.run('renew')).changed).to.equal(false);
    expect(await scene.tokens()).to.deep.equal([]);
  });

  it('shows the token to nobody on this host: not in an argument or the environment of anything that it starts', async () => {
    const seen: string[] = [];
    scene.hooks.testOnlyCall = () => {
      for (const pid of readdirSync('/proc').filter(
        (name) => /^\d+$/.test(name) && Number(name) !== process.pid,
      ))
        for (const file of ['cmdline', 'environ'])
          try {
            seen.push(readFileSync(`/proc/${pid}/${file}`, 'latin1'));
          } catch {
            // It is gone, or somebody else's.
          }
      return undefined;
    };
    const {status, stdout, stderr} = await agentless([...scene.stage.words, '--identity', scene.file]);
    expect(status, stderr).to.equal(0);
    const [token = ''] = scene.shown;
    expect(token).to.match(/^[0-9a-f]{32}$/);
    expect(
      seen.some((text) => text.includes('join\0openssh')),
      'the program itself was seen',
    ).to.equal(true);
    expect(seen.filter((text) => text.includes(token))).to.deep.equal([]);
    expect(`${stdout}${stderr}${readFileSync(scene.stage.sshd.log, 'latin1')}`).to.not.include(token);
    expect(scene.secrets()).to.deep.equal([join(scene.stage.dataDir, 'identity/key.pem')]);
  });
});
