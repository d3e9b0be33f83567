// The ownership record of a joined host is lost. Nothing is left in silence: a join takes over what is there, and after
// that leaving is what it always was.

import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../src/host/local.js';
import {findLeftovers} from '../../src/operations/leftovers.js';
import {status} from '../../src/operations/status.js';
import {failure} from '../support/cluster-client.js';
import {JoinScene} from '../support/join-scene.js';

describe('a host that has lost its record', function () {
  this.timeout(120_000);
  let scene: JoinScene;
  beforeEach(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}});
  });
  afterEach(() => scene.stop());

  const at = (name: string) => join(scene.stage.root, 'etc', name);
  const host = new LocalHost();
  const where = () => ({dataDir: scene.stage.dataDir, config: scene.stage.sshd.config});
  const problems = async () => {
    const seen = await status({host, warn: () => undefined}, where());
    return seen.problems.map(({code, message, detail = ''}) => ({code, message, detail}));
  };
  const lose = (what: 'record' | 'everything') =>
    rmSync(what === 'record' ? join(scene.stage.dataDir, 'record.json') : scene.stage.dataDir, {
      recursive: true,
    });
  /** The directory itself may stay: nobody knows any more who has made it. */
  const differences = async () => (await scene.differences()).filter((path) => path !== 'data/');

  for (const what of ['record', 'everything'] as const) {
    it(`(${what}) is told of, joins again over what is there, and leaves as if nothing had been`, async () => {
      const stock = scene.stage.config;
      await scene.join(scene.host());
      lose(what);
      const left = await findLeftovers(host, where());
      expect(left.join('\n')).to.include('sshd_config (our block)');
      const [problem, ...others] = await problems();
      expect([problem?.code, others]).to.deep.equal(['NOT_JOINED', []]);
      expect(problem?.message).to.match(/no record of a join, but certificates of one lie here/);
      for (const path of left) expect(problem?.detail).to.include(path);

      expect((await scene.join(scene.host())).changed).to.equal(true);
      expect(scene.warnings.join('\n')).to.match(
        /an earlier join has left files and no record; they are taken over/,
      );
      expect(await problems()).to.deep.equal([]);
      expect((await scene.join(scene.host())).changed, 'a second join').to.equal(false);
      expect((await scene.leave(scene.host())).left).to.deep.equal([]);
      expect(scene.stage.config).to.equal(stock);
      expect((await differences()).filter((path) => path !== 'sshd_config')).to.deep.equal([]);
      expect(await findLeftovers(host, where())).to.deep.equal([]);
      expect((await scene.leave(scene.host())).changed).to.equal(false);
    });
  }

  it('leaves what others have written meanwhile, and nothing of ours, also without sshd and cluster', async () => {
    const stock = scene.stage.config;
    await scene.join(scene.host());
    lose('record');
    expect((await failure(scene.leave(scene.host(), {local: true, reload: false}))).code).to.equal(
      'HOST_UNSUITABLE',
    );
    appendFileSync(scene.stage.sshd.config, 'MaxAuthTries 3\n');
    writeFileSync(at('agentless/notes'), 'of others\n');
    // A key that is gone by now.
    const certificate = readFileSync(at('agentless/ssh_host_ecdsa_key-cert.pub'));
    writeFileSync(at('agentless/ssh_host_rsa_key-cert.pub'), certificate);
    await scene.join(scene.host());
    const {left} = await scene.leave(scene.host(), {local: true, reload: false});
    expect(left.map(({path}) => path)).to.deep.equal([at('agentless')]);
    expect(readdirSync(at('agentless'))).to.deep.equal(['notes']);
    expect(scene.stage.config).to.equal(`${stock}MaxAuthTries 3\n`);
    expect(readdirSync(scene.stage.dataDir)).to.deep.equal([]);
  });

  it('in a drop-in directory', async function () {
    mkdirSync(at('sshd_config.d'));
    const text = `Include ${at('sshd_config.d')}/*.conf\n${scene.stage.config}`;
    writeFileSync(scene.stage.sshd.config, text, 'latin1');
    await scene.join(scene.host());
    const dropIn = at('sshd_config.d/00-agentless.conf');
    if (!existsSync(dropIn)) return this.skip();
    lose('everything');
    expect(await findLeftovers(host, where())).to.deep.equal([dropIn]);
    await scene.join(scene.host());
    expect((await scene.leave(scene.host())).left).to.deep.equal([]);
    expect(scene.stage.config).to.equal(text);
    expect([existsSync(dropIn), existsSync(at('agentless'))]).to.deep.equal([false, false]);
  });

  it('is joined as before to the byte when taking over fails, and when it dies on the way', async () => {
    await scene.join(scene.host());
    lose('record');
    const {served: _, ...before} = await scene.look();
    const outcome = await failure(scene.join(scene.host(), {reloadCommand: 'echo no >&2; exit 1'}));
    expect(outcome).to.include({code: 'CHANGE_FAILED', restored: true});
    const {served: _now, ...after} = await scene.look();
    expect(after.etc).to.deep.equal(before.etc);

    // Cut off after each of the last operations: undone or finished by whatever comes next.
    const seen = new Set<string>();
    for (const fromEnd of [30, 12, 3]) {
      const count = scene.host();
      await scene.join(count);
      lose('record');
      const dying = scene.host({at: count.operations.length - fromEnd, die: 'after'});
      await scene.join(dying).catch(() => undefined);
      seen.add(await scene.recover());
    }
    expect([...seen]).to.include('undone');
    await scene.join(scene.host());
    await scene.leave(scene.host());
    expect((await differences()).filter((path) => path !== 'sshd_config')).to.deep.equal([]);
  });
});
