// Labels of a host behind ssh come from there: its cloud, its files, its programs. They pass a shell on the way as data.

import {chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {type Cloud, ec2, NO_CLOUD} from '../support/clouds.js';
import {type RemoteStage, startRemoteStage} from '../support/remote-stage.js';
import {envelope} from '../support/stage.js';

const HOSTILE = {
  quotes: `'"'"' " \\"`,
  substitution: '$(touch pwned) `touch pwned` $HOME',
  words: '; touch pwned & | > < * ~ # ! %s \\0101',
  unicode: 'naïve 東京',
};

describe('join openssh --host --labels-from', function () {
  this.timeout(120_000);
  let remote: RemoteStage;
  let bin: string;

  beforeEach(() => {
    bin = mkdtempSync('/tmp/agentless-labels-');
  });
  afterEach(async () => {
    await remote.stop();
    rmSync(bin, {recursive: true, force: true});
  });

  /** A program that only the host has on its PATH. */
  function program(name: string, text: string): void {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }

  async function labelsFrom(
    lines: readonly string[],
    words: readonly string[],
    env: Cloud['env'] = NO_CLOUD,
  ) {
    remote = await startRemoteStage(lines);
    const {stage, there} = remote;
    const argv = [...stage.words, ...there, ...words, '--token', '-', '--json'];
    const said = envelope(await agentless(argv, {input: stage.cluster.token, env, cwd: bin}));
    expect(said.exit, JSON.stringify(said)).to.equal(0);
    expect(existsSync(join(bin, 'pwned'))).to.equal(false);
    return stage.cluster.nodes().map((node) => node.labels);
  }

  it('runs its programs and reads its files', async () => {
    program('inventory', '#!/bin/sh\nprintf \'{"env": "command", "arg": "%s"}\' "$1"\n');
    mkdirSync(join(bin, 'there'));
    const file = join(bin, 'there', 'labels');
    writeFileSync(
      file,
      Object.entries(HOSTILE)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    const sources = [
      '--labels-from',
      `file:${file}`,
      '--labels-from',
      'command:inventory "$(touch pwned) b"',
    ];
    const labels = await labelsFrom([`SetEnv PATH=${bin}:/usr/bin:/bin`], sources);
    expect(labels).to.deep.equal([{...HOSTILE, env: 'command', arg: '$(touch pwned) b'}]);
  });

  for (const [name, lines] of [
    ['through ssh', []],
    ['by a relay where sshd forwards nothing', ['DisableForwarding yes']],
  ] as const) {
    it(`asks its cloud, ${name}`, async () => {
      await using cloud = await ec2({env: 'prod', ...HOSTILE});
      const labels = await labelsFrom(lines, ['--labels-from', 'cloud'], cloud.env);
      const tags = Object.entries({env: 'prod', ...HOSTILE}).map(([tag, value]) => [`aws/${tag}`, value]);
      expect(labels).to.deep.equal([Object.fromEntries(tags)]);
    });
  }
});
