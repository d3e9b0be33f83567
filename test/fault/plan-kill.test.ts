// Real processes, really killed.

import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {once} from 'node:events';
import {existsSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {setTimeout as pause} from 'node:timers/promises';
import {expect} from 'chai';
import {Failure} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {recover} from '../../src/plan/plan.js';
import {bundle} from '../support/bundle.js';
import {CrashScene} from '../support/crash-scene.js';
import {dataDirIn} from '../support/join-like-plan.js';

const ROUNDS = 20;

describe('a process that is killed', function () {
  this.timeout(120_000);
  let scene: CrashScene;
  let programs: string;
  let program: string;

  before(async () => {
    scene = await CrashScene.set(false);
    programs = mkdtempSync(join(tmpdir(), 'agentless-'));
    program = join(programs, 'killed-join.mjs');
    await bundle('killed-join.ts', program);
  });

  after(() => {
    scene.clear();
    rmSync(programs, {recursive: true});
  });

  /** A process that waits for the word to begin. */
  async function ready(): Promise<ChildProcessWithoutNullStreams> {
    const child = spawn(process.execPath, [program, scene.root], {
      env: {...process.env, NODE_V8_COVERAGE: ''},
    });
    await once(child.stdout, 'data');
    return child;
  }

  async function started(): Promise<ChildProcessWithoutNullStreams> {
    const child = await ready();
    child.stdin.write('go\n');
    return child;
  }

  async function endOf(child: ChildProcessWithoutNullStreams): Promise<{status: number; words: string}> {
    let words = '';
    child.stderr.on('data', (data) => {
      words += data;
    });
    const [status] = await once(child, 'close');
    return {status, words};
  }

  it(`leaves before or after once recovered, ${ROUNDS} times at any moment`, async () => {
    scene.back('before');
    const start = performance.now();
    const whole = await started();
    const [status] = await once(whole, 'exit');
    expect(status).to.equal(0);
    const duration = performance.now() - start;
    await scene.expectWhole('after', 'not killed');

    let cut = 0;
    for (let round = 0; round < ROUNDS; round++) {
      scene.back('before');
      const child = await started();
      const gone = once(child, 'exit');
      await pause((duration * (round + Math.random())) / ROUNDS);
      child.kill('SIGKILL');
      await gone;
      // What it had started, such as a cp, may outlive it for a moment.
      await pause(30);
      const {outcome} = await recover(new LocalHost(), dataDirIn(scene.root));
      if (outcome !== 'nothing') cut++;
      await scene.expectWhole('either', `round ${round}, ${outcome}`);
    }
    expect(cut, 'some were killed at work').to.be.greaterThan(2);
  });

  it('keeps everybody else out while it lives, and not after', async () => {
    scene.back('before');
    const child = await started();
    while (!existsSync(join(dataDirIn(scene.root), 'journal.jsonl'))) await pause(1);
    child.kill('SIGSTOP');
    const host = new LocalHost();
    for (const attempt of [() => scene.join(scene.host()), () => recover(host, dataDirIn(scene.root))]) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(error).to.be.an.instanceOf(Failure);
      expect(error).to.include({code: 'HOST_LOCKED', exitCode: 6});
      expect((error as Failure).message).to.include(`pid ${child.pid}`);
    }
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
    await pause(30);
    await scene.join(scene.host());
    await scene.expectWhole('after', 'the next run');
  });

  it('lets one of several that start at once win, also on what a killed one has left', async () => {
    scene.back('before');
    await scene.join(scene.host({at: 33, die: 'after'})).catch(() => undefined);
    scene.keep('crashed');
    for (let round = 0; round < 4; round++) {
      scene.back(round % 2 === 0 ? 'crashed' : 'before');
      const children = await Promise.all([ready(), ready(), ready()]);
      const ending = Promise.all(children.map(endOf));
      for (const child of children) child.stdin.write('go\n');
      const ends = await ending;
      expect(
        ends.some(({status}) => status === 0),
        JSON.stringify(ends),
      ).to.equal(true);
      for (const {status, words} of ends)
        if (status !== 0) expect(words, JSON.stringify(ends)).to.match(/at work on this host \(pid \d+\)/);
      await scene.expectWhole('after', JSON.stringify(ends));
    }
  });
});
