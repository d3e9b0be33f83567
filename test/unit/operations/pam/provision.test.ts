import {expect} from 'chai';
import {provisionText} from '../../../../src/commands/pam/run-provision.js';
import {Failure} from '../../../../src/errors.js';
import {type Provisioned, type ProvisionWish, provision} from '../../../../src/operations/pam/provision.js';
import {AccountHost} from '../../../support/account-host.js';

const ADDED = 'useradd --create-home --password * --';

describe('provision', () => {
  let host: AccountHost;
  let warnings: string[];
  let abort: AbortController;

  beforeEach(() => {
    host = new AccountHost();
    host.add('root', '/root');
    warnings = [];
    abort = new AbortController();
  });

  const run = (logins: readonly string[], wish: Partial<ProvisionWish> = {}): Promise<Provisioned> =>
    provision(
      {host, report: {warn: (text) => warnings.push(text)}, signal: abort.signal},
      {logins, home: true, dryRun: false, ...wish},
    );

  async function failure(logins: readonly string[], wish: Partial<ProvisionWish> = {}): Promise<Failure> {
    const error = await run(logins, wish).catch((thrown: unknown) => thrown);
    return error instanceof Failure ? error : expect.fail(`no failure: ${JSON.stringify(error)}`);
  }

  it('makes what is missing and leaves the rest, in the order of the words', async () => {
    const {changed, accounts} = await run(['alice', 'root', 'bob']);
    expect(changed).to.equal(true);
    expect(accounts).to.deep.equal([
      {login: 'alice', state: 'created', uid: 1001, home: '/home/alice', shell: '/bin/sh', groups: []},
      {login: 'root', state: 'exists', uid: 1000, home: '/root', shell: '/bin/sh', groups: []},
      {login: 'bob', state: 'created', uid: 1002, home: '/home/bob', shell: '/bin/sh', groups: []},
    ]);
    expect(host.ran).to.deep.equal([`${ADDED} alice`, `${ADDED} bob`]);
    expect((await run(['alice', 'bob'])).changed).to.equal(false);
    expect(host.ran).to.have.length(2);
  });

  it('asks nothing of a host on which there is nothing to make', async () => {
    host.uid = 1000;
    host.maker = '';
    expect((await run(['root'], {groups: ['nosuch']})).changed).to.equal(false);
    expect((await failure(['alice'])).message).to.equal('only root can make accounts');
    host.uid = 0;
    expect((await failure(['alice'])).message).to.match(/^there is neither useradd nor BusyBox's adduser/);
    host.unwritable = '/etc/shadow';
    expect((await failure(['alice'])).message).to.equal('/etc/shadow cannot be written');
    expect(host.ran).to.deep.equal([]);
  });

  it('reads well, also in a dry run', async () => {
    host.maker = 'busybox';
    const dry = await run(['alice', 'root'], {dryRun: true, groups: ['adm'], home: false});
    expect(provisionText(dry, true).split('\n')).to.deep.equal([
      'Nothing has been changed.',
      '',
      "  create     alice  adduser -D -g '' -H -- alice",
      '                    addgroup -- alice adm',
      "                    echo 'alice:*' | chpasswd -e",
      '  exists     root   uid 1000, /root, /bin/sh',
      '',
    ]);
    expect(host.ran).to.deep.equal([]);
    const done = await run(['root', 'alice'], {groups: ['adm']});
    expect(provisionText(done, false)).to.equal(
      '  exists     root   uid 1000, /root, /bin/sh\n  created    alice  uid 1001, /home/alice, /bin/sh, in adm\n',
    );
  });

  it('takes from a template what is of use to others, and says what is not', async () => {
    host.add('ubuntu', '/home/ubuntu', '/sbin/nologin', 7);
    host.groups.push('users:x:7:ubuntu', 'ubuntu:x:8:', 'web:x:9:daemon,ubuntu');
    await run(['alice'], {template: 'ubuntu'});
    expect(host.ran.pop()).to.equal(
      'useradd --create-home --shell /sbin/nologin --gid users --groups web --password * -- alice',
    );
    expect(warnings.splice(0)).to.deep.equal([
      'the shell is /sbin/nologin: nobody gets in with that; --shell gives another',
    ]);
    await run(['bob'], {template: 'root', shell: '/bin/sh', groups: []});
    expect(host.ran.pop()).to.equal('useradd --create-home --shell /bin/sh --password * -- bob');
    expect(warnings).to.deep.equal([
      'the home of root is /root, which tells nothing of where others belong: /home it is',
      'the primary group of root (1000) is not in /etc/group: each account gets one of its own',
    ]);
  });

  it('puts nobody into a group for its name alone', async () => {
    host.groups.push('docker:x:9:', 'wheel:x:10:');
    const {message, hint} = await failure(['alice', 'docker', 'wheel'], {groups: ['adm']});
    expect(message).to.equal('there are groups docker, wheel, but no such account');
    expect(hint).to.contain('--groups adm,docker');
    expect(host.ran).to.deep.equal([]);
    await run(['docker'], {groups: ['adm', 'docker']});
    expect(host.ran).to.deep.equal([
      'useradd --create-home --gid docker --groups adm --password * -- docker',
    ]);
  });

  describe('of an account that fails', () => {
    const half = (words: Partial<{status: number | undefined; stderr: string}>) => () => {
      host.add('bob');
      return {status: 12, stderr: 'useradd: no space left', ...words};
    };

    it('leaves nothing, and says what became of the others', async () => {
      await run(['alice']);
      host.accounts.delete('alice');
      host.homes.clear();
      host.instead.set('useradd', (argv) => (argv.at(-1) === 'bob' ? half({})() : undefined));
      const {code, message, detail, hint, restored, changed} = await failure([
        'alice',
        'bob',
        'carl',
        'dora',
      ]);
      expect(code).to.equal('CHANGE_FAILED');
      expect(message).to.equal(
        'bob was not made: useradd ended with status 12; what there was of it is gone again',
      );
      expect(detail).to.equal('useradd: no space left\ncreated and kept: alice\nnot tried: carl, dora');
      expect(hint).to.contain('run this again');
      expect([restored, changed]).to.deep.equal([true, true]);
      expect([...host.accounts.keys()]).to.deep.equal(['root', 'alice']);
    });

    it('never removes a home that was there before, nor one that is elsewhere', async () => {
      host.homes.add('/home/bob');
      host.instead.set('useradd', half({}));
      expect((await failure(['bob'])).code).to.equal('CHANGE_FAILED');
      expect(host.ran.pop()).to.equal('userdel -- bob');
      expect(warnings).to.have.length(1);
      host.homes.clear();
      host.instead.set('useradd', () => {
        host.add('bob', '/srv/bob');
        return {status: 13};
      });
      expect((await failure(['bob'])).code).to.equal('CHANGE_FAILED');
      expect(host.ran.pop()).to.equal('userdel -- bob');
    });

    it('never removes one that somebody else has made in the meantime', async () => {
      host.instead.set('useradd', half({status: 9, stderr: "useradd: user 'bob' already exists"}));
      const {code, restored, changed} = await failure(['bob']);
      expect([code, restored, changed]).to.deep.equal(['HOST_UNSUITABLE', false, false]);
      expect(host.accounts.has('bob')).to.equal(true);
    });

    it('takes it back where the program was killed, and where a group fails', async () => {
      host.instead.set('useradd', half({status: undefined}));
      const killed = await failure(['bob']);
      expect(killed.message).to.match(
        /^bob was not made: useradd was killed, or took too long; what there was/,
      );
      host.maker = 'busybox';
      host.instead.set('addgroup', () => ({status: 1, stdout: 'addgroup: no\n'}));
      const {code, detail} = await failure(['bob'], {groups: ['adm']});
      expect([code, detail]).to.deep.equal(['CHANGE_FAILED', 'addgroup: no']);
      expect([...host.accounts.keys(), ...host.homes]).to.deep.equal(['root']);
    });

    it('says what to do by hand where it cannot be taken back', async () => {
      host.instead.set('useradd', half({}));
      host.instead.set('userdel', () => ({status: 8, stderr: 'userdel: user bob is currently used'}));
      const {code, exitCode, message, detail, hint} = await failure(['bob']);
      expect([code, exitCode]).to.deep.equal(['RESTORE_INCOMPLETE', 8]);
      expect(message).to.match(/, and the account bob stayed behind$/);
      expect(detail).to.contain('userdel: user bob is currently used');
      expect(hint).to.equal('remove the cause, then do by hand: userdel --remove -- bob');
    });

    it('says so where a home is left of it, or where nobody sees it', async () => {
      host.instead.set('useradd', () => {
        host.homes.add('/home/bob');
        return {status: 1, stderr: 'useradd: failure while writing changes to /etc/passwd'};
      });
      const homely = await failure(['bob']);
      expect(homely.message).to.equal(
        'bob was not made: useradd ended with status 1, and /home/bob stayed behind',
      );
      expect(homely.hint).to.equal('remove the cause, then do by hand: rm -r -- /home/bob');
      host.homes.clear();
      host.instead.set('useradd', () => ({}));
      const unseen = await failure(['bob']);
      expect(unseen.code).to.equal('RESTORE_INCOMPLETE');
      expect(unseen.message).to.equal('bob was made, but the name service does not know it');
      expect(unseen.hint).to.contain('userdel --remove -- bob');
    });
  });

  it('ends between two accounts when it is interrupted, and keeps those made', async () => {
    host.instead.set('useradd', () => {
      abort.abort('SIGINT');
      return undefined;
    });
    const {code, detail, changed} = await failure(['alice', 'bob', 'carl']);
    expect([code, detail, changed]).to.deep.equal([
      'INTERRUPTED',
      'created and kept: alice\nnot tried: bob, carl',
      true,
    ]);
  });
});
