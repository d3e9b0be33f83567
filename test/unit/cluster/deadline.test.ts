import {expect} from 'chai';
import {Deadline, Passing, retry} from '../../../src/cluster/deadline.js';
import {Failure} from '../../../src/errors.js';
import {failure} from '../../support/cluster-client.js';

describe('trying again', () => {
  const busy = new Failure('CLUSTER_BUSY', 'busy');
  const deadline = (milliseconds: number, closing = new AbortController()) =>
    new Deadline(milliseconds, closing.signal);

  it('until it works', async () => {
    let tries = 0;
    const result = await retry(deadline(5000), async () => {
      tries += 1;
      if (tries < 3) throw new Passing(busy);
      return tries;
    });
    expect(result).to.equal(3);
  });

  it('no more often than the failure is worth', async () => {
    let tries = 0;
    const attempt = async () => {
      tries += 1;
      throw new Passing(busy, 2);
    };
    expect(await failure(retry(deadline(60_000), attempt))).to.equal(busy);
    expect(tries).to.equal(2);
  });

  it('never for anything else', async () => {
    let tries = 0;
    const attempt = async () => {
      tries += 1;
      throw busy;
    };
    expect(await failure(retry(deadline(60_000), attempt))).to.equal(busy);
    expect(tries).to.equal(1);
  });

  it('not when there is no time left', async () => {
    let tries = 0;
    const attempt = async () => {
      tries += 1;
      throw new Passing(busy);
    };
    expect(await failure(retry(deadline(100), attempt))).to.equal(busy);
    expect(tries).to.equal(1);
    expect(deadline(0).left).to.equal(0);
  });

  it('not after closing, which ends the pause', async () => {
    const closing = new AbortController();
    const closed = new Failure('INTERRUPTED', 'closed');
    const result = failure(
      retry(deadline(60_000, closing), async () => {
        setTimeout(() => closing.abort(closed), 10);
        throw new Passing(busy);
      }),
    );
    expect(await result).to.equal(closed);
    expect(await failure(deadline(1000, closing).within(1000, async () => 1))).to.equal(closed);
  });

  it('aborts what takes too long, and what is under way at closing', async () => {
    const wait = (signal: AbortSignal) =>
      new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    for (const [left, atMost] of [
      [20, 60_000],
      [60_000, 20],
    ] as const) {
      const error: unknown = await deadline(left)
        .within(atMost, wait)
        .catch((reason: unknown) => reason);
      expect(error).to.include({name: 'TimeoutError'});
    }
    const closing = new AbortController();
    const closed = new Failure('INTERRUPTED', 'closed');
    const result = failure(deadline(60_000, closing).within(60_000, wait));
    closing.abort(closed);
    expect(await result).to.equal(closed);
  });
});
