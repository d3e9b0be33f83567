import {spawn} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {startPrivateSshd} from '../../../src/demo/private-sshd.js';
import {Failure} from '../../../src/errors.js';
import type {Daemon} from '../../../src/host/daemon.js';
import {LocalHost} from '../../../src/host/local.js';
import {probe} from '../../../src/host/probe.js';
import {reloadOf, revival} from '../../../src/host/service.js';
import {greeting} from '../../support/refusal.js';

const PROCESS = {
  pid: 812,
  argv: ['/usr/sbin/sshd', '-D', '-f', '/my etc/x'],
  exe: '/usr/sbin/sshd',
  unit: undefined,
  cwd: '/',
  listening: ['0.0.0.0:22'],
};

const BARE: Daemon = {
  state: 'running',
  process: PROCESS,
  socket: undefined,
  program: '/usr/sbin/sshd',
  options: [],
  listening: PROCESS.listening,
};
const UNIT: Daemon = {...BARE, process: {...PROCESS, unit: 'ssh.service'}};
const FIRST: Daemon = {...BARE, process: {...PROCESS, pid: 1}};
const STOPPED: Daemon = {...BARE, state: 'stopped', process: undefined, listening: []};

describe('how sshd is made to take a new configuration', () => {
  it('reloads the unit it runs in, which keeps its pid', () => {
    expect(reloadOf(UNIT, undefined)).to.deep.equal({
      argv: ['systemctl', 'reload', 'ssh.service'],
      settle: ['systemctl', 'reload-or-restart', 'ssh.service'],
      text: 'ssh.service (pid 812 stays)',
    });
  });

  it('restarts the unit under socket activation, where a reload would end it', () => {
    const {argv, settle, text} = reloadOf({...UNIT, socket: 'ssh.socket'}, undefined);
    expect(argv).to.deep.equal(['systemctl', 'restart', 'ssh.service']);
    expect(settle?.[2])
      .to.match(/reset-failed.*try-restart.*start/)
      .and.not.to.match(/reload/);
    expect(settle?.slice(4)).to.deep.equal(['ssh.service', 'ssh.socket']);
    expect(text).to.equal('ssh.service restarted (ssh.socket keeps listening)');
  });

  it('restarts only what a connection has started meanwhile, where the socket waits for the next one', () => {
    const {argv, settle, text} = reloadOf({...STOPPED, state: 'socket', socket: 'ssh.socket'}, undefined);
    expect(argv).to.deep.equal(['systemctl', 'try-restart', 'ssh.service']);
    expect(settle?.slice(4)).to.deep.equal(['ssh.service', 'ssh.socket']);
    expect(text).to.equal('not needed: ssh.socket starts sshd for the next connection');
  });

  it('does nothing where none runs', () => {
    const stopped = reloadOf(STOPPED, undefined);
    expect(stopped).to.include({argv: undefined, settle: undefined, text: 'not needed: sshd is not running'});
  });

  it('sends SIGHUP to a process without a unit, and would start it again as it was', () => {
    const {argv, settle, text} = reloadOf(BARE, undefined);
    expect(argv).to.deep.equal(['kill', '-HUP', '812']);
    expect(settle?.slice(0, 2)).to.deep.equal(['/bin/sh', '-c']);
    expect(settle?.slice(4)).to.deep.equal(['812', ...PROCESS.argv]);
    expect(text).to.equal('pid 812 (SIGHUP)');
  });

  it('refuses where sshd is process 1, for there a failed reload ends everything', () => {
    expect(() => reloadOf(FIRST, undefined))
      .to.throw(Failure, 'sshd is process 1')
      .with.property('code', 'HOST_UNSUITABLE');
  });

  describe('by a command of the user', () => {
    it('runs it by the shell, whatever runs and whether anything does', () => {
      for (const daemon of [BARE, UNIT, FIRST, STOPPED]) {
        const {argv, text} = reloadOf(daemon, 'rc-service sshd reload');
        expect(argv).to.deep.equal(['/bin/sh', '-c', 'rc-service sshd reload']);
        expect(text).to.equal('`rc-service sshd reload`');
      }
    });

    it('settles by it alone where we have no way of our own', () => {
      for (const daemon of [FIRST, STOPPED]) {
        const {argv, settle} = reloadOf(daemon, 'false');
        expect(settle).to.deep.equal(argv);
      }
    });

    it('falls back on the unit or the process when it fails, without quoting it into a script', () => {
      const command = `echo "it's" >&2; false`;
      const unit = reloadOf(UNIT, command).settle ?? [];
      expect(unit[2]).to.contain('systemctl reload-or-restart').and.not.to.contain('echo');
      expect(unit.slice(3)).to.deep.equal([command, 'ssh.service']);
      const bare = reloadOf(BARE, command).settle ?? [];
      expect(bare.slice(3)).to.deep.equal([command, '812', ...PROCESS.argv]);
    });
  });
});

