import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';
import {authInfo, FLAVOURS, installed, PamScene, type Phase, type Run} from '../../support/pam-scene.js';
import {skip} from '../../support/skip.js';
import {rawCertificate, teleportExtensions} from './user-certificates.js';

const GOLDEN = fileURLToPath(new URL('../../golden/teleport-18.0.0/balanced-v1', import.meta.url));
const golden = (name: string) => readFileSync(`${GOLDEN}/${name}`, 'utf8');

/** What the only hook saw, without what its own shell adds. */
function seenBy(run: Run): Record<string, string> {
  expect(run.seen, run.log).to.have.length(1);
  const entries = [...(run.seen[0] ?? [])].map(([name, value]) => [name, value.toString()] as const);
  return Object.fromEntries(
    entries.filter(([name]) => !['_', 'SHLVL', 'OLDPWD', 'PWD', 'PATH'].includes(name)),
  );
}

const PAM = {
  PAM_TYPE: 'open_session',
  PAM_SERVICE: 'sshd',
  PAM_USER: 'root',
  PAM_RHOST: '10.0.0.7',
  PAM_TTY: 'ssh',
  SSH_CONNECTION: '10.0.0.7 50000 10.0.0.5 22',
};
const alice = golden('SSH_AUTH_INFO_0-alice.txt');
const traits = (logins: string) =>
  '{"aws_role_arns":null,"azure_identities":null,"db_names":null,"db_roles":null,"db_users":null,' +
  '"gcp_service_accounts":null,"host_user_gid":[""],"host_user_uid":[""],"kubernetes_groups":null,' +
  `"kubernetes_users":null,"logins":${logins},"windows_logins":null}`;
const ALICE = {
  ...PAM,
  SSH_AUTH_INFO_0: alice,
  TELEPORT_USERNAME: 'alice',
  TELEPORT_LOGIN: 'root',
  TELEPORT_ROLES: 'access editor',
  TELEPORT_ROLES_JSON: '["access","editor"]',
  TELEPORT_CLUSTER: 'bal.lab.test',
  TELEPORT_TRAITS: traits('["root","alice"]'),
};

