// What only the local host has to care about: locks of dead processes, a poor cp, our own environment, who we are.

import {execFileSync, spawn} from 'node:child_process';
import {once} from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {skip} from '../support/skip.js';
import {temporaryTree} from '../support/tree.js';

const start = (pid: number): string =>
  readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()?.split(' ')[19] ?? '';
const boot = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

describe('local host', () => {
  const host = new LocalHost();
  let root: string;
  let lockFile: string;

  beforeEach(() => {
    root = temporaryTree();
    lockFile = join(root, 'lock');
  });

  afterEach(() => rmSync(root, {recursive: true, force: true}));

  describe('lock', () => {
    const held = async (): Promise<Failure> => {
      const error: unknown = await host.lock(lockFile).then(
        () => new Error('it was free'),
        (reason: unknown) => reason,
      );
      expect(error).to.be.an.instanceOf(Failure);
      return error as Failure;
    };

    it('is the holder’s as long as the holder lives, and names it', async () => {
      const child = spawn('sleep', ['60']);
      const pid = child.pid ?? 0;
      writeFileSync(lockFile, JSON.stringify({pid, start: start(pid), boot: boot()}));
      const failure = await held();
      expect(failure.code).to.equal('HOST_LOCKED');
      expect(failure.message).to.include(`pid ${pid}`);
      expect(failure.hint).to.include(lockFile);
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      await (await host.lock(lockFile)).release();
    });

    const pid = process.pid;
    for (const [what, content] of Object.entries({
      'a process that has this pid by chance': () => ({pid, start: '1', boot: boot()}),
      'another boot': () => ({pid, start: start(pid), boot: 'another'}),
      'a pid that does not exist': () => ({pid: 2 ** 22 + 1, start: '1', boot: boot()}),
      nobody: () => ({}),
    })) {
      it(`is taken over from ${what}`, async () => {
        writeFileSync(lockFile, JSON.stringify(content()));
        const lock = await host.lock(lockFile);
        expect(JSON.parse(readFileSync(lockFile, 'utf8'))).to.include({pid, start: start(pid)});
        await lock.release();
        expect(readdirSync(root)).to.deep.equal([]);
      });
    }

    it('is taken over when a power cut has left it empty, with the claims beside it', async () => {
      for (const name of ['lock', 'lock.123-abc', 'lock.deadbeef']) writeFileSync(join(root, name), '');
      writeFileSync(join(root, 'locksmith'), '');
      await (await host.lock(lockFile)).release();
      expect(readdirSync(root)).to.deep.equal(['locksmith']);
    });

    it('is won by one of many that find a dead one', async () => {
      for (let round = 0; round < 20; round++) {
        writeFileSync(lockFile, JSON.stringify({pid: 2 ** 22 + 1, start: `${round}`, boot: boot()}));
        // They come one after the other, so that some look while others are taking over.
        const contenders = Array.from({length: 24}, async (_, index) => {
          for (let turn = 0; turn < index; turn++) await readFile('/proc/self/stat');
          return host.lock(lockFile);
        });
        const results = await Promise.allSettled(contenders);
        const won = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
        expect(won, `round ${round}`).to.have.length(1);
        await won[0]?.release();
      }
      expect(readdirSync(root)).to.deep.equal([]);
    });

    it('is not let go when somebody else has it by now', async () => {
      const lock = await host.lock(lockFile);
      writeFileSync(lockFile, 'theirs');
      await lock.release();
      expect(readFileSync(lockFile, 'utf8')).to.equal('theirs');
    });

    it('is let go when the process exits without a word', async () => {
      const local = new URL('../../src/host/local.ts', import.meta.url).pathname;
      const code = `import {LocalHost} from '${local}'; new LocalHost().lock('${lockFile}').then(() => process.exit(7));`;
      const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
        stdio: 'inherit',
        // Its coverage, of the same source compiled anew, would spoil ours.
        env: {...process.env, NODE_V8_COVERAGE: ''},
      });
      const [status] = await once(child, 'exit');
      expect(status).to.equal(7);
      expect(existsSync(lockFile)).to.equal(false);
    });
  });

  describe('run', () => {
    it('keeps our environment from children', async () => {
      process.env['AGENTLESS_TOKEN'] = 'do-not-pass-on';
      const {stdout} = await host.run(['env']);
      delete process.env['AGENTLESS_TOKEN'];
      expect(stdout).not.to.include('do-not-pass-on');
      expect(
        stdout
          .trim()
          .split('\n')
          .map((line) => line.split('=')[0])
          // Which node itself hands to every child while coverage is measured.
          .filter((name) => name !== 'NODE_V8_COVERAGE'),
      ).to.have.members(['LC_ALL', 'PATH']);
    });

    it('does not wait for what a program has left running with our pipe', async () => {
      const began = performance.now();
      const {status, stdout} = await host.run(['sh', '-c', 'echo started; sleep 20 & exit 4']);
      expect({status, stdout}).to.deep.equal({status: 4, stdout: 'started\n'});
      expect(performance.now() - began).to.be.lessThan(10_000);
    });

    it('runs children out of reach of Ctrl-C', async () => {
      const {stdout} = await host.run(['sh', '-c', 'ps -o pgid= -p $$ || cut -d" " -f5 /proc/$$/stat']);
      expect(Number(stdout)).to.not.equal(
        Number(readFileSync('/proc/self/stat', 'utf8').split(') ').pop()?.split(' ')[2]),
      );
    });

    it('takes an empty command for the mistake it is', async () => {
      const error: unknown = await host.run([]).catch((reason: unknown) => reason);
      expect(error).to.be.an.instanceOf(TypeError);
    });
  });

  describe('with a cp that knows no options of GNU', () => {
    const path = process.env['PATH'];

    beforeEach(function () {
      const busybox = ['/usr/bin/busybox', '/bin/busybox'].find((each) => existsSync(each));
      if (busybox === undefined) skip(this, 'no busybox');
      mkdirSync(join(root, 'bin'));
      symlinkSync(busybox, join(root, 'bin/cp'));
      process.env['PATH'] = join(root, 'bin');
    });

    afterEach(() => {
      process.env['PATH'] = path;
    });

    it('keeps mode, owner and times', async () => {
      const file = join(root, 'file');
      writeFileSync(file, 'before');
      if (process.getuid?.() === 0) execFileSync('/bin/chown', ['12:34', file]);
      chmodSync(file, 0o4755);
      const {uid, gid, mode, mtimeMs} = lstatSync(file);
      await host.copy(file, join(root, 'copy'));
      await host.write(file, Buffer.from('after'));
      expect(lstatSync(file)).to.include({uid, gid, mode});
      expect(lstatSync(join(root, 'copy'))).to.include({uid, gid, mode});
      expect(Math.abs(lstatSync(join(root, 'copy')).mtimeMs - mtimeMs)).to.be.lessThan(1);
      expect(readFileSync(file, 'utf8') + readFileSync(join(root, 'copy'), 'utf8')).to.equal('afterbefore');
    });
  });
});
