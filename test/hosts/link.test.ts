// The network of a host goes at every step of a join, and comes back: soon, once our ssh has given up, or when the host has
// long been left to itself. It is before or after, never between, and whoever could log in still can.

import {readdirSync} from 'node:fs';
import {expect} from 'chai';
import {Failure} from '../../src/errors.js';
import {RemoteHost} from '../../src/host/remote/remote-host.js';
import {CUTS, type Cut, cuttable} from '../support/cut-host.js';
import {FarHost, RELEASES, type Release, whyNoFarHosts} from '../support/far-host.js';
import {joinFrom} from '../support/far-join.js';
import {pause, until} from '../support/far-space.js';
import {FarStage} from '../support/far-stage.js';
import {skip} from '../support/skip.js';
import {together} from '../support/together.js';
import {differences, type Leaf} from '../support/tree.js';

/** Every step, at a host of one of the releases; or one step of thirteen, for a host may wait two minutes for us. */
const STEP = process.env['CRASHES'] === 'all' ? 1 : 13;
/** So many of each release wait at the same time. */
const EACH = 2;

type Tree = Record<string, Leaf>;

const OUTAGES = {
  /** TCP sends again what was lost. */
  'for seconds': () => pause(3000),
  /** Our ssh has given up, and the host does not know. */
  'until we know': ({real}) => until(() => real.watch.isLost || undefined),
  /** The host has to see by itself that nobody comes. */
  'until the host knows': async ({real, host}) => {
    await until(() => real.watch.isLost || undefined);
    await until(() => !isWatched(host) || undefined, 200);
  },
} satisfies Record<string, (at: {real: RemoteHost; host: FarHost}) => Promise<unknown>>;
type Outage = keyof typeof OUTAGES;
const OUTAGE_NAMES = Object.keys(OUTAGES) as Outage[];

interface Break {
  readonly at: number;
  readonly when: Cut;
  readonly outage: Outage;
}

describe('a join of a host whose link goes down', function () {
  this.timeout(STEP === 1 ? 7_200_000 : 1_200_000);
  let stage: FarStage;
  const hosts: FarHost[] = [];
  const seen = {before: 0, after: 0};

  before(async function () {
    const reason = whyNoFarHosts();
    if (reason !== undefined) skip(this, reason);
    stage = await FarStage.start();
  });
  after(async () => {
    await together(hosts.map((host) => host.stop()));
    await stage?.stop();
  });

  it('leaves it before or after, and nobody is kept out', async () => {
    await together(RELEASES.map((release, turn) => suffer(release, turn)));
    expect(seen.before, JSON.stringify(seen)).to.be.greaterThan(5);
    expect(seen.after, JSON.stringify(seen)).to.be.greaterThan(5);
  });

  /** The breaks that fall to this release. */
  async function suffer(release: Release, turn: number): Promise<void> {
    const alike = await together(Array.from({length: EACH}, () => FarHost.start(release)));
    hosts.push(...alike);
    const left = breaksOf(await changesOf(stage, alike[0] as FarHost), turn);
    const each = alike.map(async (host) => {
      const untouched = await host.tree();
      for (let next = left.shift(); next !== undefined; next = left.shift())
        seen[await expectWhole(stage, host, untouched, next)] += 1;
    });
    await together(each);
  }
});

/** What a join of this host consists of; it is left again. */
async function changesOf(stage: FarStage, host: FarHost): Promise<readonly string[]> {
  const real = await RemoteHost.open(host.options);
  const {host: counting, changes} = cuttable(real, () => undefined);
  await joinFrom(stage.cluster, host, counting);
  await real.close();
  expect((await stage.leave(host)).exit).to.equal(0);
  return changes;
}

function breaksOf(changes: readonly string[], turn: number): Break[] {
  const all = changes.flatMap((_, index) => CUTS.map((when) => ({at: index + 1, when})));
  const ours = all.filter((_, number) => number % (STEP * RELEASES.length) === STEP * turn);
  // Each kind of outage meets each place of a cut.
  return ours.map((cut, n) => ({...cut, outage: OUTAGE_NAMES[(n + Math.floor(n / 3) + turn) % 3] as Outage}));
}

async function expectWhole(
  stage: FarStage,
  host: FarHost,
  untouched: Tree,
  {at, when, outage}: Break,
): Promise<'before' | 'after'> {
  const real = await RemoteHost.open(host.options);
  let over: Promise<unknown> = Promise.resolve();
  const cut = () => {
    host.link.down();
    over = OUTAGES[outage]({real, host}).finally(() => host.link.up());
    over.catch(() => undefined);
  };
  const {host: cutting, changes, isCut} = cuttable(real, cut, at, when);
  const ended = await joinFrom(stage.cluster, host, cutting).then(
    () => 'joined' as const,
    (error: unknown) => error,
  );
  const step = `${when} change ${at}, ${changes[at - 1]?.slice(0, 80)}`;
  const what = `${host.name}, link down ${outage}, ${step}: ${ended}`;
  expect(isCut(), what).to.equal(true);
  await over;
  await real.close();
  await until(() => (!isWatched(host) && host.shells === 0) || undefined, 200);

  expect((await host.login()).stdout, what).to.equal('hello\n');
  if (ended !== 'joined') {
    if (!(ended instanceof Failure)) throw ended;
    expect(ended.code, what).to.be.oneOf(['CHANGE_FAILED', 'HOST_UNREACHABLE', 'RESTORE_INCOMPLETE']);
    expect(differences(untouched, await host.tree()), what).to.deep.equal([]);
    const nodes = stage.cluster.nodes().map(({hostname}) => hostname);
    expect(nodes, what).to.not.include(host.name);
    return 'before';
  }
  // What was committed may be left to be cleared up by whoever comes next.
  const again = await stage.join(host);
  expect(again.exit, `${what}: ${JSON.stringify(again)}`).to.equal(0);
  expect((await stage.at(host, 'status')).exit, what).to.equal(0);
  expect((await stage.login(host)).stdout, what).to.equal('hello\n');
  expect((await stage.leave(host)).exit, what).to.equal(0);
  expect(differences(untouched, await host.tree()), what).to.deep.equal([]);
  return 'after';
}

/** By the keeper of a transaction. */
function isWatched(host: FarHost): boolean {
  return readdirSync(host.path('run')).some((name) => name.startsWith('agentless-watch-'));
}
