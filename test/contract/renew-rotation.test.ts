// Every order of up to five phases of the two authorities, mixed, with a renewal or none at each of them: what a host has
// then is what the tables of the rotation say, or it is told to join again exactly when they say so. Real sockets to the
// embedded cluster; the host is what would lie on its disk. The same on a real sshd: test/e2e/renew-walk.test.ts.

import {expect} from 'chai';
import fc from 'fast-check';
import type {Cluster, Identity} from '../../src/cluster/cluster.js';
import {signerOf} from '../../src/cluster/tls-certificate.js';
import {Failure} from '../../src/errors.js';
import type {HostKey} from '../../src/host/facts.js';
import {refresh} from '../../src/operations/refresh.js';
import {reach} from '../../src/operations/speaker.js';
import {mergeAuthorities} from '../../src/operations/user-authorities.js';
import {parseCertificate} from '../../src/ssh/certificate.js';
import {fingerprint, parsePublicKey} from '../../src/ssh/key.js';
import {clientOf, hostKey, joined} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {
  type Change,
  changed,
  type Held,
  isAccepted,
  JUST_JOINED,
  NEVER_ROTATED,
  orders,
  type Rotating,
  renewed,
} from '../support/rotation-model.js';

const LONGEST = 5;
const KEYS: readonly HostKey[] = [{...parsePublicKey(hostKey()), file: '/k', plainBy: [], certificateBy: []}];

/** What lies on a disk. */
interface Disk {
  readonly identity: Identity;
  readonly certificate: string;
  readonly users: string;
}

/** Fingerprints of the generations of both authorities; a number is an index. */
type Generations = Record<Change['type'], string[]>;

async function renewDisk(cluster: Cluster, disk: Disk): Promise<Disk | 'finished'> {
  const {identity} = disk;
  const wanted = {nodeId: identity.nodeId, nodeName: 'web1', additionalPrincipals: [], names: ['web1']};
  try {
    const certificates = new Map(disk.certificate === '' ? [] : [['/k', disk.certificate]]);
    const contact = await reach(cluster, identity);
    const got = await refresh(contact, certificates, {...wanted, keys: KEYS}, false);
    const users = mergeAuthorities(got.userAuthorities, undefined, undefined).text;
    const own = got.identity ?? expect.fail('it speaks for itself');
    return {identity: own, certificate: got.certificates.get('/k') ?? '', users};
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'REQUEST_REFUSED') throw error;
    expect(error.hint).to.equal('join again with a token');
    return 'finished';
  }
}

/** What a disk holds, in generations; the two certificates must be of one and the same. */
function read({identity, certificate, users}: Disk, {host, openssh}: Generations): Held {
  const signer = host.indexOf(fingerprint(parseCertificate(certificate).authority));
  expect(signerOf(identity.certificate, identity.authorities), 'it can tell who signed its own').to.not.equal(
    undefined,
  );
  const keys = users.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const trusted = keys.map((line) => openssh.indexOf(fingerprint(parsePublicKey(line).blob)));
  return {signer, users: trusted.sort((a, b) => a - b)};
}

/** Disks that hold the same go the same way: one of them goes it. */
const kindOf = (disk: Disk, held: Held) => JSON.stringify([held, disk.identity.authorities]);

interface Way {
  readonly disk: Disk;
  readonly held: Held;
  readonly told: string;
}

class Walk {
  rotating: Rotating = NEVER_ROTATED;
  ways: readonly Way[];
  renewals = 0;
  readonly finished = new Set<string>();

  constructor(
    readonly server: TemporaryCluster,
    readonly cluster: Cluster,
    readonly generations: Generations,
    first: Disk,
  ) {
    this.ways = [{disk: first, held: JUST_JOINED, told: 'joined'}];
  }

  async take(change: Change): Promise<void> {
    const {additional} = await this.server.rotate(change.type, change.phase);
    if (change.phase === 'init') this.generations[change.type].push(additional[0] ?? '');
    this.rotating = changed(this.rotating, change, this.generations[change.type].length - 1);
    const next = new Map<string, Way>();
    for (const way of this.ways) {
      const told = `${way.told}, ${change.type} ${change.phase}`;
      for (const one of [{...way, told}, await this.renew(way, `${told}, renewed`)])
        if (one !== undefined) next.set(kindOf(one.disk, one.held), one);
    }
    this.ways = [...next.values()];
  }

  /** Undefined where nothing but a token helps. */
  private async renew({disk, held}: Way, told: string): Promise<Way | undefined> {
    this.renewals += 1;
    const expected = renewed(held, this.rotating);
    const after = await renewDisk(this.cluster, disk);
    if (expected === 'finished' || after === 'finished') {
      expect([after, told]).to.deep.equal([expected, told]);
      this.finished.add(told);
      return undefined;
    }
    expect(read(after, this.generations), told).to.deep.equal(expected);
    expect(isAccepted(expected, this.rotating), told).to.equal(true);
    return {disk: after, held: expected, told};
  }
}

async function walk(order: readonly Change[]): Promise<Walk> {
  await using server = await temporaryCluster();
  const {identity} = await joined(server);
  await using cluster = clientOf(server);
  const first = await renewDisk(cluster, {identity, certificate: '', users: ''});
  if (first === 'finished') throw new Error('it has just joined');
  const openssh = mergedKey(first.users);
  const host = fingerprint(parseCertificate(first.certificate).authority);
  const walking = new Walk(server, cluster, {host: [host], openssh: [openssh]}, first);
  for (const change of order) await walking.take(change);
  return walking;
}

const mergedKey = (text: string) => fingerprint(parsePublicKey(text.split('\n')[1] ?? '').blob);

/** All of one authority alone, and some of the many mixed ones; ORDERS=170 takes every one of them, SEED others. */
function drawn(): readonly (readonly Change[])[] {
  const all = orders(LONGEST);
  const pure = all.filter((order) => new Set(order.map(({type}) => type)).size === 1);
  const mixed = all.filter((order) => !pure.includes(order));
  const count = Number(process.env['ORDERS'] ?? 26);
  if (count >= all.length) return all;
  const [some = []] = fc.sample(fc.shuffledSubarray(mixed, {minLength: count - pure.length}), 1);
  return [...pure, ...some.slice(0, count - pure.length)];
}

describe('renewals in every order of phases', function () {
  this.timeout(300_000);

  it(`of up to ${LONGEST} changes, run or skipped at each`, async () => {
    const finished = new Set<string>();
    let renewals = 0;
    for (const order of drawn()) {
      const walked = await walk(order);
      renewals += walked.renewals;
      for (const told of walked.finished) finished.add(told);
    }
    expect(renewals).to.be.greaterThan(300);
    expect(finished.size, 'some were silent for too long').to.be.greaterThan(3);
  });

  it('has a model that knows as many orders as Auth allows', () => {
    expect([1, 2, 3, 4, 5].map((length) => orders(length).length)).to.deep.equal([2, 6, 18, 56, 170]);
  });
});
