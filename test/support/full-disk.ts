// Runs on a tiny file system of its own (see plan-disk-full.test.ts): joins with ever more room left, until it fits.

import {rmSync, statfsSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {isDeepStrictEqual} from 'node:util';
import {Failure} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {recover} from '../../src/plan/plan.js';
import {dataDirIn, joinLike, makeHost} from './join-like-plan.js';
import {snapshot} from './tree.js';

export interface Attempt {
  readonly code: string;
  readonly message: string;
  /** The tree equals what it was before the join. */
  readonly whole: boolean;
  /** The same once there is room again and the next run has recovered. */
  readonly wholeLater: boolean;
}

async function attempt(mount: string, room: number): Promise<Attempt> {
  const root = join(mount, 'root');
  const filler = join(mount, 'filler');
  const host = new LocalHost();
  await makeHost(root);
  const before = await snapshot(root);
  const {bavail, bsize} = statfsSync(mount);
  writeFileSync(filler, Buffer.alloc((bavail - room) * bsize));
  const error: unknown = await joinLike(host, root).catch((reason: unknown) => reason);
  const whole = isDeepStrictEqual(await snapshot(root), before);
  rmSync(filler);
  await recover(host, dataDirIn(root));
  const wholeLater = isDeepStrictEqual(await snapshot(root), before);
  rmSync(root, {recursive: true});
  if (error === undefined) return {code: 'done', message: '', whole, wholeLater};
  const {code, message} = error instanceof Failure ? error : {code: 'bug', message: String(error)};
  return {code, message, whole, wholeLater};
}

async function main(mount: string): Promise<void> {
  const attempts: Attempt[] = [];
  for (let room = 0; attempts.at(-1)?.code !== 'done' && room < 64; room++)
    attempts.push(await attempt(mount, room));
  process.stdout.write(JSON.stringify(attempts));
}

await main(process.argv[2] ?? '');
