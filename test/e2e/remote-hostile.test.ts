// Hostile labels and names through a join by ssh: what may be is registered as it was typed, and nothing else is tried.

import {existsSync} from 'node:fs';
import {expect} from 'chai';
import fc from 'fast-check';
import {checkNodeName} from '../../src/ssh/principals.js';
import {agentless} from '../support/cli.js';
import {joinsOf} from '../support/refusal.js';
import {type RemoteStage, startRemoteStage} from '../support/remote-stage.js';
import {envelope, type Stage} from '../support/stage.js';

const TRACE = '/tmp/agentless-hostile-label';

/** Pieces that mean something to a shell, to printf or to sed. */
const piece = fc.oneof(
  fc.constantFrom(
    "'",
    '\\',
    `$(touch ${TRACE})`,
    `\`touch ${TRACE}\``,
    '%s%n%%',
    '\\n\\0101',
    '-e',
    ';',
    '&&',
    '|',
    '>',
    '<',
    '*',
    '~',
    '!!',
    '#',
    '=',
    ',',
    '{a,b}',
    '\t',
    '\n',
    'ü',
    '\u{1f600}',
    '@@',
  ),
  fc.string({unit: 'grapheme', maxLength: 20}),
);
/** What stands between double quotes. */
const value = fc
  .array(piece, {maxLength: 8})
  .map((parts) => parts.join('').replaceAll(/["\0]/g, ''))
  .map((text) => text.slice(0, 200).replaceAll(/\p{Cs}/gu, '_'));
const key = fc.stringMatching(/^[a-zA-Z0-9/._:*-]{1,40}$/);
const badName = fc
  .array(piece, {minLength: 1, maxLength: 6})
  .map((parts) => parts.join('').replaceAll('\0', ''))
  .filter((text) => checkNodeName(text) !== undefined);

describe('a join by ssh with hostile words', function () {
  this.timeout(120_000);
  let remote: RemoteStage;
  let stage: Stage;

  before(async () => {
    remote = await startRemoteStage();
    ({stage} = remote);
  });
  after(() => remote?.stop());
  afterEach(() => expect(existsSync(TRACE)).to.equal(false));

  const joining = async (words: readonly string[]) =>
    envelope(
      await agentless([...stage.words, ...remote.there, ...words, '--token', '-', '--json'], {
        input: stage.cluster.token,
      }),
    );

  it('registers labels as they were typed', async () => {
    const before = await stage.host();
    for (const labels of fc.sample(fc.dictionary(key, value, {minKeys: 10, maxKeys: 30}), {
      numRuns: 2,
      seed: 3,
    })) {
      const words = Object.entries(labels).map(([name, text]) => `${name}="${text}"`);
      const joined = await joining(['--labels', words.join(',')]);
      expect(joined.exit, JSON.stringify(joined)).to.equal(0);
      expect(joined.result.node.labels).to.deep.equal({...labels});
      const [node] = stage.cluster.nodes();
      expect(node?.labels).to.deep.equal({...labels});
      // By what the host itself has kept of it.
      const status = envelope(
        await agentless(['status', '--data-dir', stage.dataDir, ...remote.there, '--json']),
      );
      expect(status.result.node.labels, JSON.stringify(status)).to.deep.equal({...labels});
      const again = await joining([]);
      expect([again.exit, again.changed], JSON.stringify(again)).to.deep.equal([0, false]);
      const left = await agentless(['leave', '--data-dir', stage.dataDir, ...remote.there]);
      expect(left.status, left.stderr).to.equal(0);
      expect(await stage.host()).to.deep.equal(before);
      for (const {id} of stage.cluster.nodes()) stage.cluster.removeNode(id);
    }
  });

  it('refuses names that no node may have, and changes nothing', async () => {
    const before = await stage.host();
    const joins = joinsOf(stage);
    for (const name of fc.sample(badName, {numRuns: 12, seed: 5})) {
      // Given in one word, for a name may look like a flag.
      const words = stage.words.filter(
        (word, index) => word !== '--hostname' && stage.words[index - 1] !== '--hostname',
      );
      const ended = envelope(
        await agentless([...words, ...remote.there, `--hostname=${name}`, '--token', '-', '--json'], {
          input: stage.cluster.token,
        }),
      );
      expect(
        [ended.exit, ended.error?.code],
        `${JSON.stringify(name)} ${JSON.stringify(ended)}`,
      ).to.deep.equal([2, 'USAGE']);
    }
    expect(await stage.host()).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
    expect(joinsOf(stage), 'no token is spent').to.equal(joins);
    expect(stage.cluster.nodes()).to.deep.equal([]);
  });

  it('takes no hostile word for a machine to work at', async () => {
    for (const host of fc.sample(badName, {numRuns: 12, seed: 11})) {
      const ended = envelope(
        await agentless([
          'status',
          `--host=-oProxyCommand=${host}`,
          '--ssh-config',
          remote.sshConfig,
          '--json',
        ]),
      );
      expect([ended.exit, ended.error?.code], JSON.stringify(ended)).to.deep.equal([2, 'USAGE']);
    }
  });

  it('hands a strange host name on to ssh as one word', async () => {
    for (const host of ['%h', '*', '~root', 'a,b', '!a', 'a=b']) {
      const ended = envelope(
        await agentless(['status', `--host=${host}`, '--ssh-config', remote.sshConfig, '--json']),
      );
      expect([ended.exit, ended.error?.code], JSON.stringify(ended)).to.deep.equal([6, 'HOST_UNREACHABLE']);
      expect(ended.error?.message).to.equal(`no connection to ${host} by ssh`);
    }
  });
});
