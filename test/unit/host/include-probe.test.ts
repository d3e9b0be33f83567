import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../../src/host/local.js';
import {knowsInclude} from '../../../src/host/sshd.js';

describe('the probe for Include', () => {
  const directory = mkdtempSync(join(tmpdir(), 'include-'));
  after(() => rmSync(directory, {recursive: true}));

  /** What a program says that opens the file it is given, as sshd does, and knows no such keywords. */
  function probed(...unknown: readonly string[]): Promise<boolean | undefined> {
    const program = join(directory, 'sshd');
    const text = `#!/bin/sh
exec <"$3" || exit 1
while read -r word _; do
  case $word in ${[...unknown, '/'].join('|')}) echo "line 1: Bad configuration option: $word" >&2 ;; esac
done
`;
    writeFileSync(program, text, {mode: 0o755});
    const daemon = {state: 'stopped', process: undefined, socket: undefined, program} as const;
    return knowsInclude(new LocalHost(), {...daemon, options: [], listening: []});
  }

  it('is yes, no, or nothing where sshd does not answer', async () => {
    expect(await probed('NoSuchKeyword')).to.equal(true);
    expect(await probed('Include', 'NoSuchKeyword')).to.equal(false);
    expect(await probed()).to.equal(undefined);
  });
});
