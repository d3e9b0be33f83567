// Another login than root, and the system's own sudo: it makes us root without asking, or says itself why not.

import {existsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {RemoteSystem} from '../support/remote-system.js';
import {skip} from '../support/skip.js';
import {envelope} from '../support/stage.js';
import type {Answer, SystemStage} from '../support/system-stage.js';

const SUDO = ['/usr/bin/sudo', '/usr/local/bin/sudo'].find(existsSync);

describe('join openssh --host --sudo', function () {
  this.timeout(120_000);
  let system: RemoteSystem;
  let stage: SystemStage;
  let home: string;

  before(async function () {
    const started = await RemoteSystem.start();
    if (started === undefined) skip(this, 'no private mount namespace to be had');
    system = started;
    ({stage} = system);
    home = join(stage.space.directory, 'home');
    const script = `echo "admin:x:4242:4242::$1:/bin/sh" >>/etc/passwd; echo "admin:x:4242:" >>/etc/group
      echo "admin:*:19000:0:99999:7:::" >>/etc/shadow; mkdir -m 755 "$1"; chown 4242 "$1"; chmod 755 "$2"
      rm -rf /etc/sudoers.d`;
    stage.space.run('sh', '-ec', script, 'sh', home, stage.space.directory);
    system.admit('admin');
    stage.keep('stock');
  });
  after(() => system?.stop());
  afterEach(() => stage?.back());

  function configure(context: Mocha.Context, ...lines: readonly string[]): void {
    if (SUDO === undefined) skip(context, 'no sudo');
    stage.write('/etc/sudoers', `${['root ALL=(ALL:ALL) ALL', ...lines].join('\n')}\n`, 0o440);
    // What sudo could not be sure of it would not take.
    stage.space.run('visudo', '-c');
  }

  const there = (words: readonly string[] = ['--sudo']) => [
    ...system.there.map((word) => (word === 'web1' ? 'admin@web1' : word)),
    ...words,
    '--json',
  ];

  async function joining(words?: readonly string[]): Promise<Answer> {
    return envelope(await agentless([...stage.words, ...there(words)], {input: stage.cluster.token}));
  }

  it('joins and leaves where no password is asked, whatever lecture or noise there is', async function () {
    configure(
      this,
      'Defaults lecture=always',
      'Defaults requiretty',
      'Defaults:admin !requiretty',
      'admin ALL=(ALL) NOPASSWD: ALL',
    );
    stage.write('/etc/profile', 'echo noise\n');
    const joined = await joining();
    expect([joined.exit, joined.changed], JSON.stringify(joined)).to.deep.equal([0, true]);
    expect((await stage.login()).stdout).to.equal('hello\n');
    const status = envelope(await agentless(['status', ...there()]));
    expect(status.exit, JSON.stringify(status)).to.equal(0);
    const left = envelope(await agentless(['leave', ...there()]));
    expect(left.exit, JSON.stringify(left)).to.equal(0);
    expect(await stage.etc('ssh')).to.deep.equal(await stage.stock('ssh'));
  });

  it('has PAM rehearsed by the login that has come', async function () {
    configure(this, 'admin ALL=(ALL) NOPASSWD: ALL');
    const words = there().filter((word) => word !== '--json');
    const {status, stderr} = await agentless([...stage.words, ...words, '--dry-run'], {
      input: stage.cluster.token,
    });
    expect(status, stderr).to.equal(0);
    expect(stderr).to.match(/^ {2}rehearse .*admin/m);
  });

  async function expectDenied(says: RegExp, hint: string): Promise<void> {
    const before = await stage.etc();
    const {exit, error} = await joining();
    expect([exit, error?.code], JSON.stringify(error)).to.deep.equal([6, 'HOST_UNREACHABLE']);
    expect(error?.message).to.equal('sudo on web1 does not make us root');
    expect(error?.detail).to.match(says);
    expect(error?.hint).to.include(hint);
    expect(await stage.etc()).to.deep.equal(before);
  }

  it('says that a password would be asked', async function () {
    configure(this, 'admin ALL=(ALL) ALL', 'Defaults lecture=always');
    await expectDenied(/^sudo: a password is required$/m, 'NOPASSWD');
  });

  it('says so of a login that is not in sudoers at all', async function () {
    configure(this);
    await expectDenied(/^sudo: a password is required$|not in the sudoers file/m, 'log in as root');
  });

  it("passes on sudo's words where it knows the login and does not ask", async function () {
    configure(this, 'Defaults:admin !authenticate');
    await expectDenied(/admin is not in the sudoers file/, 'allow this login to run /bin/sh by sudo');
  });

  it("passes on sudo's words where only other commands are allowed", async function () {
    configure(this, 'Defaults:admin !authenticate', 'admin ALL=(ALL) /usr/bin/id');
    await expectDenied(
      /a password is required|admin is not allowed to execute/,
      'by sudo, or log in as root',
    );
  });

  it('passes on that sudo wants a terminal', async function () {
    configure(this, 'Defaults requiretty', 'admin ALL=(ALL) NOPASSWD: ALL');
    await expectDenied(/you must have a tty/, 'log in as root');
  });

  it('says that there is no sudo', async () => {
    const others = SUDO === undefined ? [] : [SUDO];
    for (const path of others) {
      writeFileSync(join(stage.space.directory, 'empty'), '');
      stage.space.run('mount', '--bind', join(stage.space.directory, 'empty'), path);
    }
    try {
      await expectDenied(/sudo: .*(not found|Permission denied)/, 'log in as root');
    } finally {
      for (const path of others) stage.space.run('umount', path);
    }
  });

  it('without it says that root is needed', async () => {
    const {exit, error} = await joining([]);
    expect([exit, error?.code], JSON.stringify(error)).to.deep.equal([6, 'HOST_UNSUITABLE']);
    expect(error?.hint).to.include('--sudo');
  });
});
