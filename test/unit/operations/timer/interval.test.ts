import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../../src/errors.js';
import {
  calendarOf,
  crontabOf,
  type Interval,
  jitterOf,
  parseInterval,
  type Schedule,
  scheduleOf,
  secondsOf,
  textOf,
} from '../../../../src/operations/timer/interval.js';
import {skip} from '../../../support/skip.js';

const KEPT = [
  '5m',
  '6m',
  '10m',
  '12m',
  '15m',
  '20m',
  '30m',
  '1h',
  '2h',
  '3h',
  '4h',
  '6h',
  '8h',
  '12h',
  '1d',
  '2d',
];
const DAYS = ['7d', '10d', '29d', '30d'];
const intervals = [...KEPT, ...DAYS].map(parseInterval);

/** Every point of a schedule within 62 days from a first of January, in seconds. */
function points({seconds, minutes, hours, days}: Schedule): number[] {
  const found: number[] = [];
  for (let day = 0; day < 62; day += 1) {
    if (days !== undefined && !days.includes((day % 31) + 1)) continue;
    for (const hour of hours ?? Array.from({length: 24}, (_, index) => index))
      for (const minute of minutes) found.push(((day * 24 + hour) * 60 + minute) * 60 + seconds);
  }
  return found;
}

describe('the interval of a timer', () => {
  it('is minutes, hours or days, written as short as can be', () => {
    for (const text of [...KEPT, ...DAYS]) expect(textOf(parseInterval(text))).to.equal(text);
    const same = {
      '60m': '1h',
      '120m': '2h',
      '24h': '1d',
      '48h': '2d',
      '1440m': '1d',
      '720h': '30d',
      '05m': '5m',
    };
    for (const [text, short] of Object.entries(same))
      expect(textOf(parseInterval(text)), text).to.equal(short);
  });

  it('is refused when it is none, or shorter than 5 minutes or longer than 30 days', () => {
    const none = [
      '',
      '1',
      'h',
      '1s',
      '90s',
      '1h30m',
      ' 1h',
      '1h ',
      '-1h',
      '1.5h',
      '1w',
      '1H',
      '9999999m',
      '１h',
    ];
    for (const text of [...none, '0m', '0h', '0d', '1m', '4m', '31d', '721h', '999999h']) {
      expect(() => parseInterval(text), text)
        .to.throw(Failure)
        .with.property('code', 'USAGE');
    }
  });

  it('is refused when no calendar can keep it, with those that one can', () => {
    const beside = {
      '7m': '6m or 10m',
      '45m': '30m or 1h',
      '90m': '1h or 2h',
      '5h': '4h or 6h',
      '25h': '1d or 2d',
    };
    for (const [text, hint] of Object.entries(beside)) {
      expect(() => parseInterval(text), text)
        .to.throw(Failure, `--every cannot be ${text}: no calendar has that interval`)
        .with.property('hint', `take ${hint}`);
    }
  });

  it('is kept exactly, from the last point of a day or month to the first of the next as well', () => {
    fc.assert(
      fc.property(fc.constantFrom(...intervals), fc.uuid(), (interval, id) => {
        const at = points(scheduleOf(interval, id));
        const gaps = new Set(at.slice(1).map((point, index) => point - (at[index] ?? 0)));
        const exact = interval.unit !== 'd' || interval.count === 1;
        if (exact) expect([...gaps]).to.deep.equal([secondsOf(interval)]);
        else expect(Math.max(...gaps)).to.be.at.most(secondsOf(interval));
      }),
    );
  });

  it('has each host at its own time, the same one every time', () => {
    const hour: Interval = {count: 1, unit: 'h'};
    const ids = Array.from({length: 600}, (_, index) => `node-${index}`);
    const minutes = ids.map((id) => scheduleOf(hour, id).minutes[0] ?? -1);
    for (let minute = 0; minute < 60; minute += 1)
      expect(minutes.filter((one) => one === minute).length, `minute ${minute}`).to.be.within(1, 30);
    expect(ids.map((id) => scheduleOf(hour, id).minutes[0])).to.deep.equal(minutes);
    const daily = ids.map((id) => scheduleOf({count: 1, unit: 'd'}, id).hours?.[0] ?? -1);
    expect(new Set(daily).size).to.equal(24);
  });

  it('leaves room for jitter: a quarter of it, and at most an hour', () => {
    expect(['5m', '1h', '4h', '30d'].map((text) => jitterOf(parseInterval(text)))).to.deep.equal([
      75, 900, 3600, 3600,
    ]);
  });

  it('reads as a line of a crontab', () => {
    const at = (text: string) => crontabOf(scheduleOf(parseInterval(text), '0b9c1e0e'));
    expect(at('30m')).to.match(/^\d+,\d+ \* \* \* \*$/);
    expect(at('1h')).to.match(/^\d+ \* \* \* \*$/);
    expect(at('6h')).to.match(/^\d+ \d+,\d+,\d+,\d+ \* \* \*$/);
    expect(at('1d')).to.match(/^\d+ \d+ \* \* \*$/);
    expect(at('10d')).to.match(/^\d+ \d+ 1,11,21,31 \* \*$/);
  });

  describe('as systemd reads it', () => {
    const analyze = (...words: readonly string[]) =>
      execFileSync('systemd-analyze', ['calendar', ...words], {
        encoding: 'utf8',
        env: {...process.env, TZ: 'UTC'},
      });
    before(function () {
      try {
        analyze('daily');
      } catch {
        skip(this, 'there is no systemd-analyze here');
      }
    });

    for (const interval of intervals) {
      it(`comes every ${textOf(interval)}`, () => {
        const calendar = calendarOf(scheduleOf(interval, 'node-1'));
        const said = analyze('--iterations=40', '--base-time=2026-01-01 00:00:00 UTC', calendar);
        const at = [...said.matchAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/gm)].map(
          ([date]) => Date.parse(date.replace(' UTC', 'Z').replace(' ', 'T')) / 1000,
        );
        expect(at, said).to.have.length(40);
        const gaps = at.slice(1).map((point, index) => point - (at[index] ?? 0));
        expect(Math.max(...gaps), said).to.equal(secondsOf(interval));
        const exact = interval.unit !== 'd' || interval.count === 1;
        if (exact) expect(Math.min(...gaps), said).to.equal(secondsOf(interval));
      });
    }
  });
});
