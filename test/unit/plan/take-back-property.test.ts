// Whatever others write between our transactions, and whichever of those fail or are cut off: leaving gives back what they
// have last written, without our lines, under the mode that they have last set.

import {chmodSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {LocalHost} from '../../../src/host/local.js';
import {dataDirectory} from '../../../src/plan/data-directory.js';
import {apply, prune, recover} from '../../../src/plan/plan.js';
import {readRecord} from '../../../src/plan/record.js';
import type {PathStep} from '../../../src/plan/step.js';
import {type Rules, takeBack} from '../../../src/plan/take-back.js';
import {CrashingHost} from '../../support/crashing-host.js';
import {temporaryTree} from '../../support/tree.js';

const OURS = '# ours\n';
const theirsIn = (text: string): string => text.replaceAll(OURS, '');

type Round =
  /** Others write the file: their lines, and where ours stand among them. */
  | {readonly by: 'others'; readonly lines: readonly string[]; readonly ours: readonly number[]}
  | {readonly by: 'others'; readonly mode: number}
  /** What was there when they took their backup. */
  | {readonly by: 'others'; readonly restore: true}
  /** We put our line on top, and die at an operation. */
  | {readonly by: 'us'; readonly dieAt?: number; readonly line: string};

const round: fc.Arbitrary<Round> = fc.oneof(
  fc.record({
    by: fc.constant('others' as const),
    lines: fc.array(fc.constantFrom('Banner none\n', 'MaxAuthTries 3\n', '# x\n', '\n'), {maxLength: 4}),
    ours: fc.array(fc.nat(4), {maxLength: 2}),
  }),
  fc.record({by: fc.constant('others' as const), mode: fc.constantFrom(0o600, 0o640, 0o644)}),
  fc.constant({by: 'others', restore: true} as const),
  fc.record({by: fc.constant('us' as const), line: fc.constantFrom(OURS, OURS + OURS)}),
  fc.record({by: fc.constant('us' as const), line: fc.constant(OURS), dieAt: fc.integer({min: 1, max: 14})}),
);

describe('the way back among others', function () {
  this.timeout(120_000);
  const host = new LocalHost();
  let root: string;
  beforeEach(() => {
    root = temporaryTree();
  });
  afterEach(() => rmSync(root, {recursive: true}));

  const rules = (dataDir: string): Rules => ({
    directory: dataDirectory(dataDir),
    without: (_, bytes) => Buffer.from(theirsIn(Buffer.from(bytes).toString('latin1')), 'latin1'),
    needed: () => undefined,
    gone: new Set(),
  });

  it('is to what they have last made of a file', async () => {
    let number = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(round, {minLength: 1, maxLength: 7}), async (rounds) => {
        const [path, dataDir] = [join(root, `${++number}.conf`), join(root, `data${number}`)];
        const read = () => readFileSync(path, 'latin1');
        const mode = () => statSync(path).mode & 0o777;
        writeFileSync(path, 'stock\n');
        let theirs = {text: read(), mode: mode()};

        const ours = async (line: string, on = host as ConstructorParameters<typeof CrashingHost>[0]) => {
          const found = read();
          const bytes = Buffer.from(line + theirsIn(found), 'latin1');
          const step: PathStep = {
            kind: 'path',
            path,
            to: {kind: 'file', bytes},
            why: '',
            ...(found !== theirsIn(found) && {theirs: Buffer.from(theirsIn(found), 'latin1')}),
          };
          await apply(on, await prune(on, [step]), {dataDir, operation: 'renew'});
        };
        await ours(OURS);
        for (const one of rounds) {
          if (one.by === 'us') {
            if (one.dieAt === undefined) await ours(one.line);
            else
              await ours(one.line, new CrashingHost(host, {at: one.dieAt, die: 'after'})).catch(
                () => undefined,
              );
            await recover(host, dataDir);
            continue;
          }
          if ('mode' in one) chmodSync(path, one.mode);
          else if ('restore' in one) writeFileSync(path, 'stock\n');
          else {
            const lines = [...one.lines];
            for (const at of one.ours) lines.splice(at, 0, OURS);
            writeFileSync(path, lines.join(''));
          }
          theirs = {text: theirsIn(read()), mode: mode()};
        }

        const record = await readRecord(host, dataDir);
        if (record === undefined) return expect.fail('there is no record');
        const {steps, left} = await takeBack(host, record.changes, rules(dataDir));
        expect(left).to.deep.equal([]);
        const {transaction, made} = record;
        await apply(host, steps, {dataDir, operation: 'leave', ends: {transaction, made, keep: []}});
        expect({text: read(), mode: mode()}).to.deep.equal(theirs);
        expect((await host.look(dataDir))?.kind).to.equal(undefined);
      }),
      {numRuns: 50},
    );
  });
});
