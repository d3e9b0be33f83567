import {chmodSync, chownSync, mkdirSync, readdirSync, rmSync, symlinkSync} from 'node:fs';
import {expect} from 'chai';
import {LocalHost} from '../../../../src/host/local.js';
import {type Hook, readHooks} from '../../../../src/operations/pam/hooks.js';
import {authInfo, PamScene} from '../../../support/pam-scene.js';
import {skip} from '../../../support/skip.js';
import {rawCertificate, teleportExtensions} from '../../pam/user-certificates.js';

const CERTIFICATE = authInfo(rawCertificate({extensions: teleportExtensions(['access'])}));

describe('which hooks run', () => {
  let scene: PamScene;

  beforeEach(function () {
    if (process.getuid?.() !== 0) skip(this, 'hooks have to be root’s');
    scene = new PamScene();
  });
  afterEach(() => scene?.[Symbol.dispose]());

  async function hooks(): Promise<readonly Hook[]> {
    const phases = await readHooks(new LocalHost(), {services: '/nonexistent', directory: scene.root});
    return phases.find(({phase}) => phase === 'open_session')?.hooks ?? expect.fail();
  }

  /** What the script itself says and does of the same directory; each hook tells its name. */
  function really(): {readonly ran: readonly string[]; readonly leftOut: readonly string[]} {
    const {log} = scene.run({SSH_AUTH_INFO_0: CERTIFICATE});
    const names = (pattern: RegExp) => [...log.matchAll(pattern)].map(([, name = '']) => name);
    return {ran: names(/^(\S+): runs$/gm), leftOut: names(/^(\S+): left out/gm)};
  }

  async function agree(): Promise<readonly Hook[]> {
    const found = await hooks();
    const named = (verdict: Hook['verdict']) =>
      found.filter((one) => one.verdict === verdict).map(({name}) => name);
    expect({ran: named('runs'), leftOut: named('left out')}).to.deep.equal(really());
    return found;
  }

  const reasons = (found: readonly Hook[]) =>
    Object.fromEntries(found.map(({name, reason}) => [name, reason?.replaceAll(scene.root, '')]));
  const at = (name: string) => scene.at(`pam.d/open_session/${name}`);

  it('is what the script runs, in its order', async () => {
    for (const name of ['b', 'B', 'a1', '10', '9', '_x', 'é']) scene.hook(name, 'echo runs');
    const found = await hooks();
    expect(found.map(({name}) => name)).to.deep.equal(['10', '9', 'B', '_x', 'a1', 'b', 'é']);
    expect(really().ran).to.deep.equal(['10', '9', 'B', '_x', 'a1', 'b', '??']);
    expect(found.every(({verdict, real, file}) => verdict === 'runs' && real === file)).to.equal(true);
  });

  it('leaves out by name what is none', async () => {
    const odd = [
      '.x',
      'x~',
      'x.disabled',
      'x.bak',
      'x.swp',
      'x,v',
      'x.dpkg-old',
      'x.ucf-dist',
      'x.rpmnew',
      'x.pacsave',
    ];
    for (const name of odd) scene.hook(name, 'echo runs');
    scene.hook('x.dpkg', 'echo runs');
    const found = await agree();
    expect(found.filter(({verdict}) => verdict === 'passed over').map(({name}) => name)).to.have.members(odd);
  });

  it('leaves out what is no file, not executable, or not root’s alone, and says why', async () => {
    mkdirSync(at('10-directory'));
    symlinkSync('/nonexistent/x', at('15-dangling'));
    scene.hook('20-plain', 'echo runs');
    chmodSync(at('20-plain'), 0o644);
    scene.hook('30-theirs', 'echo runs');
    chownSync(at('30-theirs'), 65534, 65534);
    scene.hook('40-open', 'echo runs');
    chmodSync(at('40-open'), 0o775);
    scene.hook('50-only-root', 'echo runs');
    chmodSync(at('50-only-root'), 0o100);
    const found = await agree();
    expect(reasons(found)).to.deep.equal({
      '10-directory': '/pam.d/open_session/10-directory is a directory',
      '15-dangling': 'there is no /nonexistent/x',
      '20-plain': 'not executable (mode 0644)',
      '30-theirs': '/pam.d/open_session/30-theirs belongs to uid 65534, not to root',
      '40-open': 'others than root may change /pam.d/open_session/40-open (mode 0775)',
      '50-only-root': undefined,
    });
    expect(found.every(({verdict, fix}) => (verdict === 'left out') === (fix !== undefined))).to.equal(true);
  });

  it('follows a link once, and looks at each directory on the way', async () => {
    mkdirSync(scene.at('hooks/deep'), {recursive: true});
    mkdirSync(scene.at('open'));
    chmodSync(scene.at('open'), 0o777);
    scene.write('hooks/deep/one', '#!/bin/sh\necho runs\n', 0o755);
    scene.write('open/two', '#!/bin/sh\necho runs\n', 0o755);
    symlinkSync('hooks/deep', scene.at('way'));
    symlinkSync('one', scene.at('hooks/deep/link'));
    symlinkSync('../../hooks/deep/one', at('10-relative'));
    symlinkSync(scene.at('hooks/deep/one'), at('20-absolute'));
    symlinkSync('../../way/one', at('30-through-a-link'));
    symlinkSync('../../hooks/deep/link', at('40-twice'));
    symlinkSync('../../open/two', at('50-open'));
    symlinkSync('../../open/../hooks/deep/one', at('60-past-open'));
    const found = await agree();
    expect(found.map(({verdict}) => verdict)).to.deep.equal([
      'runs',
      'runs',
      'left out',
      'left out',
      'left out',
      'left out',
    ]);
    expect(found[0]).to.deep.include({target: '../../hooks/deep/one', real: scene.at('hooks/deep/one')});
    expect(reasons(found)['50-open']).to.equal('others than root may change /open (mode 0777)');
  });

  it('is none where the directory is gone', async () => {
    for (const name of readdirSync(scene.at('pam.d'))) rmSync(scene.at(`pam.d/${name}`), {recursive: true});
    expect(await hooks()).to.deep.equal([]);
  });
});
