// `pam provision` with the real useradd, on a private /etc and /home.

import {type ChildProcess, execFileSync, spawn, spawnSync} from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {findSshd} from '../../src/demo/private-sshd.js';
import {agentless} from '../support/cli.js';
import {freePort} from '../support/free-port.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {Namespace} from '../support/namespace.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {servedKeys} from '../support/served-keys.js';
import {skip} from '../support/skip.js';
import {ssh} from '../support/ssh-client.js';
import {type Envelope, envelope} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

const SSHD = process.env['SSHD'] ?? findSshd();
const BUSYBOX = process.env['BUSYBOX'] ?? 'busybox';
const APPLETS = ['adduser', 'addgroup', 'deluser', 'chpasswd'];

describe('pam provision', function () {
  this.timeout(60_000);
  let space: Namespace;

  beforeEach(async function () {
    const started = await Namespace.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    space = started;
    if (spawnSync('sh', ['-c', 'command -v useradd']).status !== 0) skip(this, 'there is no useradd');
    space.run('mount', '-t', 'tmpfs', '-o', 'mode=755', 'home', '/home');
  });
  afterEach(() => space?.stop());

  const run = (words: readonly string[], prefix: readonly string[] = []) =>
    agentless(['pam', 'provision', ...words], {prefix: [...space.prefix, ...prefix]});

  type Answer = Envelope & {stderr: string; exit: number | null};

  async function provision(words: readonly string[], prefix: readonly string[] = []): Promise<Answer> {
    const answer = envelope(await run(['--json', ...words], prefix));
    const {stderr: _stderr, exit, ...read} = answer;
    expect(violations(read, schemaNamed('envelope'))).to.deep.equal([]);
    expect(read.status).to.equal(exit);
    if (read.error === undefined)
      expect(violations(read.result, schemaNamed('pam-provision'))).to.deep.equal([]);
    return answer;
  }

  const line = (file: string, name: string) =>
    readFileSync(space.path(`/etc/${file}`), 'latin1')
      .split('\n')
      .find((one) => one.startsWith(`${name}:`));
  const members = (group: string) => line('group', group)?.split(':')[3];
  const accounts = () =>
    ['passwd', 'shadow', 'group', 'gshadow'].map((file) =>
      readFileSync(space.path(`/etc/${file}`), 'latin1'),
    );
  const homes = () => readdirSync(space.path('/home')).sort();
  const states = ({result}: Answer) => result.accounts.map(({state}: {state: string}) => state);

  async function refused(words: readonly string[], exit: number, prefix: readonly string[] = []) {
    const [before, homesBefore] = [accounts(), homes()];
    const answer = await provision(words, prefix);
    expect(answer.exit, JSON.stringify(answer)).to.equal(exit);
    expect(answer.changed).to.equal(false);
    expect(accounts()).to.deep.equal(before);
    expect(homes()).to.deep.equal(homesBefore);
    expect(answer.error?.hint, 'says what to do').to.match(/\S/);
    return answer.error ?? expect.fail();
  }

  it('makes what is missing as the platform does, leaves what exists, and has nothing to do the second time', async () => {
    const [root, daemon] = [line('passwd', 'root'), line('passwd', 'daemon')];
    const first = await provision(['alice,bob', 'root', 'bob', 'daemon']);
    expect(first.exit, JSON.stringify(first)).to.equal(0);
    expect(first.changed).to.equal(true);
    expect(first.warnings).to.deep.equal([]);
    expect(states(first)).to.deep.equal(['created', 'created', 'exists', 'exists']);
    expect([line('passwd', 'root'), line('passwd', 'daemon')]).to.deep.equal([root, daemon]);

    const [alice] = first.result.accounts;
    const shell = space.run('useradd', '-D').match(/^SHELL=(.*)$/m)?.[1];
    expect(line('passwd', 'alice')).to.equal(`alice:x:${alice.uid}:${alice.uid}::/home/alice:${shell}`);
    expect(alice).to.deep.include({home: '/home/alice', shell, groups: []});
    expect(line('shadow', 'alice')).to.match(/^alice:\*:/);
    expect(lstatSync(space.path('/home/alice')).uid).to.equal(alice.uid);
    expect(readdirSync(space.path('/home/alice'))).to.include.members(readdirSync('/etc/skel'));

    const before = accounts();
    const second = await provision(['alice', 'bob', 'root']);
    expect([second.exit, second.changed]).to.deep.equal([0, false]);
    expect(states(second)).to.deep.equal(['exists', 'exists', 'exists']);
    expect(accounts()).to.deep.equal(before);
  });

  it('tells people a line for each account', async () => {
    const {status, stdout, stderr} = await run(['root', 'deploy', '--groups', 'adm', '--shell', '/bin/sh']);
    expect([status, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(
      /^ {2}exists {5}root {4}uid 0, \/root, \S+\n {2}created {4}deploy {2}uid \d+, \/home\/deploy, \/bin\/sh, in adm\n$/,
    );
    expect(members('adm')).to.equal('deploy');
  });

  it('says in a dry run what it would run, changes nothing, and running that gives the very accounts', async () => {
    const words = ['alice', 'root', '--groups', 'adm,sudo', '--shell', '/bin/sh', '--dry-run'];
    const before = await snapshot(space.path('/etc'));
    const {status, stdout} = await run([...words, '--exit-code']);
    expect(status).to.equal(3);
    expect(await snapshot(space.path('/etc'))).to.deep.equal(before);
    expect(homes()).to.deep.equal([]);
    const [head, , create, exists] = stdout.split('\n');
    expect(head).to.equal('Nothing has been changed.');
    expect(exists).to.match(/^ {2}exists {5}root {3}uid 0/);
    const command = /^ {2}create {5}alice {2}(useradd .*)$/.exec(create ?? '')?.[1];
    expect(command, stdout).to.match(/ -- alice$/);

    const told = await provision(words);
    expect([told.exit, told.changed]).to.deep.equal([0, true]);
    expect(states(told)).to.deep.equal(['missing', 'exists']);

    space.run('sh', '-c', command ?? '');
    expect(line('shadow', 'alice')).to.match(/^alice:\*:/);
    expect([members('adm'), members('sudo')]).to.deep.equal(['alice', 'alice']);
    const after = await run([...words, '--exit-code']);
    expect([after.status, after.stdout.split('\n')[0]]).to.deep.equal([0, 'Nothing would change.']);
  });

  describe('refuses before anything is made', () => {
    it('names that are no logins, all of them, with the reason', async () => {
      const long = 'a'.repeat(33);
      const one = await refused(['alice', '..'], 2);
      expect(one.code).to.equal('USAGE');
      expect(one.message).to.equal('no login: ".." has "." in it');
      const many = await refused(['alice', 'a/b', 'José', '1bob', long, 'a:b', '', 'x y'], 2);
      expect(many.message).to.equal('7 names are no logins');
      expect(many.detail?.split('\n')).to.deep.equal([
        '"a/b" has "/" in it',
        '"José" has "J" in it',
        '"1bob" begins with "1"',
        `"${long}" has more than 32 characters`,
        '"a:b" has ":" in it',
        '"" is empty',
        '"x y" has " " in it',
      ]);
      expect((await refused(['--', '-x'], 2)).message).to.equal('no login: "-x" begins with "-"');
      await refused([], 2);
      await refused(['alice', '--exit-code'], 2);
    });

    it('groups, shells and templates that this host does not have', async () => {
      const groups = await refused(['alice', '--groups', 'adm,nosuch,neither'], 6);
      expect(groups.message).to.equal('there are no groups nosuch, neither in /etc/group');
      const shell = await refused(['alice', '--shell', '/bin/nosuch'], 6);
      expect(shell.message).to.equal('the shell /bin/nosuch does not exist on this host');
      expect((await refused(['alice', '--shell', '/etc/passwd'], 6)).message).to.match(/is no program/);
      expect((await refused(['alice', '--shell', 'bash'], 2)).message).to.match(/wants an absolute path/);
      const template = await refused(['alice', '--from-template', 'nobody-here'], 6);
      expect(template.message).to.equal('there is no account nobody-here to take anything from');
      await refused(['alice', '--from-template', '-x'], 2);
    });

    it('a login that is a group already, unless that group is asked for', async () => {
      space.run('groupadd', 'deploy');
      const error = await refused(['alice', 'deploy'], 6);
      expect(error.message).to.equal('there is a group deploy, but no such account');
      expect(error.hint).to.contain('--groups deploy');
      const answer = await provision(['deploy', '--groups', 'deploy']);
      expect(answer.exit, JSON.stringify(answer)).to.equal(0);
      expect(space.run('id', '-gn', 'deploy')).to.equal('deploy\n');
    });

    it('an ordinary user, and a read-only /etc', async function () {
      space.run('mount', '-o', 'remount,ro,bind', '/etc');
      const error = await refused(['alice'], 6);
      expect([error.code, error.message]).to.deep.equal(['HOST_UNSUITABLE', '/etc cannot be written']);
      expect(error.hint).to.contain('read-only');
      expect((await provision(['root'])).exit, 'nothing is to be made').to.equal(0);
      skipUnlessNobodyCanRunIt(this);
      const {message, hint} = await refused(['alice'], 6, NOBODY);
      expect(message).to.equal('only root can make accounts');
      expect(hint).to.contain('sudo');
    });

    it('a host where a lock is held: useradd says so, and nothing was made', async () => {
      writeFileSync(space.path('/etc/passwd.lock'), `${process.pid}\0`);
      const error = await refused(['alice'], 6);
      expect(error.message).to.equal('alice was not made: useradd ended with status 1');
      expect(error.detail).to.contain('cannot lock /etc/passwd');
    });
  });

  it('takes shell, groups and the place of homes from a template, and flags win', async () => {
    mkdirSync(space.path('/home/staff'));
    space.run('groupadd', 'shared');
    space.run(...['useradd', '-m', '-b', '/home/staff', '-s', '/bin/bash', '-G', 'adm,sudo', '--', 'ubuntu']);
    const own = await provision(['alice', '--from-template', 'ubuntu']);
    expect(own.exit, JSON.stringify(own)).to.equal(0);
    expect(own.result.accounts[0]).to.deep.include({
      home: '/home/staff/alice',
      shell: '/bin/bash',
      groups: ['adm', 'sudo'],
    });
    expect(space.run('id', '-Gn', 'alice')).to.equal('alice adm sudo\n');

    const other = await provision(['bob', '--from-template', 'ubuntu', '--shell', '/bin/sh', '--groups', '']);
    expect(other.result.accounts[0]).to.deep.include({shell: '/bin/sh', groups: []});
    expect(space.run('id', '-Gn', 'bob')).to.equal('bob\n');

    space.run('usermod', '-g', 'shared', 'ubuntu');
    await provision(['carl', '--from-template', 'ubuntu']);
    expect(space.run('id', '-Gn', 'carl'), 'a shared primary group too').to.equal('shared adm sudo\n');

    const {warnings} = await provision(['dora', '--from-template', 'daemon', '--no-home']);
    expect(line('passwd', 'dora')).to.match(/:\/home\/dora:\/usr\/sbin\/nologin$/);
    expect(homes()).to.deep.equal(['staff']);
    expect(warnings.join('\n')).to.match(/nobody gets in with that/);
    space.run('usermod', '-d', '/nowhere/ubuntu', 'ubuntu');
    const error = await refused(['erik', '--from-template', 'ubuntu'], 6);
    expect(error.message).to.equal('homes belong in /nowhere, and there is no such directory');
  });

  it('warns of a home that is there already, and of a shell that is not in /etc/shells', async () => {
    mkdirSync(space.path('/home/alice'));
    writeFileSync(space.path('/home/alice/kept'), 'kept');
    const {warnings, exit} = await provision(['alice', '--shell', '/usr/bin/env']);
    expect(exit).to.equal(0);
    expect(warnings).to.have.length(2);
    expect(warnings.join('\n')).to.match(/\/usr\/bin\/env is not in \/etc\/shells/);
    expect(warnings.join('\n')).to.match(/\/home\/alice is there already and stays as it is/);
    expect(readdirSync(space.path('/home/alice'))).to.deep.equal(['kept']);
  });

  describe('when an account cannot be made whole', () => {
    /** That of Debian 11 makes nothing without a home, others an account that goes again. */
    function tellsOfNothingLeft({exit, error}: Answer): void {
      expect(exit, JSON.stringify(error)).to.be.oneOf([6, 7]);
      expect(error?.restored).to.equal(exit === 7);
      expect(error?.code).to.equal(exit === 7 ? 'CHANGE_FAILED' : 'HOST_UNSUITABLE');
      expect(/; what there was of it is gone again$/.test(error?.message ?? '')).to.equal(exit === 7);
    }

    it('takes it away again, keeps those made before, and tells what became of each', async () => {
      // Room for the home of one.
      const files = readdirSync('/etc/skel').length;
      space.run('umount', '/home');
      space.run('mount', '-t', 'tmpfs', '-o', `mode=755,nr_inodes=${files + 2}`, 'home', '/home');
      const answer = await provision(['alice', 'root', 'bob', 'carl']);
      tellsOfNothingLeft(answer);
      expect(answer.error?.message).to.match(/^bob was not made: useradd ended /);
      expect(answer.error?.detail).to.contain('created and kept: alice\nnot tried: carl');
      expect(answer.changed, 'alice is there').to.equal(true);
      expect(homes()).to.deep.equal(['alice']);
      for (const file of ['passwd', 'shadow', 'group', 'gshadow']) {
        expect(line(file, 'alice'), file).to.match(/^alice:/);
        expect(line(file, 'bob'), file).to.equal(undefined);
      }
      space.run('mount', '-o', 'remount,nr_inodes=1000', '/home');
      const again = await provision(['alice', 'root', 'bob', 'carl']);
      expect(states(again)).to.deep.equal(['exists', 'exists', 'created', 'created']);
    });

    it('leaves every file of accounts as it was where homes cannot be made at all', async () => {
      space.run('mount', '-o', 'remount,ro', '/home');
      const before = accounts();
      const answer = await provision(['alice', '--groups', 'adm']);
      tellsOfNothingLeft(answer);
      const {changed, error} = answer;
      expect(changed).to.equal(false);
      expect(error?.detail).to.match(/cannot create directory \/home\/alice/);
      expect(accounts()).to.deep.equal(before);
      expect((await provision(['alice', '--no-home'])).exit, 'as the hint of a site may be').to.equal(0);
    });
  });

  describe('when it is killed', () => {
    const LOGINS = ['alice', 'bob', 'carl', 'dora'];
    const isGone = (pid: number) => !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(statusOf(pid));
    const statusOf = (pid: number) => {
      try {
        return readFileSync(`/proc/${pid}/status`, 'latin1');
      } catch {
        return 'State: Z';
      }
    };
    const childrenOf = (pid: number) =>
      readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);

    /** Kills it, and with `whole` useradd as well, once `moment` has come; waits for what is left of it. */
    async function killed(moment: () => boolean, whole: boolean): Promise<void> {
      let children: readonly number[] = [];
      let pid = 0;
      const ran = agentless(['pam', 'provision', ...LOGINS, '--groups', 'adm'], {
        prefix: space.prefix,
        started: (started) => {
          pid = started;
        },
      });
      while (!moment()) await new Promise((resolve) => setTimeout(resolve, 1));
      children = childrenOf(pid);
      for (const one of [pid, ...(whole ? children : [])]) process.kill(one, 'SIGKILL');
      const {status, stdout} = await ran;
      expect([status, stdout], 'it was killed before it was done').to.deep.equal([null, '']);
      while (!children.every(isGone)) await new Promise((resolve) => setTimeout(resolve, 5));
    }

    const isWhole = (login: string) =>
      ['passwd', 'shadow', 'group', 'gshadow'].every((file) => line(file, login) !== undefined) &&
      members('adm')?.split(',').includes(login) === true &&
      lstatSync(space.path(`/home/${login}`)).uid === Number(line('passwd', login)?.split(':')[2]);

    /** Homes take long enough to be killed in. */
    const fillSkeleton = (files: number) =>
      space.run('sh', '-c', `for n in $(seq ${files}); do echo $n >/etc/skel/$n; done`);

    it('useradd ends what it has begun, and a second run makes the rest', async () => {
      fillSkeleton(500);
      await killed(() => line('passwd', 'bob') !== undefined, false);
      const made = LOGINS.filter((login) => line('passwd', login) !== undefined);
      expect(made).to.include.members(['alice', 'bob']).and.to.not.include('dora');
      expect(
        made.filter((login) => !isWhole(login)),
        'half made',
      ).to.deep.equal([]);

      const again = await provision([...LOGINS, '--groups', 'adm']);
      expect([again.exit, again.warnings]).to.deep.equal([0, []]);
      expect(states(again)).to.deep.equal(
        LOGINS.map((login) => (made.includes(login) ? 'exists' : 'created')),
      );
      expect(LOGINS.filter((login) => !isWhole(login))).to.deep.equal([]);
    });

    it('useradd with it, an account without a home is told of, with the way to have it whole', async function () {
      fillSkeleton(500);
      await killed(() => existsSync(space.path('/home/bob')), true);
      // As it is in the moment before that.
      space.run('rm', '-r', '/home/bob');
      if (line('passwd', 'bob') === undefined) skip(this, 'useradd makes the home first here');
      const again = await provision([...LOGINS, '--groups', 'adm']);
      expect(states(again)).to.deep.equal(['exists', 'exists', 'created', 'created']);
      const [warning = '', ...others] = again.warnings;
      expect(others).to.deep.equal([]);
      expect(warning).to.match(/^bob exists, and its home \/home\/bob does not; if a run was cut off: /);
      space.run('sh', '-c', /sudo (userdel bob)/.exec(warning)?.[1] ?? 'false');
      expect(states(await provision([...LOGINS, '--groups', 'adm']))).to.deep.equal([
        'exists',
        'created',
        'exists',
        'exists',
      ]);
      expect(LOGINS.filter((login) => !isWhole(login))).to.deep.equal([]);
      expect((await provision(LOGINS)).warnings).to.deep.equal([]);
    });

    it('politely, it ends between two accounts and tells what became of each', async () => {
      fillSkeleton(500);
      let stop = (_signal: NodeJS.Signals): void => undefined;
      const ran = agentless(['pam', 'provision', ...LOGINS, '--json'], {
        prefix: space.prefix,
        started: (_pid, kill) => {
          stop = kill;
        },
      });
      while (line('passwd', 'alice') === undefined) await new Promise((resolve) => setTimeout(resolve, 1));
      stop('SIGTERM');
      const {exit, error, changed} = envelope(await ran);
      expect([exit, error?.code, changed], JSON.stringify(error)).to.deep.equal([130, 'INTERRUPTED', true]);
      expect(error?.detail).to.match(/^created and kept: alice(, \w+)*\nnot tried: (\w+, )*dora$/);
      expect((await provision(LOGINS)).exit).to.equal(0);
    });
  });

  describe('to sshd', () => {
    let daemon: ChildProcess | undefined;
    let port: number;

    afterEach(async () => {
      const gone = new Promise((resolve) => daemon?.once('exit', resolve));
      if (daemon?.kill()) await gone;
      daemon = undefined;
    });

    const at = (name: string) => join(space.directory, name);

    async function startSshd(usePam: 'yes' | 'no'): Promise<void> {
      mkdirSync(at('client'));
      port = await freePort();
      for (const name of ['ca', 'key'])
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(`client/${name}`)]);
      execFileSync(
        'ssh-keygen',
        `-q -s ${at('client/ca')} -I alice -n alice,bob ${at('client/key.pub')}`.split(' '),
      );
      const lines = [`Port ${port}`, 'ListenAddress 127.0.0.1', `UsePAM ${usePam}`, 'StrictModes no'];
      writeFileSync(
        space.path('/etc/ssh/sshd_config'),
        [...lines, `TrustedUserCAKeys ${at('client/ca.pub')}`, ''].join('\n'),
      );
      const [program = '', ...words] = [...space.prefix, SSHD, '-D', '-E', at('log')];
      daemon = spawn(program, words, {stdio: 'ignore'});
      for (let attempt = 0; (await servedKeys(port)).size === 0; attempt += 1) {
        if (attempt > 50) expect.fail(readFileSync(at('log'), 'latin1'));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }

    async function login(user: string): Promise<string> {
      const key = readFileSync(space.path('/etc/ssh/ssh_host_ed25519_key.pub'), 'latin1').trim();
      const knownHost = `[127.0.0.1]:${port} ${key.split(' ').slice(0, 2).join(' ')}`;
      const what = {directory: at('client'), port, identity: at('client/key'), knownHost, login: user};
      return (await ssh(what, 'id -un')).stdout;
    }

    const log = () => readFileSync(at('log'), 'latin1');

    for (const usePam of ['yes', 'no'] as const) {
      it(`makes an unknown login one that gets in, UsePAM ${usePam}`, async function () {
        await startSshd(usePam);
        if (/UsePAM/.test(log())) skip(this, 'this sshd is built without PAM');
        expect(await login('alice')).to.equal('');
        expect(log()).to.match(/[Ii]nvalid user alice/);
        expect((await provision(['alice'])).exit).to.equal(0);
        expect(await login('alice'), log()).to.equal('alice\n');
      });
    }

    it('would not be enough by itself: without PAM it takes the password of useradd for a lock', async () => {
      await startSshd('no');
      space.run('useradd', '-m', '--', 'bob');
      expect(line('shadow', 'bob')).to.match(/^bob:!/);
      expect(await login('bob')).to.equal('');
      expect(log()).to.match(/User bob not allowed because account is locked/);
    });
  });

  describe("with BusyBox's adduser, where there is no useradd", () => {
    let program: string;
    let bin: readonly string[];

    before(function () {
      program = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', BUSYBOX], {encoding: 'utf8'}).stdout.trim();
      const lacks = (applet: string) => spawnSync(program, [applet, '--help']).status !== 0;
      if (program === '' || APPLETS.some(lacks))
        skip(this, 'no busybox with adduser here, for Debian leaves it out; BUSYBOX may name one');
    });

    beforeEach(() => {
      const directory = join(space.directory, 'bin');
      mkdirSync(directory);
      for (const applet of APPLETS) symlinkSync(program, join(directory, applet));
      // A system without shadow, and as small as to have no getent.
      for (const name of ['useradd', 'userdel', 'usermod', 'getent'])
        space.run('sh', '-c', 'mount --bind /dev/null "$(command -v "$1")"', 'sh', name);
      space.run('rm', '-f', '/etc/gshadow', '/etc/gshadow-');
      bin = ['env', `PATH=${directory}:${process.env['PATH']}`];
    });

    const trio = () =>
      ['passwd', 'shadow', 'group'].map((file) => readFileSync(space.path(`/etc/${file}`), 'latin1'));

    it('makes the same account: groups, home, no password, no comment', async () => {
      const words = ['alice', 'root', '--groups', 'adm,sudo', '--shell', '/bin/sh'];
      const dry = await run([...words, '--dry-run'], bin);
      expect(dry.stdout.split('\n').slice(2)).to.deep.equal([
        "  create     alice  adduser -D -g '' -s /bin/sh -- alice",
        '                    addgroup -- alice adm',
        '                    addgroup -- alice sudo',
        "                    echo 'alice:*' | chpasswd -e",
        '  exists     root   uid 0, /root, /bin/bash',
        '',
      ]);
      const answer = await provision(words, bin);
      expect(answer.exit, JSON.stringify(answer)).to.equal(0);
      expect(states(answer)).to.deep.equal(['created', 'exists']);
      expect(line('passwd', 'alice')).to.match(/^alice:x:\d+:\d+::\/home\/alice:\/bin\/sh$/);
      expect(line('shadow', 'alice')).to.match(/^alice:\*:/);
      expect([members('adm'), members('sudo')]).to.deep.equal(['alice', 'alice']);
      expect(existsSync(space.path('/home/alice/.profile'))).to.equal(true);
      expect((await provision(words, bin)).changed).to.equal(false);
    });

    it('notices what adduser passes over, a home that cannot be made, and takes the account back', async () => {
      space.run('mount', '-o', 'remount,ro', '/home');
      const before = trio();
      const {exit, error} = await provision(['alice', '--groups', 'adm'], bin);
      expect(exit).to.equal(7);
      expect(error?.message).to.equal(
        'alice was not made: there is no /home/alice; what there was of it is gone again',
      );
      expect(trio()).to.deep.equal(before);
    });

    it('takes the account back where it cannot be put into a group', async () => {
      const addgroup = join(space.directory, 'bin', 'addgroup');
      rmSync(addgroup);
      symlinkSync('/bin/false', addgroup);
      const before = trio();
      const {exit, error} = await provision(['alice', '--groups', 'adm'], bin);
      expect([exit, error?.restored]).to.deep.equal([7, true]);
      expect(error?.message).to.match(/^alice was not made: addgroup ended with status 1/);
      expect(trio()).to.deep.equal(before);
      expect(homes()).to.deep.equal([]);
    });
  });
});
