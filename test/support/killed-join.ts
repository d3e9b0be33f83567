// A process of its own that carries out the join-like plan when told to, to be killed while it does.

import {LocalHost} from '../../src/host/local.js';
import {recover} from '../../src/plan/plan.js';
import {dataDirIn, joinLike} from './join-like-plan.js';

const root = process.argv[2] ?? '';
const host = new LocalHost();

async function join(): Promise<void> {
  await recover(host, dataDirIn(root));
  await joinLike(host, root);
}

process.stdin.once('data', () => {
  join().then(
    () => process.stdout.write('done\n', () => process.exit(0)),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`, () => process.exit(1));
    },
  );
});
process.stdout.write('ready\n');
