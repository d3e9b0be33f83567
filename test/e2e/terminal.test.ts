// The built program on a terminal, where a person sees it: colours may differ there, words and exit codes may not.

import {spawn, spawnSync} from 'node:child_process';
import {once} from 'node:events';
import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {text as readAll} from 'node:stream/consumers';
import {stripVTControlCharacters} from 'node:util';
import {expect} from 'chai';
import {agentless, PROGRAM} from '../support/cli.js';
import {skip} from '../support/skip.js';
import {Stage} from '../support/stage.js';

const quoted = (word: string) => `'${word.replaceAll("'", "'\\''")}'`;

/** Runs the program as `script` of util-linux does, on a terminal of its own that is 100 columns wide. */
async function onTerminal(argv: readonly string[]): Promise<{status: unknown; raw: string; text: string}> {
  const command = [process.execPath, PROGRAM, ...argv].map(quoted).join(' ');
  const {NO_COLOR: _no, FORCE_COLOR: _force, CI: _ci, ...inherited} = process.env;
  const child = spawn('script', ['-qec', `stty cols 100; exec ${command}`, '/dev/null'], {
    env: {...inherited, TERM: 'xterm'},
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [raw, [status]] = await Promise.all([readAll(child.stdout), once(child, 'close')]);
  return {status, raw, text: stripVTControlCharacters(raw).replaceAll('\r\n', '\n')};
}

describe('on a terminal', function () {
  this.timeout(60_000);
  before(function () {
    if (spawnSync('script', ['--version']).status !== 0) skip(this, 'no script of util-linux');
  });

  for (const line of ['nonsense', 'join openssh --nonsense', 'status --data-dir /nonexistent']) {
    it(`"${line}" says what it says elsewhere`, async () => {
      const elsewhere = await agentless(line.split(' '));
      const {status, text} = await onTerminal(line.split(' '));
      expect({status, text}).to.deep.equal({
        status: elsewhere.status,
        text: elsewhere.stderr + elsewhere.stdout,
      });
    });
  }

  it('a host joins and leaves, a line per step, in colours and with nothing drawn twice', async () => {
    const stage = await Stage.quick();
    try {
      const token = join(stage.root, 'token');
      writeFileSync(token, stage.cluster.token);
      const joined = await onTerminal([...stage.words, '--token-file', token]);
      expect(joined.status, joined.text).to.equal(0);
      expect(joined.text).to.match(
        /^Joining web1 .*\n\n(( {2}[a-z]+|warn:) .*\n)+\nJoined\. Log in with: .*\n$/,
      );
      const left = await onTerminal(['leave', '--data-dir', stage.dataDir]);
      expect(left.status, left.text).to.equal(0);
      // Colours only: no cursor is moved, no line cleared.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
      const controls = `${joined.raw}${left.raw}`.match(/\x1b\[[0-9;?]*[A-Za-z]/g) ?? [];
      expect(controls).to.not.be.empty;
      for (const control of controls) expect(control).to.match(/m$/);
    } finally {
      await stage.stop();
    }
  });
});
