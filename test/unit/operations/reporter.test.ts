import {expect} from 'chai';
import {interruptible, type Reporter, timed} from '../../../src/operations/reporter.js';
import {failure} from '../../support/cluster-client.js';

class Told implements Reporter {
  readonly steps: (readonly [verb: string, text: string, timed: boolean])[] = [];
  heading(): void {}
  warn(): void {}
  step(verb: string, text: string, milliseconds?: number): void {
    this.steps.push([verb, text, milliseconds !== undefined && milliseconds >= 0]);
  }
}

describe('a step that is reported', () => {
  it('is told when it is done, with what came of it', async () => {
    const report = new Told();
    expect(await timed(report, 'look', Promise.resolve(5), (value) => `saw ${value}`)).to.equal(5);
    expect(report.steps).to.deep.equal([['look', 'saw 5', true]]);
  });

  it('is not told when it fails', async () => {
    const report = new Told();
    const error = new Error('no');
    expect(await timed(report, 'look', Promise.reject(error), String).catch((caught) => caught)).to.equal(
      error,
    );
    expect(report.steps).to.deep.equal([]);
  });

  it('is given up at a signal, now or before, although it never ends', async () => {
    for (const early of [true, false]) {
      const [report, abort] = [new Told(), new AbortController()];
      if (early) abort.abort();
      const step = interruptible({report, signal: abort.signal}, 'look', new Promise(() => {}), String);
      abort.abort();
      expect((await failure(step)).code).to.equal('INTERRUPTED');
      expect(report.steps).to.deep.equal([]);
    }
  });

  it('goes on where no signal comes, and one that comes later harms nobody', async () => {
    const [report, abort] = [new Told(), new AbortController()];
    const signal = abort.signal;
    expect(await interruptible({report, signal}, 'look', Promise.resolve(1), String)).to.equal(1);
    abort.abort();
    expect(report.steps).to.have.length(1);
  });
});
