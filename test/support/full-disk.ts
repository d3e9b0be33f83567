// Runs on a tiny file system of its own (see plan-disk-full.test.ts): joins, changes the same files once more as a renewal
// does, and leaves, with ever more room left, until it fits.

import {lstatSync, readdirSync, rmSync, statfsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {Failure} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {recover} from '../../src/plan/plan.js';
import {dataDirIn, joinLike, leaveLike, makeHost, RUNNING} from './join-like-plan.js';
import {type Leaf, snapshot} from './tree.js';

export interface Attempt {
  readonly code: string;
  readonly message: string;
  /** The tree equals what it was before. */
  readonly whole: boolean;
  /** The same once there is room again and the next run has recovered. */
  readonly wholeLater: boolean;
}

export interface Report {
  readonly joins: readonly Attempt[];
  readonly renewals: readonly Attempt[];
  readonly leaves: readonly Attempt[];
  readonly leftovers: {readonly size: number; readonly names: readonly string[]};
}

type Work = (host: LocalHost, root: string) => Promise<void>;

const joins: Work = (host, root) => joinLike(host, root);
const renews: Work = (host, root) => joinLike(host, root, {}, true);
const leaves: Work = (host, root) => leaveLike(host, root);

/** Everything but the time of what the command writes, which is told once more when all is back. */
async function look(root: string): Promise<Record<string, Leaf>> {
  const {[RUNNING]: running, ...tree} = await snapshot(root);
  if (running === undefined) return tree;
  const {mtime: _, ...timeless} = running;
  return {...tree, [RUNNING]: timeless};
}

async function attempt(mount: string, room: number, work: Work): Promise<Attempt> {
  const root = join(mount, 'root');
  const filler = join(mount, 'filler');
  const host = new LocalHost();
  await makeHost(root);
  if (work !== joins) await joinLike(host, root);
  const before = await look(root);
  const {bavail, bsize} = statfsSync(mount);
  writeFileSync(filler, Buffer.alloc((bavail - room) * bsize));
  const error: unknown = await work(host, root).catch((reason: unknown) => reason);
  const whole = isDeepStrictEqual(await look(root), before);
  rmSync(filler);
  await recover(host, dataDirIn(root));
  const wholeLater = isDeepStrictEqual(await look(root), before);
  rmSync(root, {recursive: true});
  if (error === undefined) return {code: 'done', message: '', whole, wholeLater};
  const {code, message} = error instanceof Failure ? error : {code: 'bug', message: String(error)};
  return {code, message, whole, wholeLater};
}

async function failing(work: Promise<void>): Promise<void> {
  const error: unknown = await work.catch((reason: unknown) => reason);
  if (error === undefined) throw new Error('it should have failed');
}

/** What is there after an append and a write that find no room. */
async function leftovers(mount: string): Promise<Report['leftovers']> {
  const host = new LocalHost();
  const path = join(mount, 'log');
  const tooMuch = 'x'.repeat(1_000_000);
  await host.append(path, 'first\n');
  await failing(host.append(path, tooMuch));
  await failing(host.write(join(mount, 'file'), Buffer.from(tooMuch)));
  return {size: lstatSync(path).size, names: readdirSync(mount)};
}

async function main(mount: string): Promise<void> {
  const untilDone = async (work: Work) => {
    const attempts: Attempt[] = [];
    for (let room = 0; attempts.at(-1)?.code !== 'done' && room < 64; room++)
      attempts.push(await attempt(mount, room, work));
    return attempts;
  };
  const report: Report = {
    joins: await untilDone(joins),
    renewals: await untilDone(renews),
    leaves: await untilDone(leaves),
    leftovers: await leftovers(mount),
  };
  process.stdout.write(JSON.stringify(report));
}

await main(process.argv[2] ?? '');
