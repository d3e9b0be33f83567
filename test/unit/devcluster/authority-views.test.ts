import {expect} from 'chai';
import fc from 'fast-check';
import type {Authorities} from '../../../src/devcluster/authority.js';
import type {AuthorityChange} from '../../../src/devcluster/authority-files.js';
import {AuthorityViews, type View} from '../../../src/devcluster/authority-views.js';

// When a change of the authorities is seen. Which authorities they are makes no difference here.

const VIEWS: readonly View[] = ['read', 'sign', 'serve'];

/** Changes made at these times (milliseconds), and a clock that the test sets. */
function scene(times: readonly number[], lag: boolean) {
  const states = [0, ...times].map((time): Authorities => Object.create({time}));
  const at = (number: number) => states[number] ?? expect.fail(`no state ${number}`);
  const clock = {now: 0};
  const change = (number: number): AuthorityChange | undefined => {
    const since = times[number - 1];
    if (since === undefined || since > clock.now) return undefined;
    return {number, authorities: at(number), since};
  };
  const views = new AuthorityViews(at(0), 0, {lag, change, now: () => clock.now});
  const seen = (view: View) => states.indexOf(views.as(view));
  return {clock, seen, stored: () => states.indexOf(views.stored())};
}

describe('devcluster: what is seen of a rotation', () => {
  it('is everything at once, without lag', () => {
    const {clock, seen, stored} = scene([1000, 1001], false);
    clock.now = 1000;
    expect([stored(), ...VIEWS.map(seen)]).to.eql([1, 1, 1, 1]);
    clock.now = 1001;
    expect([...VIEWS.map(seen), stored()]).to.eql([2, 2, 2, 2]);
  });

  it('is nothing at first and everything after a second, counted from the change and not from the first look', () => {
    const {clock, seen, stored} = scene([1000], true);
    clock.now = 1099;
    expect([stored(), ...VIEWS.map(seen)]).to.eql([1, 0, 0, 0]);
    clock.now = 2000;
    expect(VIEWS.map(seen)).to.eql([1, 1, 1]);
    const late = scene([1000], true);
    late.clock.now = 2000;
    expect(VIEWS.map(late.seen)).to.eql([1, 1, 1]);
  });

  it('comes in order, to all before the next, and within a second of the last change', () => {
    const gaps = fc.array(fc.nat(1500), {minLength: 1, maxLength: 12});
    fc.assert(
      fc.property(gaps, fc.integer({min: 7, max: 200}), (between, tick) => {
        let time = 1000;
        const times = between.map((gap) => {
          time += gap;
          return time;
        });
        const {clock, seen, stored} = scene(times, true);
        let before = VIEWS.map(() => 0);
        for (clock.now = 1000; clock.now <= time + 1000 + tick; clock.now += tick) {
          const now = VIEWS.map(seen);
          for (const [index, state] of now.entries()) expect(state).to.be.at.least(before[index] ?? 0);
          expect(Math.max(...now) - Math.min(...now)).to.be.at.most(1);
          expect(stored()).to.be.at.least(Math.max(...now));
          before = now;
        }
        expect(before).to.eql(VIEWS.map(() => times.length));
      }),
    );
  });

  it('reaches the parts at different moments', () => {
    // Chance decides; a hundred rotations that all agree would be no chance.
    const moments = Array.from({length: 100}, () => {
      const {clock, seen} = scene([1000], true);
      const first = VIEWS.map(() => 0);
      for (clock.now = 1000; clock.now <= 2000; clock.now += 10) {
        for (const [index, view] of VIEWS.entries()) if (seen(view) === 1) first[index] ||= clock.now;
      }
      return new Set(first).size;
    });
    expect(Math.max(...moments)).to.equal(VIEWS.length);
  });
});
