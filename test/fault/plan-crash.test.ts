// The power goes before, in the middle of and after every single operation of a transaction, and again inside the
// recovery. Whatever happens, the host is as before or as after.

import {expect} from 'chai';
import {EXIT, Failure} from '../../src/errors.js';
import {TIMER} from '../../src/host/scheduler.js';
import {recover} from '../../src/plan/plan.js';
import {CrashScene} from '../support/crash-scene.js';
import {deathsOf, type Fault} from '../support/crashing-host.js';
import {dataDirIn} from '../support/join-like-plan.js';
import {TimerScene} from '../support/timer-scene.js';

type Scene = Pick<CrashScene, keyof CrashScene & keyof TimerScene>;

const HOURLY = {install: '1h'};

/** `stuck`: how many ways there are at least to be left with something that cannot be put back. */
const SCENES: readonly {name: string; again?: true; stuck: number; set: () => Promise<Scene>}[] = [
  {name: 'a first join', stuck: 6, set: () => CrashScene.set(false)},
  {name: 'a change of a joined host', again: true, stuck: 6, set: () => CrashScene.set(true)},
  {name: 'leaving', stuck: 6, set: () => CrashScene.leaving()},
  // What was not there before can always be taken away again.
  {name: 'installing a timer', stuck: 0, set: () => TimerScene.set({install: '1h'})},
  {
    name: 'another interval',
    again: true,
    stuck: 1,
    set: () => TimerScene.set({install: '1d'}, {first: HOURLY}),
  },
  {
    name: 'enabling a timer again',
    again: true,
    stuck: 0,
    set: () => TimerScene.set(HOURLY, {first: HOURLY, by: ['disable', '--now', TIMER]}),
  },
  {
    name: 'starting another timer again',
    again: true,
    stuck: 1,
    set: () => TimerScene.set({install: '2h'}, {first: HOURLY, by: ['stop', TIMER]}),
  },
  {name: 'removing a timer', again: true, stuck: 1, set: () => TimerScene.set('remove', {first: HOURLY})},
  {name: 'leaving with a timer', again: true, stuck: 1, set: () => TimerScene.set('leave', {first: HOURLY})},
  {name: 'installing a job of cron', stuck: 0, set: () => TimerScene.set(HOURLY, {cron: true})},
  {
    name: 'removing a job of cron',
    stuck: 1,
    set: () => TimerScene.set('remove', {first: HOURLY, cron: true}),
  },
];

for (const {name: what, again = false, stuck, set} of SCENES) {
  describe(`a power cut in ${what}`, function () {
    this.timeout(120_000);
    let scene: Scene;

    before(async () => {
      scene = await set();
    });

    after(() => scene.clear());

    const name = (fault: Fault & {at: number}): string => {
      const operation = scene.operations[fault.at - 1];
      return `${JSON.stringify(fault)} (${operation?.kind} ${operation?.what})`;
    };

    /** The error of an apply or a recovery; undefined when everything had been committed before the fault. */
    function errorOf(work: Promise<unknown>): Promise<unknown> {
      return work.then(
        () => undefined,
        (error: unknown) => error,
      );
    }

    it('leaves before or after at every operation, once recovered', async () => {
      let crashes = 0;
      for (const [index, operation] of scene.operations.entries()) {
        for (const die of deathsOf(operation)) {
          // Before one operation is after the one before it: seen for each in the first join.
          if (again && die === 'before') continue;
          const fault = {at: index + 1, die};
          scene.back('before');
          const host = scene.host(fault);
          await errorOf(scene.join(host));
          expect(host.dead, name(fault)).to.equal(true);
          await recover(scene.host(), dataDirIn(scene.root));
          await scene.expectWhole('either', name(fault));
          expect((await recover(scene.host(), dataDirIn(scene.root))).outcome).to.equal('nothing');
          crashes++;
        }
      }
      expect(crashes).to.be.greaterThan(scene.operations.length);
    });

    it('leaves before or after when the recovery is cut off as well, at every operation', async () => {
      // Dying after an operation is dying before the next, so one way suffices for the first cut; the ways of the
      // second take turns. A step is three operations (journal, act, journal), so every fifth first cut meets all
      // three; EVERY_CRASH=1 takes all.
      const stride = process.env['EVERY_CRASH'] === undefined ? 5 : 1;
      for (let index = 0; index < scene.operations.length; index += stride) {
        const first = {at: index + 1, die: 'after'} as const;
        scene.back('before');
        await errorOf(scene.join(scene.host(first)));
        scene.keep('crashed');
        for (let at = 1; ; at++) {
          scene.back('crashed');
          const host = scene.host({at, die: at % 2 === 0 ? 'before' : 'temporary'});
          await errorOf(recover(host, dataDirIn(scene.root)));
          if (!host.dead) break;
          await recover(scene.host(), dataDirIn(scene.root));
          await scene.expectWhole('either', `${name(first)}, then in recovery at ${at}`);
        }
      }
    });

    const codes = ['ENOSPC', 'EACCES', 'EROFS', 'EPERM'];

    it('puts everything back by itself at every operation that fails', async () => {
      for (const [index, {kind}] of scene.operations.entries()) {
        if (kind === 'release') continue;
        const fault = {at: index + 1, error: codes[index % codes.length] ?? 'EIO'};
        scene.back('before');
        const error = await errorOf(scene.join(scene.host(fault)));
        if (error === undefined) {
          // Only what comes after the commit may fail without being undone: the next run finishes it.
          await recover(scene.host(), dataDirIn(scene.root));
        } else {
          expect(error, name(fault)).to.be.an.instanceOf(Failure);
          expect((error as Failure).exitCode, name(fault)).to.be.oneOf([EXIT.unsuitable, EXIT.restored]);
        }
        await scene.expectWhole(error === undefined ? 'after' : 'before', name(fault));
      }
    });

    it('says what is left to do when nothing can be put back, and the next run does it', async () => {
      let incomplete = 0;
      for (const [index, {kind}] of scene.operations.entries()) {
        if (kind === 'release') continue;
        const fault = {from: index + 1, error: codes[index % codes.length] ?? 'EIO'};
        scene.back('before');
        const error = await errorOf(scene.join(scene.host(fault)));
        if (error instanceof Failure && error.code === 'RESTORE_INCOMPLETE') {
          incomplete++;
          expect(error.exitCode).to.equal(EXIT.unrestored);
          expect(error.detail).to.include('to do by hand').and.to.include(scene.root);
          const again: unknown = await errorOf(
            recover(scene.host({from: 1, error: 'EROFS'}), dataDirIn(scene.root)),
          );
          expect(again).to.include({code: 'RESTORE_INCOMPLETE'});
        }
        await recover(scene.host(), dataDirIn(scene.root));
        await scene.expectWhole(error === undefined ? 'after' : 'before', JSON.stringify(fault));
      }
      expect(incomplete).to.be.at.least(stuck);
    });

    it('puts everything back when interrupted at any operation', async () => {
      for (const index of scene.operations.keys()) {
        const controller = new AbortController();
        const host = scene.host();
        host.onOperation = (number) => number === index + 1 && controller.abort();
        scene.back('before');
        const error = await errorOf(scene.join(host, {signal: controller.signal}));
        if (error !== undefined) expect(error).to.include({code: 'INTERRUPTED', exitCode: EXIT.interrupted});
        await scene.expectWhole(error === undefined ? 'after' : 'before', `interrupted at ${index + 1}`);
      }
    });
  });
}
