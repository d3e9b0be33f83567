// A real full disk: a file system of 300 kB in a mount namespace of its own, with room for nothing, one block, two …

import {execFileSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {bundle} from '../support/bundle.js';
import type {Report} from '../support/full-disk.js';
import {skip} from '../support/skip.js';

describe('a host with a full disk', function () {
  this.timeout(60_000);
  let directory: string;
  let report: Report;
  let leftovers: Report['leftovers'];

  before(async function () {
    directory = mkdtempSync(join(tmpdir(), 'agentless-'));
    const mount = join(directory, 'disk');
    const program = join(directory, 'full-disk.mjs');
    mkdirSync(mount);
    try {
      execFileSync('unshare', ['-m', 'true'], {stdio: 'ignore'});
    } catch {
      skip(this, 'no mount namespaces without root');
    }
    await bundle('full-disk.ts', program);
    const script = 'mount -t tmpfs -o size=300k disk "$1" && exec "$2" "$3" "$1"';
    const output = execFileSync('unshare', [
      '-m',
      'sh',
      '-c',
      script,
      'sh',
      mount,
      process.execPath,
      program,
    ]);
    report = JSON.parse(output.toString()) as Report;
    ({leftovers} = report);
  });

  after(() => rmSync(directory, {recursive: true, force: true}));

  // Leaving writes little, and makes room. To put a file back in place of another takes as much room as a full disk has not:
  // a renewal says so, and the next run does it.
  for (const [what, points, unrestored] of [
    ['joins', 8, 1],
    ['renewals', 7, 3],
    ['leaves', 5, 1],
  ] as const) {
    describe(`that meets it in ${what}`, () => {
      const attempts = () => report[what];

      it('does so at many different points before it fits', () => {
        expect(attempts().length).to.be.greaterThan(points);
        expect(attempts().at(-1)?.code).to.equal('done');
      });

      it('is as it was, or says that it could not and is so once there is room', () => {
        for (const [room, {code, whole, wholeLater}] of attempts().slice(0, -1).entries()) {
          expect(code, `room ${room}`).to.be.oneOf([
            'HOST_UNSUITABLE',
            'CHANGE_FAILED',
            'RESTORE_INCOMPLETE',
          ]);
          expect(whole, `room ${room}, ${code}`).to.equal(code !== 'RESTORE_INCOMPLETE');
          expect(wholeLater, `room ${room}, ${code}`).to.equal(true);
        }
      });

      it('is put back at once wherever there is room for it', () => {
        expect(attempts().filter(({code}) => code === 'RESTORE_INCOMPLETE').length).to.be.at.most(unrestored);
      });

      it('calls it by its name', () => {
        for (const {message} of attempts().slice(0, -1)) expect(message).to.match(/no space left on device/);
      });
    });
  }

  it('leaves no half line and no temporary file', () => {
    expect(leftovers).to.deep.equal({size: 'first\n'.length, names: ['log']});
  });
});
