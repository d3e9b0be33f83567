// The built program is killed while it changes what PAM does: at no moment, before and after whatever comes next has put
// things right, is anybody kept out, and /etc/pam.d ends up before or after.
//
// By default each operation in /etc/pam.d, before and after it, and of all others one in a few, before and after it in
// turns. CRASHES=all takes every operation from the first that concerns PAM to the last, before and after: some minutes.

import {readFileSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {skip} from '../support/skip.js';
import {SystemStage} from '../support/system-stage.js';
import type {Leaf} from '../support/tree.js';

const PRELOAD = fileURLToPath(new URL('../support/die-at.cjs', import.meta.url));
const ALL = process.env['CRASHES'] === 'all';

type Tree = Record<string, Leaf>;

/** What is killed: from which state, with which words, and from which operation on. */
interface Subject {
  readonly what: string;
  readonly from: 'stock' | 'joined';
  readonly words: (stage: SystemStage) => readonly string[];
  readonly first: RegExp;
  /** Of the operations elsewhere one in so many is taken. */
  readonly every: number;
}

const SUBJECTS: readonly Subject[] = [
  {what: 'a join', from: 'stock', words: ({words}) => words, first: /^mkdir \/etc\/agentless 1/, every: 20},
  {
    what: 'a join that takes PAM out',
    from: 'joined',
    words: ({words}) => [...words, '--no-pam'],
    first: /^append /,
    every: 36,
  },
  {what: 'a leave', from: 'joined', words: () => ['leave'], first: /^append /, every: 40},
];

describe('PAM, when the process is killed', function () {
  this.timeout(ALL ? 1_800_000 : 120_000);
  let stage: SystemStage;
  let log: string;

  before(async function () {
    const started = await SystemStage.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    stage = started;
    log = join(stage.space.directory, 'operations');
    await stage.joined();
    if (!stage.exists('/etc/pam.d/teleport')) skip(this, 'sshd does not use PAM here');
    // A hook that the site has switched on.
    stage.space.run('ln', '-s', '../../hooks/audit', '/etc/agentless/pam.d/open_session/10-audit');
    stage.keep('joined');
  });
  after(() => stage?.stop());

  async function run(
    words: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<number | null> {
    const {status} = await agentless(words, {
      prefix: stage.space.prefix,
      input: stage.cluster.token,
      env: {NODE_OPTIONS: `--require=${PRELOAD}`, ...env},
    });
    return status;
  }

  /** Every operation of a run that nothing happens to. */
  async function operationsOf({from, words}: Subject): Promise<readonly string[]> {
    await stage.back(from);
    // A record that an earlier test has taken away would be written in the first run only.
    if (from === 'joined') await stage.joined();
    await stage.back(from);
    rmSync(log, {force: true});
    expect(await run(words(stage), {DIE_LOG: log})).to.equal(0);
    return readFileSync(log, 'latin1').trim().split('\n');
  }

  function deaths(operations: readonly string[], {first, every}: Subject): readonly string[] {
    const begin = operations.findIndex((operation) => first.test(operation));
    expect(begin, `${first} in ${operations.join('\n')}`).to.not.equal(-1);
    return operations.slice(begin).flatMap((operation, index) => {
      if (ALL || operation.includes(' /etc/pam.d/')) return [`${operation} before`, `${operation} after`];
      if (index % every !== 0) return [];
      return [`${operation} ${(index / every) % 2 === 0 ? 'before' : 'after'}`];
    });
  }

  async function dies(words: readonly string[], at: string): Promise<void> {
    expect(await run(words, {DIE_AT: at}), `is killed: ${at}`).to.equal(null);
  }

  async function letsIn(what: string): Promise<void> {
    const {status, stdout, stderr} = await stage.loginByKey();
    expect([status, stdout], `${what}: ${stderr}\n${stage.log.slice(-500)}`).to.deep.equal([0, 'hello\n']);
  }

  /** Times of what was written are those of the writing. */
  const content = (tree: Tree) =>
    Object.fromEntries(Object.entries(tree).map(([path, {mtime: _mtime, ...leaf}]) => [path, leaf]));

  for (const subject of SUBJECTS)
    it(`nobody is kept out by ${subject.what}, nor by what comes next`, async () => {
      const operations = await operationsOf(subject);
      const [stock, joined] = [await stage.stock('pam.d'), await stage.kept('joined', 'pam.d')];
      for (const [index, at] of deaths(operations, subject).entries()) {
        await stage.back(subject.from);
        await dies(subject.words(stage), at);
        await letsIn(`${at}, and nothing after`);
        if (index % 2 === 0) {
          await stage.left(['--local']);
          expect(await stage.etc('pam.d'), `${at}, then leave`).to.deep.equal(stock);
          expect(stage.exists('/etc/agentless'), `${at}, then leave`).to.equal(false);
        } else {
          await stage.joined(['--yes']);
          const now = content(await stage.etc('pam.d'));
          const isOut = subject.what.includes('PAM out') && !('teleport' in now);
          expect(now, `${at}, then join`).to.deep.equal(content(isOut ? stock : joined));
          expect((await stage.login()).stdout, at).to.equal('hello\n');
        }
        await letsIn(`${at}, and what came next`);
        if (!subject.what.includes('PAM out'))
          expect(stage.space.run('find', '/etc', '-path', '/etc/agentless/*', '-xtype', 'l'), at).to.equal(
            '',
          );
      }
    });

  it('nothing is left of a rehearsal when the next one has been', async () => {
    const [joining] = SUBJECTS;
    if (joining === undefined) expect.fail();
    const staged = (await operationsOf(joining)).filter((line) =>
      /^rename \/etc\/pam\.d\/agentless-/.test(line),
    );
    expect(staged.length).to.be.greaterThan(0);
    const joined = await stage.kept('joined', 'pam.d');
    for (const at of staged.flatMap((operation) => [`${operation} before`, `${operation} after`])) {
      await stage.back();
      await dies(stage.words, at);
      await letsIn(at);
      await stage.joined();
      expect(content(await stage.etc('pam.d')), at).to.deep.equal(content(joined));
      expect(stage.names('/run').filter((name) => name.startsWith('agentless-'))).to.deep.equal([]);
    }
  });
});
