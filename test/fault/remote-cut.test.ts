// The connection to a remote host is cut at every change of a transaction: the host is before or after by itself, without
// another run, and nothing of the transaction is left.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, readdirSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../src/errors.js';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {RemoteShell} from '../../src/host/remote/remote-shell.js';
import {CrashScene} from '../support/crash-scene.js';
import {CUTS, cuttable} from '../support/cut-host.js';
import {startTarget, useTarget} from '../support/remote-target.js';

/** Every cut, or one of thirteen, turn by turn: each costs two seconds. */
const STEP = process.env['CRASHES'] === 'all' ? 1 : 13;

describe('a transaction whose connection is cut', function () {
  this.timeout(600_000);
  const target = useTarget();

  /** Children of this process that are ssh, killed as a network would: without a word. */
  const killClient = () => killAll(childrenOf(process.pid).filter(({name}) => name === 'ssh'));
  /** The sshd that serves the connection: what a host sees of a dead link. */
  const killServer = () => killAll(sessionsOf(target().sshd.config));

  const scenes = {
    'a first join': () => CrashScene.set(false),
    'a later change': () => CrashScene.set(true),
    'a leave': () => CrashScene.leaving(),
  };
  for (const [name, set] of Object.entries(scenes)) {
    it(`is undone by the host itself: ${name}`, async () => {
      const scene = await set();
      try {
        scene.back('before');
        const whole = cuttable(await RemoteHost.open(target().options), () => undefined);
        await scene.join(whole.host);
        await (whole.host as RemoteHost).close();
        await scene.expectWhole('after', 'not cut');
        const cuts = whole.changes.flatMap((_, index) => CUTS.map((when) => ({at: index + 1, when})));
        const seen = {before: 0, after: 0};
        for (const [turn, {at, when}] of cuts.entries()) {
          if (turn % STEP !== 0) continue;
          scene.back('before');
          const what = `${when} change ${at}, ${whole.changes[at - 1]}`;
          const real = await RemoteHost.open(target().options);
          const cut = turn % 2 === 0 ? killClient : killServer;
          const {host, isCut} = cuttable(real, cut, at, when);
          const ended = await scene.join(host).then(
            () => 'done',
            (error: unknown) => error,
          );
          expect(isCut(), what).to.equal(true);
          await untilNobodyWatches();
          await real.close();
          if (ended !== 'done' && !(ended instanceof Failure)) throw ended;
          if (ended instanceof Failure) {
            expect(ended.code, `${what}: ${ended.message}`).to.be.oneOf([
              'CHANGE_FAILED',
              'HOST_UNREACHABLE',
            ]);
            await scene.expectWhole('before', `${what}: ${ended.message}`);
            seen.before += 1;
          } else {
            // It was committed. What is left to clear up the next run does.
            await scene.join(await local()).catch((error: unknown) => {
              if (!/not joined/.test(String(error))) throw error;
            });
            await scene.expectWhole('after', what);
            seen.after += 1;
          }
        }
        expect(seen.before).to.be.greaterThan(3);
      } finally {
        scene.clear();
      }
    });
  }

  it('leaves alone what another run has begun there meanwhile, and does not take it for its own', async () => {
    const directory = join(target().directory, 'theirs');
    mkdirSync(directory);
    const [journal, lock] = ['journal.jsonl', 'lock'].map((name) => join(directory, name)) as [
      string,
      string,
    ];
    const real = await RemoteHost.open(target().options);
    await real.watch.begin({
      journal,
      lock,
      saved: join(directory, 'saved'),
      made: [directory],
      marker: undefined,
    });
    const theirs = await (await local()).lock(lock);
    writeFileSync(journal, '{"line":"header"}\n');
    killServer();
    await untilNobodyWatches();
    expect(existsSync(journal) && existsSync(lock)).to.equal(true);
    expect(await real.watch.settled(journal)).to.equal('stuck');
    writeFileSync(journal, '{"line":"commit"}\n');
    expect(await real.watch.settled(journal)).to.equal('kept');
    await real.close();
    await theirs.release();
  });

  it('takes what is on no record with it, or after a while: here the connection is still there', async () => {
    const path = join(process.getuid?.() === 0 ? '/run' : '/tmp', `agentless-staged-${process.pid}`);
    const real = await RemoteHost.open(target().options);
    await real.watch.stage(path);
    expect(statSync(path).mode & 0o777).to.equal(0o700);
    await real.write(join(path, 'file'), Buffer.from('x'));
    killServer();
    await until(() => !existsSync(path));
    await real.close();
    const shell = new RemoteShell(target().options);
    expect((await shell.command('stage', path, '1')).status).to.equal(0);
    await until(() => shell.isLost && !existsSync(path));
    await shell.close();
  });

  it('is undone all the same where nobody can see it, and that is said', async () => {
    const scene = await CrashScene.set(false);
    const alone = await startTarget(scene.copyOf('alone'));
    try {
      scene.back('before');
      const real = await RemoteHost.open(alone.options);
      // The network is gone: no session, and nobody who listens.
      const cut = () => {
        killAll(sessionsOf(alone.sshd.config));
        killAll(listenersOf(alone.sshd.config));
      };
      const {host} = cuttable(real, cut, 20, 'after');
      const ended = await scene.join(host).then(
        () => undefined,
        (error: unknown) => error as Failure,
      );
      await real.close();
      expect(ended?.code).to.equal('RESTORE_INCOMPLETE');
      expect(ended?.message).to.equal('the connection was lost and the host cannot be reached');
      expect(ended?.hint).to.include('puts everything back by itself');
      expect(ended?.hint).to.include(
        `look with \`agentless status --host web1 --ssh-config ${alone.sshConfig}\``,
      );
      await untilNobodyWatches();
      await scene.expectWhole('before', 'cut off');
    } finally {
      await alone.stop();
      scene.clear();
    }
  });
});

const local = async () => new (await import('../../src/host/local.js')).LocalHost();

interface Process {
  readonly pid: number;
  readonly name: string;
}

function childrenOf(parent: number): Process[] {
  const lines = execFileSync('ps', ['-o', 'pid=,comm=', '--ppid', String(parent)]).toString();
  return lines.split('\n').flatMap((line) => {
    const [pid, name] = line.trim().split(/\s+/);
    return pid === undefined || name === undefined ? [] : [{pid: Number(pid), name}];
  });
}

/** Processes of connections to this sshd, not the one that listens. */
function sessionsOf(config: string): Process[] {
  return listenersOf(config).flatMap(({pid}) => childrenOf(pid));
}

function listenersOf(config: string): Process[] {
  const lines = execFileSync('ps', ['-e', '-o', 'pid=,args=']).toString().split('\n');
  return lines
    .filter((line) => line.includes(config) && line.includes('[listener]'))
    .map((line) => ({pid: Number(line.trim().split(/\s+/)[0]), name: 'sshd'}));
}

function killAll(processes: readonly Process[]): void {
  for (const {pid} of processes) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
}

/** The keeper of a host has done its work when its directory is gone. */
async function untilNobodyWatches(): Promise<void> {
  const parent = process.getuid?.() === 0 ? '/run' : '/tmp';
  await until(() => !readdirSync(parent).some((name) => name.startsWith('agentless-watch-')));
}

async function until(isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    if (isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`not within twelve seconds: ${isSo}`);
}
