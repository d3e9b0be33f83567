// PAM in real logins: the system's sshd, its own PAM stack, certificates of a cluster, hooks of the site. /etc is a namespace's.

import {spawnSync} from 'node:child_process';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';
import {skip} from '../support/skip.js';
import type {SshResult} from '../support/ssh-client.js';
import {type Answer, SystemStage} from '../support/system-stage.js';

const MARK = 'Managed by agentless';
const TELEPORT_PAM = fileURLToPath(new URL('../support/teleport-pam.py', import.meta.url));
/** What it is, the user's name, the roles, and those of them that can be told in a list with blanks. */
const HOSTILE: readonly (readonly [string, string, readonly string[], string])[] = [
  [
    'shell syntax',
    '$(touch /run/hacked) `touch /run/hacked`; "\'',
    ['$(touch$IFS/run/hacked)', '*', '"\'\\'],
    '$(touch$IFS/run/hacked) * "\'\\',
  ],
  ['line ends and forged variables', 'alice\nTELEPORT_ROLES=root\n\n', ['access\nroot', 'editor'], 'editor'],
  ['letters of the world and escapes', 'Zoë \u001b[31m \\0041', ['röle', '%s\\n', '-n'], 'röle %s\\n -n'],
];

const HELLO = {status: 0, stdout: 'hello\n', stderr: ''};