describe('how sshd is brought back', () => {
  it('restarts its unit, even where systemd has had enough of it', () => {
    const argv = revival(UNIT) ?? [];
    expect(argv[2]).to.match(/reset-failed .*exec systemctl restart "\$1"$/);
    expect(argv.slice(4)).to.deep.equal(['ssh.service']);
  });

  it('has no way where it did not run, or is process 1', () => {
    expect(revival(STOPPED)).to.equal(undefined);
    expect(revival(FIRST)).to.equal(undefined);
  });

  describe('a real one without a unit', function () {
    this.slow(4000);
    const host = new LocalHost();
    let root: string;
    let sshd: Awaited<ReturnType<typeof startPrivateSshd>>;
    let daemon: Daemon;
    beforeEach(async () => {
      root = mkdtempSync(join(tmpdir(), 'agentless-service-'));
      const directory = join(root, 'etc');
      sshd = await startPrivateSshd({directory, program: process.env['SSHD'], keyTypes: ['ed25519']});
      daemon = {...BARE, process: await listener()};
    });
    afterEach(async () => {
      await sshd.stop();
      // What has been revived is no child of ours.
      const {pid} = (await found()) ?? {};
      if (pid !== undefined) process.kill(pid, 'SIGKILL');
      rmSync(root, {recursive: true, force: true});
    });

    async function found() {
      return (await probe(host)).listeners.find(({argv}) => argv.includes(sshd.config));
    }
    async function listener() {
      const one = await found();
      if (one === undefined) throw new Error('sshd does not listen');
      return one;
    }
    /** Half a second is what a restart takes; nobody measures it here. */
    async function answersAgain(): Promise<string> {
      for (let attempt = 0; attempt < 100; attempt += 1) {
        const line = await greeting(sshd.port);
        if (line !== '') return line;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return readFileSync(sshd.log, 'latin1');
    }
    const run = async (argv: readonly string[] | undefined) => (await host.run(argv ?? [])).status;

    it('is reloaded while it lives: same pid, new configuration', async () => {
      const before = await listener();
      writeFileSync(sshd.config, `LogLevel DEBUG1\n${readFileSync(sshd.config, 'latin1')}`);
      expect(await run(revival(daemon))).to.equal(0);
      expect(await answersAgain()).to.match(/^SSH-2\.0-/);
      expect((await listener()).pid).to.equal(before.pid);
      expect(readFileSync(sshd.log, 'latin1')).to.match(/Received SIGHUP; restarting[\s\S]*debug1:/);
    });

    it('is started again as it was when it is dead', async () => {
      await sshd.stop();
      expect(await greeting(sshd.port)).to.equal('');
      expect(await run(revival(daemon))).to.equal(0);
      expect(await answersAgain()).to.match(/^SSH-2\.0-/);
      const again = await listener();
      expect(again.pid).to.not.equal(daemon.process?.pid);
      expect(again.argv).to.deep.equal(daemon.process?.argv);
    });

    it('is started again when it dies of the reload, once the file is right', async () => {
      const old = readFileSync(sshd.config);
      writeFileSync(sshd.config, 'Nonsense yes\n');
      const {argv, settle} = reloadOf(daemon, undefined);
      expect(await run(argv)).to.equal(0);
      for (let attempt = 0; attempt < 100 && (await found()) !== undefined; attempt += 1) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      writeFileSync(sshd.config, old);
      expect(await run(settle)).to.equal(0);
      expect(await answersAgain()).to.match(/^SSH-2\.0-/);
    });

    it("is brought back in our own way when the user's command has ended it", async () => {
      const {argv, settle} = reloadOf(daemon, `kill -9 ${daemon.process?.pid}; exit 3`);
      expect((await host.run(argv ?? [])).status).to.equal(3);
      expect(await run(settle)).to.equal(0);
      expect(await answersAgain()).to.match(/^SSH-2\.0-/);
    });

    it("is left to the user's command where that works", async () => {
      const mark = join(root, 'mark');
      const {settle} = reloadOf(daemon, `echo $$ >'${mark}'`);
      expect(await run(settle)).to.equal(0);
      expect(readFileSync(mark, 'latin1')).to.match(/^\d+\n$/);
      expect(readFileSync(sshd.log, 'latin1')).to.not.include('SIGHUP');
    });

    it('does not take the revived daemon along when the one who revived it is interrupted', async () => {
      await sshd.stop();
      const [program = '', ...words] = revival(daemon) ?? [];
      const child = spawn(program, words, {stdio: 'ignore', detached: true});
      await new Promise((resolve) => child.once('exit', resolve));
      expect(await answersAgain()).to.match(/^SSH-2\.0-/);
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
      } catch {
        // Nobody is left in that group, which is what this is about.
      }
      expect(await answersAgain()).to.match(/^SSH-2\.0-/);
    });
  });
});
