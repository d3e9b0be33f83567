import {spawnSync} from 'node:child_process';
import {mkdirSync} from 'node:fs';
import {expect} from 'chai';
import fc from 'fast-check';
import {authInfo, FLAVOURS, installed, PamScene} from '../../support/pam-scene.js';
import {skip} from '../../support/skip.js';
import {rawCertificate, teleportExtensions} from './user-certificates.js';

const flavours = FLAVOURS.filter(({shell: [shell = ''], tools}) => installed(shell) && installed(tools));
const login = (keyId: string, roles: readonly string[], cluster?: string) => ({
  SSH_AUTH_INFO_0: authInfo(rawCertificate({keyId, extensions: teleportExtensions(roles, cluster)})),
});

describe('ready-made hooks', () => {
  let scene: PamScene;
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'hooks have to be root’s');
  });
  beforeEach(() => {
    scene = new PamScene();
  });
  afterEach(() => scene?.[Symbol.dispose]());

  describe('audit', () => {
    it('writes one line with who, where and how', () => {
      scene.ready('audit');
      scene.ready('audit', 'close_session');
      scene.ready('audit', 'account');
      for (const flavour of flavours) {
        for (const PAM_TYPE of ['open_session', 'close_session']) {
          expect(scene.run({...login('alice', ['access', 'editor']), PAM_TYPE}, flavour).log).to.equal(
            `audit: phase="${PAM_TYPE}" login="root" user="alice" cluster="example.com" from="10.0.0.7" roles="access editor"\n`,
          );
        }
        expect(scene.run({PAM_TYPE: 'account', SSH_AUTH_INFO_0: ''}, flavour).log).to.equal(
          'audit: phase="account" login="root" user="" cluster="" from="10.0.0.7" roles=""\n',
        );
      }
    });

    it('lets no name add a field or a line', () => {
      scene.ready('audit');
      const name = fc
        .array(
          fc.constantFrom('"', '\\', ' user="root"', '\n', '\naudit: ', '\u001b', 'é', '$(id)', '%s', 'a'),
          {
            maxLength: 6,
          },
        )
        .map((parts) => parts.join(''));
      fc.assert(
        fc.property(name, name, fc.constantFrom(...flavours), (user, cluster, flavour) => {
          const {log} = scene.run(login(user, ['a'], cluster), flavour);
          const [line = '', ...more] = log.split('\n');
          expect(more).to.deep.equal(['']);
          const match =
            /^audit: phase="open_session" login="root" user="([^"]*)" cluster="([^"]*)" from=/.exec(line);
          expect([match?.[1], match?.[2]].map((value) => unescaped(value ?? '?'))).to.deep.equal([
            user,
            cluster,
          ]);
        }),
        {numRuns: 12},
      );
    });
  });

  describe('motd-by-role', () => {
    it('shows the files of the user’s roles, and no others', () => {
      mkdirSync(scene.at('motd'));
      scene.write('motd/access', 'Welcome \u001b[1mé\n');
      scene.write('motd/-n', 'a role may be called so\n');
      scene.write('motd/other', 'not theirs\n');
      scene.write('secret', 'secret\n');
      scene.ready('motd-by-role');
      for (const flavour of flavours) {
        const roles = ['none', '../secret', '.', '*', '-n', 'access'];
        const {shown, log, status} = scene.run(login('alice', roles), flavour);
        expect([status, log]).to.deep.equal([0, '']);
        expect(Buffer.from(shown, 'latin1').toString()).to.equal(
          'a role may be called so\nWelcome \u001b[1mé\n',
        );
      }
    });

    it('shows them by hand, too', () => {
      mkdirSync(scene.at('motd'));
      scene.write('motd/access', 'Welcome\n');
      const env = {PAM_TYPE: 'open_session', TELEPORT_ROLES: 'access', PATH: '/usr/bin:/bin'};
      const {stdout} = spawnSync('sh', [scene.ready('motd-by-role')], {env, encoding: 'utf8'});
      expect(stdout).to.equal('Welcome\n');
    });
  });
});

/** What \ooo stands for. */
function unescaped(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