describe("PAM, by the system's sshd", function () {
  this.timeout(60_000);
  let stage: SystemStage;
  let shape: SystemStage['shape'];
  let first: Answer;

  before(async function () {
    const started = await SystemStage.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    stage = started;
    shape = stage.shape;
    if (stage.effective.one('usepam') !== 'yes')
      skip(this, 'the stock sshd_config of this system does not use PAM');
    first = await stage.joined();
    stage.keep('joined');
  });
  after(() => stage?.stop());

  const run = (script: string) => stage.space.run('sh', '-ec', script);
  const isIn = (result: SshResult) => expect(result).to.deep.equal(HELLO);
  const rules = () => stage.read('/etc/pam.d/sshd').split('\n');

  async function everybodyGetsIn(): Promise<void> {
    isIn(await stage.login());
    isIn(await stage.loginByKey());
  }

  describe('of a host that has joined with the default flags', () => {
    beforeEach(() => stage.back('joined'));

    it('is what sshd asks, and nothing else of /etc/pam.d is touched', async () => {
      const [now, stock] = [await stage.etc('pam.d'), await stage.stock('pam.d')];
      expect(now['teleport']).to.include({kind: 'file', mode: '644', owner: '0:0'});
      const touched = Object.keys(now).filter(
        (name) => JSON.stringify(now[name]) !== JSON.stringify(stock[name]),
      );
      if (shape === 'service') {
        expect(touched).to.deep.equal(['teleport']);
        expect(stage.effective.one('pamservicename')).to.equal('teleport');
      } else {
        expect(touched.sort()).to.deep.equal(['sshd', 'teleport']);
        expect(rules().filter((line) => line.includes(MARK))).to.have.length(2);
        expect(
          rules()
            .filter((line) => !line.includes(MARK))
            .join('\n'),
        ).to.equal(stock['sshd']?.content);
        expect(now['sshd']).to.include({mode: stock['sshd']?.mode, owner: stock['sshd']?.owner});
      }
      const ours = await stage.etc('agentless');
      for (const [path, {owner, mode}] of Object.entries(ours))
        expect([path, owner, mode]).to.deep.equal([path, '0:0', '755']);
      expect(Object.keys(ours)).to.include.members([
        'pam-exec',
        'pam.d/account',
        'pam.d/open_session',
        'pam.d/close_session',
        'hooks/audit',
      ]);
      expect(
        stage.names('/etc/agentless/pam.d/open_session'),
        'no hook unless somebody wants one',
      ).to.deep.equal([]);
      await everybodyGetsIn();
    });

    it('tells hooks of every phase who logs in', async () => {
      stage.recordAll();
      isIn(await stage.login({user: 'alice@example.com', roles: ['access', 'editor']}));
      const [account, open, close] = [
        await stage.seen('account'),
        await stage.seen('open_session'),
        await stage.seen('close_session', 5000),
      ];
      for (const seen of [open, close]) {
        expect(seen).to.include({
          TELEPORT_USERNAME: 'alice@example.com',
          TELEPORT_LOGIN: 'root',
          TELEPORT_ROLES: 'access editor',
          TELEPORT_CLUSTER: 'dev.example',
          PAM_USER: 'root',
        });
        expect(JSON.parse(seen?.['TELEPORT_TRAITS'] ?? '{}').logins).to.deep.equal(['root']);
        expect(JSON.parse(seen?.['TELEPORT_ROLES_JSON'] ?? '[]')).to.deep.equal(['access', 'editor']);
      }
      expect(account, 'sshd shows no certificate before the session').to.include({
        TELEPORT_LOGIN: 'root',
        PAM_TYPE: 'account',
      });
      expect(account).to.not.have.any.keys('TELEPORT_USERNAME', 'TELEPORT_ROLES');
    });

    for (const [what, user, roles, passed] of HOSTILE)
      it(`hands on ${what} as it is`, async () => {
        stage.recordAll();
        isIn(await stage.login({user, roles}));
        const seen = await stage.seen('open_session');
        expect(seen).to.include({TELEPORT_USERNAME: user, TELEPORT_LOGIN: 'root', TELEPORT_ROLES: passed});
        expect(JSON.parse(seen?.['TELEPORT_ROLES_JSON'] ?? '[]')).to.deep.equal(roles);
        expect(stage.exists('/run/hacked')).to.equal(false);
      });

    it('runs no hook of the session for a plain key, and the one of the account without a user', async () => {
      stage.recordAll();
      isIn(await stage.loginByKey());
      const account = await stage.seen('account');
      expect(account).to.include({TELEPORT_LOGIN: 'root'});
      expect(account).to.not.have.any.keys('TELEPORT_USERNAME', 'TELEPORT_ROLES');
      isIn(await stage.login());
      expect(await stage.seen('close_session', 5000), 'that of the certificate').to.include({
        TELEPORT_USERNAME: 'alice',
      });
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
    });

    it('leaves logins by password as they are: no hook but those of the account', async () => {
      run(`grep -q ^carol: /etc/passwd || {
        echo 'carol:x:4250:4250::/:/bin/sh' >>/etc/passwd; echo 'carol:x:4250:' >>/etc/group
        echo 'carol:*:19000:0:99999:7:::' >>/etc/shadow; }
        echo carol:open-sesame | chpasswd`);
      stage.recordAll();
      isIn(await stage.loginByPassword('carol', 'open-sesame'));
      const account = await stage.seen('account');
      expect(account).to.include({TELEPORT_LOGIN: 'carol'}).and.to.not.have.any.keys('TELEPORT_USERNAME');
      expect((await stage.loginByPassword('carol', 'wrong')).status).to.equal(255);
      isIn(await stage.login());
      expect(await stage.seen('close_session', 5000)).to.include({TELEPORT_USERNAME: 'alice'});
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
    });

    it("serves Teleport's own SSH service under the same name, with the variables of that", async function () {
      if (spawnSync('python3', ['-c', 'import ctypes']).status !== 0) skip(this, 'there is no python3');
      stage.recordAll();
      const answers = stage.space.run('python3', TELEPORT_PAM).trim();
      expect(answers, 'PAM lets it in at every call').to.equal('0 0 0 0 0 0 0 0');
      for (const phase of ['account', 'open_session', 'close_session'] as const)
        expect(await stage.seen(phase)).to.include({
          PAM_SERVICE: 'teleport',
          PAM_TYPE: phase,
          TELEPORT_USERNAME: 'alice',
          TELEPORT_LOGIN: 'root',
          TELEPORT_ROLES: 'access editor',
          EMAIL: 'a@example.com',
        });
    });

    it('lets everybody in whatever becomes of a hook, and runs those behind it', async () => {
      for (const phase of ['account', 'open_session', 'close_session'] as const) {
        stage.hook(phase, '10-fails', 'exit 3');
        stage.hook(phase, '11-is-killed', 'kill -9 $$');
        stage.hook(phase, '12-prints', 'echo out; echo err >&2; echo user >&3');
        stage.hook(phase, '13-floods', 'head -c 10000000 /dev/zero; head -c 10000000 /dev/zero >&3');
        stage.hook(phase, '14-reads', 'cat');
        stage.write(`/etc/agentless/pam.d/${phase}/15-nonsense`, '\u0001\u0002', 0o755);
        stage.write(
          `/etc/agentless/pam.d/${phase}/16-not-executable`,
          '#!/bin/sh\ntouch /run/ran-16\n',
          0o644,
        );
        stage.hook(phase, '17-not-roots', 'touch /run/ran-17');
        stage.hook(phase, '18-writable', 'touch /run/ran-18');
        run(
          `cd /etc/agentless/pam.d/${phase}; chown 65534 17-not-roots; chmod 757 18-writable; ln -s /nowhere 19-dangling`,
        );
      }
      stage.recordAll();
      await everybodyGetsIn();
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
      for (const number of [16, 17, 18])
        expect(stage.exists(`/run/ran-${number}`), `${number}`).to.equal(false);
    });

    it('lets everybody in without the script, and without its directory', async () => {
      run('chmod 644 /etc/agentless/pam-exec');
      await everybodyGetsIn();
      run('rm /etc/agentless/pam-exec');
      await everybodyGetsIn();
      run('rm -r /etc/agentless');
      await everybodyGetsIn();
    });

    it('has what a hook says on descriptor 3 shown on a terminal, and to no command', async () => {
      stage.hook('open_session', '10-greets', 'echo "you are $TELEPORT_USERNAME" >&3');
      isIn(await stage.login());
      expect((await stage.login({typed: 'exit\n'})).stdout).to.include('you are alice');
    });

    it('gives an account its groups by role in that very login, by the hook that is there for it', async () => {
      run(`grep -q ^dba1: /etc/passwd || {
        echo 'dba1:x:4242:4242::/:/bin/sh' >>/etc/passwd; echo 'dba1:*:19000:0:99999:7:::' >>/etc/shadow
        echo 'dba1:x:4242:' >>/etc/group; echo 'site-dba:x:4243:' >>/etc/group; }
        echo 'dba  site-dba' >/etc/agentless/groups-from-roles
        ln -s ../../hooks/groups-from-roles /etc/agentless/pam.d/open_session/20-groups-from-roles`);
      const groups = async (roles: string[]) =>
        (await stage.login({login: 'dba1', roles, command: 'id -Gn'})).stdout;
      expect(await groups(['access', 'dba'])).to.equal('dba1 site-dba\n');
      expect(await groups(['access'])).to.equal('dba1\n');
    });

    it('stays as it is at the next join', async () => {
      const before = await stage.etc();
      const {changed, warnings} = await stage.joined();
      expect(changed).to.equal(false);
      expect(warnings.filter((text) => text.includes('pam'))).to.deep.equal([]);
      expect(await stage.etc()).to.deep.equal(before);
    });

    it('with --pam-required is kept out of by a hook that fails, until that is taken back', async () => {
      expect((await stage.joined(['--pam-required'])).changed).to.equal(true);
      await everybodyGetsIn();
      const session = stage.hook('open_session', '10-fails', 'exit 3');
      expect((await stage.login()).stdout).to.not.include('hello');
      isIn(await stage.loginByKey());
      run(`rm ${session}`);
      stage.hook('account', '10-fails', 'exit 3');
      expect((await stage.login()).status).to.equal(255);
      expect(
        (await stage.loginByKey()).status,
        'before the session nobody knows who comes with a certificate',
      ).to.equal(255);
      expect((await stage.joined(['--no-pam-required'])).changed).to.equal(true);
      await everybodyGetsIn();
    });

    it('comes back with the next join when others have taken it out', async () => {
      if (shape === 'add-on') run(`sed -i '/${MARK}/d' /etc/pam.d/sshd`);
      else run("sed -i '/^PAMServiceName/d' /etc/ssh/sshd_config.d/00-agentless.conf");
      await stage.reload();
      stage.recordAll();
      isIn(await stage.login());
      expect(await stage.seen('open_session'), 'not asked any more').to.equal(undefined);
      expect((await stage.joined()).changed).to.equal(true);
      isIn(await stage.login());
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
    });

    /** What `status` and `doctor` say of it; both change nothing. */
    async function missed(): Promise<string[]> {
      const before = await stage.etc();
      const [status, doctor] = [await stage.run(['status']), await stage.run(['doctor'])];
      expect([status.exit, doctor.exit], JSON.stringify(status.result)).to.deep.equal([3, 3]);
      expect(await stage.etc()).to.deep.equal(before);
      const told = (status.result.problems as {code: string; message: string; fix: string}[]).filter(
        ({code, message}) => /^(PAM_|LOGINS_)/.test(code) || message.startsWith('/etc/pam.d'),
      );
      const findings = doctor.result.findings as {check: string; code?: string; fix?: string}[];
      expect(findings.filter(({check}) => check === 'PAM').map(({code, fix}) => [code, fix])).to.deep.equal(
        told.map(({code, fix}) => [code, fix]),
      );
      return told.map(({code, message}) => `${code} ${message}`);
    }

    async function isWell(): Promise<void> {
      const {exit, result} = await stage.run(['status']);
      expect(exit, JSON.stringify(result.problems)).to.equal(0);
      const {findings} = (await stage.run(['doctor'])).result;
      const [pam] = findings.filter(({check}: {check: string}) => check === 'PAM');
      expect(pam).to.deep.include({status: 'ok'});
    }

    it('is missed by status and doctor where others have taken it out, and put back by a repair', async () => {
      await isWell();
      const dropIn = '/etc/ssh/sshd_config.d/00-agentless.conf';
      const gone: readonly [string, string][] =
        shape === 'service'
          ? [
              [
                `sed -i '/^PAMServiceName/d' ${dropIn}`,
                `PAM_LINES_MISSING PAMServiceName teleport in ${dropIn}`,
              ],
            ]
          : [
              [
                `sed -i '/${MARK}/d' /etc/pam.d/sshd`,
                'PAM_LINES_MISSING account substack teleport, session substack teleport in /etc/pam.d/sshd',
              ],
              [
                `sed -i '/^session substack teleport/d' /etc/pam.d/sshd`,
                'PAM_LINES_MISSING session substack teleport in /etc/pam.d/sshd',
              ],
              [
                `sed -i '1i account sufficient pam_permit.so' /etc/pam.d/sshd`,
                'PAM_NOT_REACHED our lines in /etc/pam.d/sshd stand where they no longer work as meant',
              ],
            ];
      for (const [how, what] of gone) {
        await stage.back('joined');
        run(how);
        await stage.reload();
        expect(await missed()).to.deep.equal([what]);
        const {exit, changed} = await stage.run(['renew', '--repair']);
        expect([exit, changed], how).to.deep.equal([0, true]);
        await isWell();
        await everybodyGetsIn();
      }
    });

    it('is missed where its file was changed or is gone, and put back by a repair', async () => {
      const installed = stage.read('/etc/pam.d/teleport');
      stage.write('/etc/pam.d/teleport', `${installed}# of somebody\n`);
      expect(await missed()).to.deep.equal([
        'FILE_CHANGED /etc/pam.d/teleport was changed since: its content',
      ]);
      run('rm /etc/pam.d/teleport');
      const [denied = '', ...others] = (await missed()).reverse();
      // An sshd that asks for a service without a file goes by "other", which may well let logins in.
      if (shape === 'add-on') expect(denied).to.match(/^LOGINS_DENIED .* line \d+, includes "teleport"/);
      expect([denied, ...others].join('\n')).to.include('FILE_MISSING /etc/pam.d/teleport is gone');
      expect((await stage.run(['renew', '--repair'])).changed).to.equal(true);
      expect(stage.read('/etc/pam.d/teleport')).to.equal(installed);
      await isWell();
      await everybodyGetsIn();
    });

    it('is missed where somebody’s line wins over ours, and where sshd uses PAM no more', async () => {
      const main = stage.read('/etc/ssh/sshd_config');
      stage.write('/etc/ssh/sshd_config', `UsePAM no\n${main}`);
      expect(await missed()).to.deep.equal([
        'PAM_UNUSED sshd has UsePAM no, so it reads no service of PAM and runs no hook',
      ]);
      if (shape !== 'service') return;
      stage.write('/etc/ssh/sshd_config', `PAMServiceName sshd\n${main}`);
      expect(await missed()).to.deep.equal([
        'PAM_NOT_REACHED PAMServiceName sshd in /etc/ssh/sshd_config line 1 wins over our PAMServiceName teleport',
      ]);
    });

    it('is left as it is by a renewal, and put right by one that repairs', async () => {
      const installed = stage.read('/etc/agentless/pam-exec');
      stage.write('/etc/agentless/pam-exec', '#!/bin/sh\n');
      expect(await stage.run(['renew'])).to.include({exit: 0, changed: false});
      expect(stage.read('/etc/agentless/pam-exec')).to.equal('#!/bin/sh\n');
      const repaired = await stage.run(['renew', '--repair']);
      expect([repaired.exit, repaired.changed], JSON.stringify(repaired)).to.deep.equal([0, true]);
      expect(stage.read('/etc/agentless/pam-exec')).to.equal(installed);
    });

    it('goes without a trace when the host leaves', async () => {
      await everybodyGetsIn();
      const {warnings} = await stage.left();
      expect(warnings).to.deep.equal([]);
      expect(await stage.etc('pam.d')).to.deep.equal(await stage.stock('pam.d'));
      expect(stage.exists('/etc/agentless')).to.equal(false);
      isIn(await stage.loginByKey());
    });

    it('leaves what others have written into the same file around our lines, and their hooks', async () => {
      const edit = (text: string) => {
        const lines = text.split('\n');
        const limits = lines.findIndex((line) => /^session.*pam_loginuid/.test(line));
        if (limits >= 0) lines[limits] = `# ${lines[limits]}`;
        return `# of the site\n${lines.join('\n')}session optional pam_permit.so # of the site\n`;
      };
      const stock = stage
        .read('/etc/pam.d/sshd')
        .split('\n')
        .filter((line) => !line.includes(MARK))
        .join('\n');
      stage.write('/etc/pam.d/sshd', edit(stage.read('/etc/pam.d/sshd')));
      const hook = stage.hook('open_session', '10-mine', 'true');
      await everybodyGetsIn();
      const {warnings} = await stage.left();
      expect(stage.read('/etc/pam.d/sshd')).to.equal(edit(stock));
      expect(stage.exists('/etc/pam.d/teleport')).to.equal(false);
      expect(stage.exists(hook)).to.equal(true);
      expect(warnings.join('\n')).to.include(
        '/etc/agentless/pam.d/open_session is left because it holds 10-mine',
      );
      isIn(await stage.loginByKey());
    });

    it('takes its links to ready-made hooks with it when it leaves, and no other', async () => {
      const phase = '/etc/agentless/pam.d/open_session';
      run(`cd ${phase}; ln -s ../../hooks/audit 10-audit; ln -s /etc/agentless/hooks/audit ../close_session/10-audit
        ln -s ../../hooks/motd-by-role 20-motd.disabled`);
      const told = await stage.run(['leave', '--dry-run']);
      expect(told.result.preview).to.include(`run        ${phase}/10-audit removed, a link to audit`);
      expect(stage.exists(`${phase}/10-audit`)).to.equal(true);
      const {result, warnings} = await stage.left();
      expect(warnings).to.deep.equal([]);
      expect(result.removed).to.include.members([`${phase}/10-audit`, `${phase}/20-motd.disabled`]);
      expect(stage.exists('/etc/agentless')).to.equal(false);

      await stage.back('joined');
      run(`cd ${phase}; ln -s ../../hooks/audit 10-audit; ln -s ../../hooks/motd-by-role 20-motd
        ln -s /usr/bin/true 30-theirs; ln -s /nowhere 40-theirs; echo '# ours now' >>/etc/agentless/hooks/motd-by-role`);
      const mine = stage.hook('open_session', '50-mine', 'true');
      const left = await stage.left();
      expect(stage.names(phase)).to.deep.equal(['20-motd', '30-theirs', '40-theirs', '50-mine']);
      expect(stage.exists(mine)).to.equal(true);
      const said = left.warnings.join('\n');
      expect(said).to.include('/etc/agentless/hooks/motd-by-role was changed by somebody else');
      expect(said).to.include(`${phase} is left because it holds 20-motd, 30-theirs, 40-theirs, 50-mine`);
    });

    it('keeps its links to ready-made hooks while it stays joined without PAM, for when that comes back', async () => {
      const phase = '/etc/agentless/pam.d/open_session';
      run(`ln -s ../../hooks/audit ${phase}/10-audit`);
      const {warnings} = await stage.joined(['--no-pam']);
      expect(warnings.join('\n')).to.include(`${phase} is left because it holds 10-audit`);
      await stage.joined(['--pam']);
      expect(run(`cd ${phase}; realpath 10-audit`)).to.equal('/etc/agentless/hooks/audit\n');
      await stage.joined(['--no-pam']);
      expect((await stage.left()).warnings).to.deep.equal([]);
      expect(stage.exists('/etc/agentless')).to.equal(false);
    });

    it('keeps those links where leaving fails', async () => {
      const link = '/etc/agentless/pam.d/open_session/10-audit';
      run(`ln -s ../../hooks/audit ${link}`);
      const before = await stage.etc('agentless');
      // The last thing that goes.
      run('mount --bind /etc/agentless/pam.d/account /etc/agentless/pam.d/account');
      try {
        const {exit, error} = await stage.run(['leave']);
        expect([exit, error?.restored], JSON.stringify(error)).to.deep.equal([7, true]);
      } finally {
        run('umount /etc/agentless/pam.d/account');
      }
      expect(Object.keys(await stage.etc('agentless'))).to.deep.equal(Object.keys(before));
      expect(run(`readlink ${link}`)).to.equal('../../hooks/audit\n');
      await everybodyGetsIn();
    });

    it('is taken out by --no-pam, and the host stays joined', async () => {
      expect((await stage.joined(['--no-pam'])).changed).to.equal(true);
      expect(await stage.etc('pam.d')).to.deep.equal(await stage.stock('pam.d'));
      expect(stage.exists('/etc/agentless')).to.equal(false);
      await everybodyGetsIn();
      expect((await stage.joined()).changed, 'and stays out').to.equal(false);
      expect(stage.exists('/etc/pam.d/teleport')).to.equal(false);
      expect((await stage.joined(['--pam'])).changed).to.equal(true);
      stage.recordAll();
      isIn(await stage.login());
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
    });
  });

  describe('of a host that has not joined yet', () => {
    beforeEach(() => stage.back());
    const theirs = () => stage.etc('pam.d');
    const aboutPam = ({warnings}: Answer) => warnings.filter((text) => /pam/i.test(text));

    /** The default leaves PAM alone and joins all the same; --pam is refused, and nothing is changed. */
    async function cannotBeHad(reason: RegExp, hint: RegExp, told = true): Promise<void> {
      const before = await stage.etc();
      const insisted = await stage.join(['--pam']);
      expect(insisted.error, JSON.stringify(insisted)).to.include({code: 'HOST_UNSUITABLE', restored: false});
      expect([insisted.exit, insisted.changed]).to.deep.equal([6, false]);
      expect(insisted.error?.message).to.match(reason);
      expect(insisted.error?.hint).to.match(hint);
      expect(await stage.etc()).to.deep.equal(before);

      const pam = await theirs();
      const answer = await stage.joined();
      expect(aboutPam(answer).join('\n')).to.match(told ? reason : /^$/);
      expect(await theirs()).to.deep.equal(pam);
      expect(stage.exists('/etc/agentless')).to.equal(false);
    }

    it('is told of by a warning at most where the rules of the system are a reason', () => {
      for (const text of aboutPam(first))
        expect(text).to.match(/^\/etc\/pam\.d\/sshd: our (account|session) rules/);
    });

    it('is left alone with --no-pam, and by later joins as well', async () => {
      const before = await theirs();
      await stage.joined(['--no-pam']);
      expect((await stage.joined()).changed).to.equal(false);
      expect(await theirs()).to.deep.equal(before);
      expect(stage.exists('/etc/agentless')).to.equal(false);
      expect(stage.effective.one('pamservicename')).to.not.equal('teleport');
      await everybodyGetsIn();
    });

    it('is shown by --dry-run, and not changed', async () => {
      const before = await stage.etc();
      const {result} = await stage.joined(['--dry-run']);
      expect(result.preview).to.include('/etc/pam.d/teleport').and.to.include('/etc/agentless/pam-exec');
      expect(await stage.etc()).to.deep.equal(before);
    });

    it('comes with the accounts that --provision-logins names, which stay when the host leaves', async () => {
      run('mount -t tmpfs -o mode=755 home /home');
      try {
        const words = ['--provision-logins', 'carl,root'];
        const passwd = () =>
          stage
            .read('/etc/passwd')
            .split('\n')
            .filter((line) => line.startsWith('carl:'));
        await stage.joined([...words, '--dry-run']);
        expect(passwd()).to.deep.equal([]);
        const bad = await stage.join(['--provision-logins', 'a/b']);
        expect([bad.exit, bad.error?.code]).to.deep.equal([2, 'USAGE']);
        expect(
          stage.exists('/etc/pam.d/teleport'),
          'nothing is joined with a name that is no login',
        ).to.equal(false);
        await stage.joined(words);
        expect(passwd()).to.have.length(1);
        isIn(await stage.login({login: 'carl'}));
        expect((await stage.joined(words)).changed).to.equal(false);
        await stage.left();
        expect(passwd()).to.have.length(1);
      } finally {
        run('umount /home');
      }
    });

    it('is installed without a trial with --no-rehearsal, which says what is unproven', async () => {
      const {warnings} = await stage.joined(['--no-rehearsal']);
      expect(warnings.join('\n')).to.match(
        /^nothing was rehearsed: .*, and that PAM lets logins in, is unproven/m,
      );
      await everybodyGetsIn();
    });

    it('shows a file to whoever has a terminal, with --pam-motd', async () => {
      stage.write('/etc/motd of us', 'welcome to us\n');
      await stage.joined(['--pam-motd', '/etc/motd of us']);
      isIn(await stage.login());
      expect((await stage.login({typed: 'exit\n'})).stdout).to.include('welcome to us');
      await stage.joined(['--pam-motd', '']);
      expect((await stage.login({typed: 'exit\n'})).stdout).to.not.include('welcome to us');
    });

    it("has rules for the password prompt of Teleport's own service with --pam-auth, which sshd does not ask", async () => {
      await stage.joined(['--pam-auth']);
      expect(stage.read('/etc/pam.d/teleport')).to.match(/^auth +include +sshd$/m);
      stage.recordAll();
      await everybodyGetsIn();
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
      expect((await stage.joined()).changed).to.equal(false);
    });

    it('cannot be had where another /etc/pam.d/teleport is', async () => {
      stage.write('/etc/pam.d/teleport', 'account required pam_exec.so /etc/pam-exec.d/teleport_acct\n');
      await cannotBeHad(/\/etc\/pam\.d\/teleport is there already, and is not ours/, /move it away/);
      await everybodyGetsIn();
    });

    it('cannot be had where there is no /etc/pam.d/sshd', async () => {
      run('rm /etc/pam.d/sshd');
      await cannotBeHad(/there is no \/etc\/pam\.d\/sshd/, /make a \/etc\/pam\.d\/sshd first/);
    });

    it('joins rules that are all optional, where no answer but theirs lets anybody in', async () => {
      const optional = ['auth', 'account', 'password', 'session'].map(
        (type) => `${type} optional pam_permit.so\n`,
      );
      stage.write('/etc/pam.d/sshd', optional.join(''));
      const before = await theirs();
      await stage.joined(['--pam']);
      stage.recordAll();
      stage.hook('account', '10-fails', 'exit 3');
      stage.hook('open_session', '10-fails', 'exit 3');
      await everybodyGetsIn();
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
      run('rm -r /etc/agentless/pam.d/*/*');
      await stage.left();
      expect(await theirs()).to.deep.equal(before);
    });

    it('edits no generated file that /etc/pam.d/sshd links to', async () => {
      run('mkdir /etc/pam.d/made; mv /etc/pam.d/sshd /etc/pam.d/made; ln -s made/sshd /etc/pam.d/sshd');
      if (shape === 'add-on')
        return cannotBeHad(/is a symbolic link to made\/sshd/, /where that file is made/);
      await stage.joined(['--pam']);
      await everybodyGetsIn();
    });

    it('keeps CR LF where PAM can read it, and is not to be had where it cannot', async () => {
      run("cp /etc/pam.d/sshd /run/theirs; sed -i 's/$/\\r/' /etc/pam.d/sshd");
      const {error} = await stage.join(['--pam']);
      if (shape === 'add-on') expect(error).to.include({code: 'HOST_UNSUITABLE'});
      else expect(error).to.include({code: 'REHEARSAL_FAILED'});
      // Behind a comment nobody minds a carriage return.
      run("sed 's/$/ #\\r/' /run/theirs >/etc/pam.d/sshd");
      const before = await theirs();
      await stage.joined(['--pam']);
      for (const line of rules().filter((one) => one.includes(MARK)))
        expect(line.endsWith('\r')).to.equal(true);
      stage.recordAll();
      await everybodyGetsIn();
      expect(await stage.seen('open_session')).to.include({TELEPORT_USERNAME: 'alice'});
      run('rm -r /etc/agentless/pam.d/*/50-record');
      await stage.left();
      expect(await theirs()).to.deep.equal(before);
    });

    it('cannot be had where sshd does not use it', async () => {
      stage.write('/etc/ssh/sshd_config', `UsePAM no\n${stage.read('/etc/ssh/sshd_config')}`);
      await stage.reload();
      await cannotBeHad(/UsePAM no, so it would read none of its files/, /set UsePAM yes/, false);
      await everybodyGetsIn();
    });

    it('cannot be had without pam_exec.so', async () => {
      const modules = run(
        'dirname "$(ls /lib/*/security/pam_exec.so /lib/security/pam_exec.so /lib64/security/pam_exec.so 2>/dev/null | head -n 1)" || true',
      ).trim();
      run(
        `mkdir -p /run/modules; cp -a ${modules}/. /run/modules; rm /run/modules/pam_exec.so; mount --bind /run/modules ${modules}`,
      );
      try {
        await cannotBeHad(/there is no pam_exec\.so/, /install the modules of PAM/, false);
        await everybodyGetsIn();
      } finally {
        // Sessions that are about to end still have modules of it.
        run(`umount -l ${modules}`);
      }
    });

    it('cannot be had where /etc/pam.d is read-only', async () => {
      run('mount --bind /etc/pam.d /etc/pam.d; mount -o remount,ro,bind /etc/pam.d');
      try {
        await cannotBeHad(/\/etc\/pam\.d cannot be written/, /read-only file system or marked immutable/);
        await everybodyGetsIn();
      } finally {
        run('umount -l /etc/pam.d');
      }
    });

    it('cannot be had where its file is immutable, as is seen before anything is done', async function () {
      const file = shape === 'add-on' ? '/etc/pam.d/sshd' : '/etc/pam.d';
      if (
        spawnSync(stage.space.prefix[0] ?? '', [...stage.space.prefix.slice(1), 'chattr', '+i', file])
          .status !== 0
      )
        skip(this, 'this file system knows no immutable files');
      try {
        await cannotBeHad(new RegExp(`${file} cannot be written`), /lsattr/);
        await everybodyGetsIn();
      } finally {
        run(`chattr -i ${file}`);
      }
    });

    it('stays with all of the host as it is on a read-only /etc', async () => {
      const before = await stage.etc();
      run('mount -o remount,ro,bind /etc');
      try {
        for (const words of [[], ['--pam']]) {
          const {exit, error} = await stage.join(words);
          expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
        }
      } finally {
        run('mount -o remount,rw,bind /etc');
      }
      expect(await stage.etc()).to.deep.equal(before);
    });

    it('is not joined to rules that would refuse the login of the rehearsal', async () => {
      stage.write('/etc/pam.d/sshd', `account requisite pam_deny.so\n${stage.read('/etc/pam.d/sshd')}`);
      const [before, pam] = [await stage.etc(), await theirs()];
      const {exit, error} = await stage.join(['--pam']);
      expect([exit, error?.code]).to.deep.equal([6, 'REHEARSAL_FAILED']);
      expect(error?.message).to.include('a login as root through the PAM service would be refused');
      expect(error?.hint).to.include('--no-pam');
      expect(await stage.etc()).to.deep.equal(before);

      const unasked = await stage.joined();
      expect(aboutPam(unasked).join()).to.match(/^PAM is left alone: a login as root .* would be refused/);
      expect(await theirs()).to.deep.equal(pam);
      expect(stage.exists('/etc/agentless')).to.equal(false);
    });

    it('stays what sshd asks for as long as nobody tells sshd otherwise', async function () {
      if (shape !== 'service') skip(this, 'this sshd cannot be told the name of its service');
      for (const way of ['leave', 'join openssh --no-pam'] as const) {
        await stage.back();
        await stage.joined();
        stage.write(
          '/etc/pam.d/other',
          ['auth', 'account', 'password', 'session'].map((type) => `${type} required pam_deny.so\n`).join(''),
        );
        const {exit, warnings} =
          way === 'leave'
            ? await stage.left(['--no-restart-sshd'])
            : await stage.join(['--no-pam', '--no-restart-sshd']);
        expect(exit, way).to.equal(0);
        expect(warnings.join('\n'), way).to.include(
          '/etc/pam.d/teleport is left because sshd goes on asking for it',
        );
        isIn(await stage.loginByKey());
      }
    });
  });
});
