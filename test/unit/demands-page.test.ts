// docs/demands.md names a test for each demand that is met: it has to be there.

import {existsSync, readFileSync} from 'node:fs';
import {expect} from 'chai';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

const ROWS = read('docs/demands.md')
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .filter(([, number = '']) => /^\d+[ab]?$/.test(number));

/** "`e2e/join.test.ts`: "a title", "another"" */
function named(cell: string): {file: string; titles: readonly string[]}[] {
  return [...cell.matchAll(/`([\w/.-]+\.test\.ts)`: ("[^"]+"(?:, "[^"]+")*)/g)].map(
    ([, file = '', titles = '']) => ({file, titles: titles.slice(1, -1).split('", "')}),
  );
}

describe('the page of demands', () => {
  it('has them all, each with a way to meet it, and a test or a reason', () => {
    const range = (from: number, to: number) =>
      Array.from({length: to - from + 1}, (_, index) => String(from + index));
    const fleets = [...range(83, 87), '87a', ...range(88, 97)];
    const numbers = [
      ...[...range(35, 53), '53a', '53b', ...range(63, 82), ...fleets],
      ...[...range(119, 133), ...range(140, 143)],
    ];
    expect(ROWS.map(([, number]) => number)).to.deep.equal(numbers);
    for (const [, number, want, way, held = ''] of ROWS) {
      expect([want, way], number).to.not.include('');
      expect(named(held).length > 0 || held.startsWith('not met'), number).to.equal(true);
    }
  });

  it('names tests that exist', () => {
    const all = ROWS.flatMap(([, number, , , held = '']) => named(held).map((test) => ({number, ...test})));
    expect(all.length).to.be.above(35);
    for (const {number, file, titles} of all) {
      const url = new URL(`../${file}`, import.meta.url);
      expect(existsSync(url), `${number}: ${file}`).to.equal(true);
      const text = readFileSync(url, 'utf8');
      for (const title of titles) expect(text, `${number}: ${file}`).to.include(title);
    }
  });
});
