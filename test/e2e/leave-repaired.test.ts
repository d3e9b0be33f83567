// A template has rewritten sshd_config since the join, and our lines were put back into what it wrote: leaving gives back
// what the template has written last, not what was there before the join.

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../src/host/local.js';
import {status} from '../../src/operations/status.js';
import {JoinScene} from '../support/join-scene.js';
import {servedKeys} from '../support/served-keys.js';

const BLOCK = /# BEGIN agentless[\s\S]*# END agentless\n/;

describe('leave after a repair', function () {
  this.timeout(120_000);
  let scene: JoinScene;
  let stock: string;
  let keys: ReadonlySet<string>;

  beforeEach(async () => {
    scene = await JoinScene.set({cluster: {lag: false, limits: false}});
    stock = scene.stage.config;
    keys = await servedKeys(scene.stage.sshd.port);
  });
  afterEach(() => scene.stop());

  const at = (name: string) => join(scene.stage.root, 'etc', name);
  const rewrite = (text: string) => writeFileSync(scene.stage.sshd.config, text, 'latin1');
  const repair = async () => {
    await scene.renew(scene.host(), {repair: true});
    expect((await scene.stage.loginByCertificate('web1')).stdout, 'the repaired host').to.equal('hello\n');
    const {dataDir, sshd} = scene.stage;
    const seen = await status({host: new LocalHost(), warn: () => undefined}, {dataDir, config: sshd.config});
    expect(seen.problems, 'the repaired host').to.deep.equal([]);
  };

  /** Nothing of ours is left, and this is what sshd_config says. */
  async function left(text: string, changes: Parameters<JoinScene['leave']>[1] = {}): Promise<void> {
    const {left} = await scene.leave(scene.host(), changes);
    expect(left).to.deep.equal([]);
    expect(scene.stage.config).to.equal(text);
    expect(existsSync(at('agentless'))).to.equal(false);
    expect(existsSync(scene.stage.dataDir)).to.equal(false);
    if (changes.reload !== false) expect(await servedKeys(scene.stage.sshd.port)).to.deep.equal(keys);
  }

  const saved = () => readdirSync(join(scene.stage.dataDir, 'saved'));

  it('keeps what was written without our lines, also after several repairs', async () => {
    await scene.join(scene.host());
    rewrite(`MaxAuthTries 3\n${stock}`);
    await repair();
    expect(saved(), 'the copy of what the template wrote, and no other').to.have.length(1);
    const last = `MaxAuthTries 4\nBanner none\n${stock}# by a template\n`;
    rewrite(last);
    chmodSync(scene.stage.sshd.config, 0o600);
    await repair();
    expect(saved()).to.have.length(1);
    await left(last);
    expect(statSync(scene.stage.sshd.config).mode & 0o777).to.equal(0o600);
  });

  it('keeps it after a second join as well, and where neither the cluster nor sshd is asked', async () => {
    await scene.join(scene.host());
    const last = `MaxAuthTries 3\n${stock}`;
    rewrite(last);
    expect((await scene.join(scene.host())).changed).to.equal(true);
    await left(last, {local: true, reload: false});
  });

  it('keeps what was written around our lines, of which some were lost', async () => {
    await scene.join(scene.host());
    const [block = ''] = BLOCK.exec(scene.stage.config) ?? [];
    const last = `TrustedUserCAKeys none\nMaxAuthTries 3\n${stock}`;
    rewrite(last + block);
    await repair();
    await left(last);
  });

  it('is to the byte and to the minute where a backup from before the join was put back', async () => {
    await scene.join(scene.host());
    rewrite(stock);
    await repair();
    await left(stock);
    const config = (await scene.differences()).filter((name) => name.startsWith('sshd_config'));
    expect(config).to.deep.equal([]);
  });

  it('keeps a file that has come in the place of a link, and gives the linked one back', async () => {
    renameSync(scene.stage.sshd.config, at('site.conf'));
    symlinkSync('site.conf', scene.stage.sshd.config);
    await scene.join(scene.host());
    rmSync(scene.stage.sshd.config);
    const [block = ''] = BLOCK.exec(readFileSync(at('site.conf'), 'latin1')) ?? [];
    const last = `TrustedUserCAKeys none\nMaxAuthTries 3\n${stock}`;
    rewrite(last + block);
    await repair();
    await left(last);
    expect(lstatSync(scene.stage.sshd.config).isSymbolicLink()).to.equal(false);
    expect(readFileSync(at('site.conf'), 'latin1')).to.equal(stock);
  });

  it('does not go over what is written while it is being repaired', async () => {
    await scene.join(scene.host());
    rewrite(stock);
    const host = scene.host();
    const look = host.look.bind(host);
    const late = `${stock}# written meanwhile\n`;
    // The certificates are read once the configuration has been looked at.
    host.look = async (path) => {
      if (path.endsWith('-cert.pub')) rewrite(late);
      return look(path);
    };
    const error: unknown = await scene.renew(host, {repair: true}).catch((reason: unknown) => reason);
    expect(String(error)).to.include('was changed by somebody else while the plan was being made');
    expect(scene.stage.config).to.equal(late);
    await repair();
    await left(late);
  });

  describe('in a drop-in directory', () => {
    const include = () => `Include ${at('sshd_config.d')}/*.conf\n`;
    beforeEach(async function () {
      mkdirSync(at('sshd_config.d'));
      rewrite(include() + stock);
      await scene.join(scene.host());
      if (!existsSync(at('sshd_config.d/00-agentless.conf'))) this.skip();
    });

    it('keeps what was written without the Include', async () => {
      const last = `MaxAuthTries 3\n${stock}`;
      rewrite(last);
      await repair();
      await left(last);
      expect(readdirSync(at('sshd_config.d'))).to.deep.equal([]);
    });

    it('keeps what was written last, whether our lines went there or not', async () => {
      const others = [
        `MaxAuthTries 3\n${stock}`,
        `${include()}MaxAuthTries 4\n${stock}`,
        `MaxAuthTries 5\n${stock}`,
        `${include()}Banner none\n${stock}`,
      ];
      for (const text of others) {
        rewrite(text);
        await repair();
      }
      await left(others.at(-1) ?? '');
      expect(readdirSync(at('sshd_config.d'))).to.deep.equal([]);
    });

    it('keeps what was written above the lines of ours that were overridden', async () => {
      const last = `TrustedUserCAKeys none\n${include()}${stock}`;
      rewrite(last);
      await repair();
      await left(last);
    });
  });
});
