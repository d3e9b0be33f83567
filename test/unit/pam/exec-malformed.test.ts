import {expect} from 'chai';
import {authInfo, FLAVOURS, type Flavour, installed, PamScene} from '../../support/pam-scene.js';
import {skip} from '../../support/skip.js';
import {rawCertificate, teleportExtensions} from './user-certificates.js';

const flavours = FLAVOURS.filter(({shell: [shell = ''], tools}) => installed(shell) && installed(tools));

describe('exec script: malformed certificates', () => {
  let scene: PamScene;
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'hooks have to be root’s');
    scene = new PamScene();
    scene.recorder();
  });
  after(() => scene?.[Symbol.dispose]());

  /** No hook, nothing shown, no failure, and soon. */
  function expectNothing(SSH_AUTH_INFO_0: string, flavour?: Flavour): void {
    const run = scene.run({SSH_AUTH_INFO_0}, flavour);
    expect([run.status, run.shown, run.seen.length], SSH_AUTH_INFO_0.slice(0, 200)).to.deep.equal([0, '', 0]);
    expect(run.log).to.match(/^(no hook runs: the certificate of root is of a kind that is not known\n)?$/);
    expect(run.milliseconds).to.be.lessThan(2_000);
  }
  const extensions = teleportExtensions(['access']);
  const [name = '', base64 = ''] = rawCertificate({extensions}).split(' ');
  const blob = new Uint8Array(Buffer.from(base64, 'base64'));
  const of = (change: Uint8Array) => authInfo(`${name} ${Buffer.from(change).toString('base64')}`);

  it('are left alone wherever they are cut off, or go on', () => {
    const step = 17;
    for (let end = 0; end < blob.length; end += step) {
      expectNothing(of(blob.slice(0, end)), flavours[(end / step) % flavours.length]);
    }
    expectNothing(of(Uint8Array.of(...blob, 0)));
  });

  it('are left alone when a length in them is not theirs', () => {
    const view = new DataView(blob.buffer);
    let at = 0;
    // Between them: serial and type before the fourth, both ends of the validity before the sixth.
    for (const skipped of [0, 0, 0, 12, 0, 16, 0, 0, 0, 0]) {
      at += skipped;
      const length = view.getUint32(at);
      for (const [index, wrong] of [length + 1, length - 1, 2 ** 31, 2 ** 32 - 1].entries()) {
        const changed = blob.slice();
        new DataView(changed.buffer).setUint32(at, wrong);
        expectNothing(of(changed), flavours[index % flavours.length]);
      }
      at += 4 + length;
    }
    expect(at).to.equal(blob.length);
  });

  it('are left alone when they are not base64, or of a type that nobody knows', () => {
    for (const words of ['', '!', 'A', '====', 'AAAA', '$(id)', '*'])
      expectNothing(authInfo(`${name} ${words}`));
    for (const keyType of ['ssh-dss', 'ssh-ed448', 'ssh-ed25519-cert-v01@openssh.com', '']) {
      expectNothing(authInfo(rawCertificate({keyType, key: ['k'], extensions})));
    }
  });

  it('are left alone when NUL or a second extension of a name could mean two things', () => {
    expectNothing(authInfo(rawCertificate({keyId: 'alice\0root', extensions})));
    expectNothing(authInfo(rawCertificate({extensions: [...extensions, ...extensions.slice(1, 2)]})));
    expectNothing(authInfo(rawCertificate({extensions: [['teleport-traits', '{}\0']]})));
  });
});