describe('exec script: the variables of hooks', () => {
  let scene: PamScene;
  before(function () {
    if (process.getuid?.() !== 0) skip(this, 'hooks have to be root’s');
    scene = new PamScene();
    scene.recorder();
  });
  after(() => scene?.[Symbol.dispose]());

  for (const flavour of FLAVOURS) {
    it(`come from the certificates of a real cluster, in ${flavour.shell.join(' ')} with ${flavour.tools}`, function () {
      const missing = [flavour.shell[0] ?? '', flavour.tools].find((program) => !installed(program));
      if (missing !== undefined) skip(this, `${missing} is not installed`);
      const first = scene.run({SSH_AUTH_INFO_0: alice}, flavour);
      expect(seenBy(first)).to.deep.equal(ALICE);
      const line = golden('user-cert-bob.pub').trim();
      const second = scene.run({SSH_AUTH_INFO_0: authInfo(line), PAM_USER: 'bob'}, flavour);
      expect(seenBy(second)).to.deep.equal({
        ...ALICE,
        SSH_AUTH_INFO_0: authInfo(line),
        PAM_USER: 'bob',
        TELEPORT_LOGIN: 'bob',
        TELEPORT_USERNAME: 'bob@example.com',
        TELEPORT_ROLES: 'access dev-team',
        TELEPORT_ROLES_JSON: '["access","dev-team"]',
        TELEPORT_TRAITS: traits('["root","bob"]'),
      });
      for (const run of [first, second]) {
        expect([run.status, run.shown, run.log]).to.deep.equal([0, '', '']);
      }
    });
  }

  it('come when the session ends, too', () => {
    scene.recorder('close_session');
    const run = scene.run({SSH_AUTH_INFO_0: alice, PAM_TYPE: 'close_session'});
    expect(seenBy(run)).to.deep.equal({...ALICE, PAM_TYPE: 'close_session'});
  });

  it('are those of the certificate, whatever else is in the environment', () => {
    const injected = {
      TELEPORT_USERNAME: 'mallory',
      TELEPORT_ROLES: 'admin',
      TELEPORT_LOGIN: 'x',
      TELEPORT_TRAITS: '{"a":1}',
      TELEPORT_OTHER: 'x',
      HOME: '/home/mallory',
      ENV: '/home/mallory/.shrc',
      IFS: 'a',
      // Names that the script has for itself.
      hooks: '/home/mallory',
      directory: '/home/mallory',
      newline: 'e',
      group: 'x',
      name: 'x',
      names: 'x',
    };
    for (const {shell, tools} of FLAVOURS.filter(({shell: [name = '']}) => installed(name))) {
      const run = scene.run(
        {...injected, PATH: '/home/mallory/bin', SSH_AUTH_INFO_0: alice, PAM_SERVICE: 'teleport'},
        {
          shell,
          tools: installed(tools) ? tools : '',
        },
      );
      expect(seenBy(run)).to.deep.equal({...ALICE, PAM_SERVICE: 'teleport'});
      expect(run.seen[0]?.get('PATH')?.toString()).to.match(/\/bin\/[\w-]+(:\/usr\/sbin:|$)/);
    }
  });

  it('are of the line with a Teleport certificate, among the lines of several methods', () => {
    const other = rawCertificate({keyId: 'other', extensions: [['permit-pty', '']]});
    const lines = [
      'password',
      'publickey ssh-ed25519 AAAA',
      `publickey ${other}`,
      alice.trim(),
      'keyboard-interactive/pam',
    ];
    const SSH_AUTH_INFO_0 = `${lines.join('\n')}\n`;
    expect(seenBy(scene.run({SSH_AUTH_INFO_0}))).to.deep.equal({...ALICE, SSH_AUTH_INFO_0});
  });

  describe('in the account phase of sshd', () => {
    it('are the login only, for there is no certificate to see yet', () => {
      scene.recorder('account');
      const account = {PAM_TYPE: 'account', SSH_AUTH_INFO_0: ''};
      const expected = {...PAM, ...account, TELEPORT_LOGIN: 'root'};
      expect(seenBy(scene.run({...account}))).to.deep.equal(expected);
      const injected = {TELEPORT_USERNAME: 'mallory', TELEPORT_ROLES: 'admin', PAM_SERVICE: 'teleport'};
      expect(seenBy(scene.run({...account, ...injected}))).to.deep.equal({
        ...expected,
        PAM_SERVICE: 'teleport',
      });
    });
  });

  describe('under Teleport’s own service', () => {
    const own = (phase: Phase) => ({
      PAM_TYPE: phase,
      PAM_SERVICE: 'teleport',
      SSH_CONNECTION: undefined,
    });
    const given = {
      TELEPORT_USERNAME: 'alice',
      TELEPORT_LOGIN: 'root',
      TELEPORT_ROLES: 'access $(id) *',
      SITE: 'its `own`\nvariable',
    };

    for (const phase of ['account', 'open_session', 'close_session'] as const) {
      it(`are taken as they come, ${phase}`, () => {
        scene.recorder(phase);
        const seen = seenBy(scene.run({...own(phase), ...given}));
        expect(seen).to.include({...given, PAM_TYPE: phase});
      });
    }

    it('are not believed in another service, where a user may set variables', () => {
      expect(scene.run({...own('open_session'), ...given, PAM_SERVICE: 'su'}).seen).to.deep.equal([]);
    });
  });

  describe('no hook runs', () => {
    const left = (run: Run) => [run.status, run.shown, run.log, run.seen.length];
    const NOTHING = [0, '', '', 0];

    it('for a password, a plain key, an older sshd, or a certificate of others', () => {
      const others = rawCertificate({
        extensions: [
          ['permit-pty', ''],
          ['x-teleport-roles', '{"roles":["admin"]}'],
        ],
      });
      for (const SSH_AUTH_INFO_0 of ['', 'password\n', 'publickey ssh-ed25519 AAAA\n', authInfo(others)]) {
        expect(left(scene.run({SSH_AUTH_INFO_0}))).to.deep.equal(NOTHING);
      }
      expect(left(scene.run({}))).to.deep.equal(NOTHING);
    });

    it('for a host certificate', () => {
      const host = rawCertificate({type: 2, extensions: teleportExtensions(['admin'])});
      expect(left(scene.run({SSH_AUTH_INFO_0: authInfo(host)}))).to.deep.equal(NOTHING);
    });

    it('in a phase that is not for hooks, and without hooks', () => {
      for (const PAM_TYPE of ['auth', 'setcred', 'password', '../open_session', '']) {
        expect(left(scene.run({SSH_AUTH_INFO_0: alice, PAM_TYPE}))).to.deep.equal(NOTHING);
      }
      using bare = new PamScene();
      expect(left(bare.run({SSH_AUTH_INFO_0: alice}))).to.deep.equal(NOTHING);
    });
  });

  describe('where the cluster’s authorities are known', () => {
    const [, authority = ''] = golden('export/openssh.txt').match(/(ssh-\S+ \S+)/) ?? [];
    const other = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtMeqW03ujcQnk3C1AzcSCWZ/4g1rrXYlrfD/Y4eCoT';

    it('a certificate by one of them counts, and none by an authority that the site trusted before', () => {
      using strict = new PamScene({authorities: '/run/agentless-not-there'});
      strict.recorder();
      const refused = strict.run({SSH_AUTH_INFO_0: alice});
      expect([refused.status, refused.seen.length]).to.deep.equal([0, 0]);
      expect(refused.log).to.match(/^no hook runs: the certificate of root has .* not by the cluster\n$/);

      for (const [text, hooks] of [
        [`# Managed\n${other}\n${authority}\n`, 1],
        [`# Managed\n${other}\n# Trusted here before, from /etc/ssh/ca\n${authority}\n`, 0],
        [`${other}\n`, 0],
      ] as const) {
        using known = new PamScene({authorities: scene.write('authorities.pub', text)});
        known.recorder();
        expect(known.run({SSH_AUTH_INFO_0: alice}).seen, text).to.have.length(hooks);
      }
    });
  });
});
