// Login shells of many kinds: each has one line of ours to read, and the rest is /bin/sh.

import {execFileSync} from 'node:child_process';
import {existsSync} from 'node:fs';
import {expect} from 'chai';
import {RemoteSystem} from '../support/remote-system.js';
import {skip} from '../support/skip.js';
import type {SystemStage} from '../support/system-stage.js';

const SHELLS = ['dash', 'bash', 'mksh', 'zsh', 'tcsh', 'csh', 'fish'];

describe('a host behind ssh whose root has as login shell', function () {
  this.timeout(120_000);
  let system: RemoteSystem;
  let stage: SystemStage;
  let accounts: string;

  before(async function () {
    const started = await RemoteSystem.start();
    if (started === undefined) skip(this, 'no private mount namespace to be had');
    system = started;
    ({stage} = system);
    accounts = stage.read('/etc/passwd');
  });
  after(() => system?.stop());
  afterEach(() => stage?.back());

  function loginShell(path: string): void {
    const changed = accounts.replace(/^(root:.*:)[^:\n]*$/m, `$1${path}`);
    stage.write('/etc/passwd', changed);
    expect(stage.space.run('sh', '-c', 'getent passwd root || grep ^root: /etc/passwd').trim()).to.match(
      new RegExp(`:${path}$`),
    );
  }

  for (const shell of SHELLS) {
    it(shell, async function () {
      const path = pathOf(shell);
      if (path === undefined) skip(this, `no ${shell}`);
      loginShell(path);
      const joined = await system.join(['--prove-login', 'root']);
      expect([joined.exit, joined.changed], JSON.stringify(joined)).to.deep.equal([0, true]);
      expect(joined.warnings.join('\n')).not.to.include('PAM is left alone');
      expect((await stage.login()).stdout).to.equal('hello\n');
      const status = await system.run(['status']);
      expect(status.exit, JSON.stringify(status)).to.equal(0);
      const left = await system.leave();
      expect(left.exit, JSON.stringify(left)).to.equal(0);
      expect(await stage.etc('ssh')).to.deep.equal(await stage.stock('ssh'));
    });
  }

  it('none that runs commands: what it says instead is told', async function () {
    const path = ['/usr/sbin/nologin', '/sbin/nologin'].find(existsSync);
    if (path === undefined) skip(this, 'no nologin');
    loginShell(path);
    const {exit, error} = await system.join();
    expect([exit, error?.code], JSON.stringify(error)).to.deep.equal([6, 'HOST_UNREACHABLE']);
    expect(error?.message).to.equal('web1 gives this login no shell');
    expect(error?.detail).to.match(/account is (currently )?not available/);
    expect(error?.hint).to.match(/`ssh -F \S+ web1 true` works$/);
  });

  it('one that ends before it has read a line', async function () {
    const path = ['/usr/bin/true', '/bin/true'].find(existsSync);
    if (path === undefined) skip(this, 'no true');
    loginShell(path);
    const {exit, error} = await system.join();
    expect([exit, error?.code], JSON.stringify(error)).to.deep.equal([6, 'HOST_UNREACHABLE']);
    expect(error?.message).to.equal('web1 gives this login no shell');
  });
});

function pathOf(program: string): string | undefined {
  try {
    return execFileSync('sh', ['-c', 'command -v "$1"', 'sh', program], {encoding: 'utf8'}).trim();
  } catch {
    return undefined;
  }
}
