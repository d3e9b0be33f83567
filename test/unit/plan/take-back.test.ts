import {execFileSync} from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../src/errors.js';
import {LocalHost} from '../../../src/host/local.js';
import {dataDirectory} from '../../../src/plan/data-directory.js';
import {apply, prune, recover} from '../../../src/plan/plan.js';
import {type OwnershipRecord, readRecord} from '../../../src/plan/record.js';
import type {Step} from '../../../src/plan/step.js';
import {lastingSteps, type Rules, takeBack} from '../../../src/plan/take-back.js';
import {CrashingHost} from '../../support/crashing-host.js';
import {snapshot, temporaryTree} from '../../support/tree.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');
const OURS = '# ours\n';

describe('the way back from the record', () => {
  const host = new LocalHost();
  let root: string;
  let dataDir: string;
  const at = (name: string) => join(root, name);
  const text = (name: string) => readFileSync(at(name), 'latin1');

  beforeEach(() => {
    root = temporaryTree();
    dataDir = at('data');
    writeFileSync(at('site.conf'), 'theirs\n', {mode: 0o640});
    mkdirSync(at('dir'), {mode: 0o711});
  });
  afterEach(() => rmSync(root, {recursive: true}));

  const write = (name: string, content: string): Step => {
    return {kind: 'path', path: at(name), to: {kind: 'file', bytes: bytes(content)}, why: name};
  };
  const directory = (name: string, mode = 0o755): Step => {
    return {kind: 'path', path: at(name), to: {kind: 'directory', mode}, why: name};
  };

  async function take(steps: readonly Step[]): Promise<void> {
    await apply(host, await prune(host, steps), {dataDir, operation: 'join', settings: {}});
  }

  const JOIN = () => [
    directory('dir'),
    directory('own'),
    write('own/a', 'a\n'),
    write('own/b', 'b\n'),
    write('data/identity', 'secret\n'),
    write('site.conf', `${OURS}theirs\n`),
  ];

  /** What others have changed is known by our line. */
  const without: Rules['without'] = ({before}, content) => {
    const theirs = Buffer.from(content).toString('latin1').replace(OURS, '');
    if (before.kind === 'absent') return theirs === '' ? 'gone' : undefined;
    return bytes(theirs);
  };

  async function recorded(): Promise<OwnershipRecord> {
    const record = await readRecord(host, dataDir);
    if (record === undefined) return expect.fail('there is no record');
    return record;
  }

  async function leave(rules: Partial<Rules> = {}) {
    const record = await recorded();
    const {steps, left} = await takeBack(host, record.changes, {
      directory: dataDirectory(dataDir),
      without,
      needed: () => undefined,
      gone: new Set(),
      ...rules,
    });
    const {transaction, made} = record;
    const keep = left.flatMap(({saved}) => saved ?? []);
    const {before, after} = lastingSteps(record);
    const options = {dataDir, operation: 'leave', ends: {transaction, made, keep}};
    await apply(host, [...before, ...steps, ...after], options);
    return {paths: left.map(({path}) => path.slice(root.length + 1)), left};
  }

  it('puts back everything that is as we left it, and the data directory goes', async () => {
    const before = await snapshot(root);
    await take(JOIN());
    expect((await leave()).left).to.deep.equal([]);
    expect(await snapshot(root)).to.deep.equal(before);
  });

  it('puts back directories and files that a transaction has removed', async () => {
    const before = await snapshot(root);
    const gone = (name: string): Step => ({kind: 'path', path: at(name), to: undefined, why: ''});
    await take([gone('dir'), gone('site.conf')]);
    expect(existsSync(at('dir'))).to.equal(false);
    await leave();
    expect(await snapshot(root)).to.deep.equal(before);
  });

  it('keeps a copy of what it may not put back, and with it the data directory', async () => {
    const gone: Step = {kind: 'path', path: at('site.conf'), to: undefined, why: ''};
    await take([gone]);
    writeFileSync(at('site.conf'), 'new\n');
    const {left} = await leave();
    expect(left[0]).to.include({reason: `${at('site.conf')} was changed by somebody else and is left alone`});
    expect(text('site.conf')).to.equal('new\n');
    expect(readdirSync(dataDir)).to.deep.equal(['saved']);
    expect(text('data/saved/kept-1-site.conf')).to.equal('theirs\n');
    expect(existsSync(at('.data.agentless-making'))).to.equal(false);
    expect((await recover(host, dataDir)).outcome).to.equal('nothing');
  });

  it('lets a mode stay that others have set since', async () => {
    await take(JOIN());
    chmodSync(at('dir'), 0o700);
    chmodSync(at('site.conf'), 0o600);
    await leave();
    const {dir, 'site.conf': site} = await snapshot(root);
    expect([dir?.mode, site?.mode, site?.content]).to.deep.equal(['700', '600', 'theirs\n']);
  });

  it('takes only our part out of what others have changed, by content or by removing our copy', async () => {
    await take(JOIN());
    writeFileSync(at('site.conf'), `new\n${OURS}theirs\n`);
    expect((await leave()).left).to.deep.equal([]);
    expect(text('site.conf')).to.equal('new\ntheirs\n');
    await take([write('site.conf', `${OURS}new\ntheirs\n`)]);
    rmSync(at('data/saved'), {recursive: true});
    expect((await leave()).left).to.deep.equal([]);
    expect(text('site.conf')).to.equal('new\ntheirs\n');
  });

  it('says where neither a copy nor our part is known', async () => {
    await take(JOIN());
    writeFileSync(join(dataDir, 'saved', readdirSync(join(dataDir, 'saved'))[0] ?? ''), 'damaged');
    const {left, paths} = await leave({without: () => undefined});
    expect(paths).to.deep.equal(['site.conf']);
    expect(left[0]?.reason).to.match(/its copy \S+ is missing or damaged$/);
    expect(text('site.conf')).to.equal(`${OURS}theirs\n`);
  });

  it('has nothing to write where others have taken our part out already', async () => {
    await take(JOIN());
    writeFileSync(at('site.conf'), 'theirs, without\n');
    expect((await leave()).left).to.deep.equal([]);
    expect(text('site.conf')).to.equal('theirs, without\n');
  });

  it('removes a file of ours that holds nothing of others any more, and in the data directory any', async () => {
    await take(JOIN());
    writeFileSync(at('own/a'), OURS);
    writeFileSync(at('data/identity'), 'anything');
    expect((await leave()).left).to.deep.equal([]);
    expect(existsSync(at('own'))).to.equal(false);
    expect(existsSync(dataDir)).to.equal(false);
  });

  it('leaves what is needed, what is foreign, and the directories that hold it', async () => {
    await take(JOIN());
    writeFileSync(at('own/b'), 'foreign\n');
    const needed = (path: string) => (path === at('own/a') ? 'is left because of a test' : undefined);
    const {paths, left} = await leave({needed});
    expect(paths).to.deep.equal(['own/b', 'own/a', 'own']);
    expect(left.map(({reason}) => reason.slice(root.length))).to.deep.equal([
      '/own/b was changed by somebody else and is left alone',
      '/own/a is left because of a test',
      '/own is left because it holds a, b',
    ]);
  });

  it('leaves what a file that stays may name', async () => {
    await take([...JOIN(), write('site.conf', 'include b\n')]);
    writeFileSync(at('site.conf'), 'include b, please\n');
    const {paths} = await leave({without: () => undefined});
    expect(paths).to.deep.equal(['site.conf', 'own/b', 'own']);
    expect(text('own/b')).to.equal('b\n');
  });

  it('follows no link and opens no special file, and reads behind a link what may be needed', async () => {
    await take([...JOIN(), write('site.conf', 'include b\n')]);
    rmSync(at('site.conf'));
    writeFileSync(at('elsewhere'), 'include b\n');
    symlinkSync('elsewhere', at('site.conf'));
    rmSync(at('own/a'));
    execFileSync('mkfifo', [at('own/a')]);
    const {paths, left} = await leave();
    expect(paths).to.deep.equal(['site.conf', 'own/b', 'own/a', 'own']);
    expect(left[0]?.reason).to.match(/is a symbolic link to elsewhere now$/);
    expect(text('elsewhere')).to.equal('include b\n');
  });

  it('says that a file is gone, and keeps the copy; of directories and of our own files nothing is lost', async () => {
    await take(JOIN());
    for (const name of ['site.conf', 'dir', 'own']) rmSync(at(name), {recursive: true});
    const {left} = await leave();
    expect(left.map(({reason}) => reason.slice(root.length))).to.deep.equal([
      '/site.conf was removed by somebody else',
    ]);
    expect(text('data/saved/kept-1-site.conf')).to.equal('theirs\n');
  });

  it('leaves a directory where a file of ours was, and a file where our directory was', async () => {
    await take(JOIN());
    rmSync(at('own'), {recursive: true});
    writeFileSync(at('own'), 'x');
    rmSync(at('site.conf'));
    mkdirSync(at('site.conf'));
    expect((await leave()).paths).to.deep.equal(['site.conf', 'own']);
  });

  it('is refused when the record has changed since the plan was made', async () => {
    await take(JOIN());
    const {transaction, made} = await recorded();
    await take([write('own/c', 'c\n')]);
    const ends = {transaction, made, keep: []};
    const error: unknown = await apply(host, [], {dataDir, operation: 'leave', ends}).catch(
      (reason) => reason,
    );
    expect(error).to.be.an.instanceOf(Failure);
    expect((error as Failure).message).to.include('another agentless has changed this host');
    expect(await recorded())
      .to.have.property('transaction')
      .that.is.not.equal(transaction);
  });

  it('says it when the end is cut off after the commit, and the next run finishes it', async () => {
    await take(JOIN());
    const {transaction, made} = await recorded();
    const full = new CrashingHost(host, {at: 5, error: 'EROFS'});
    const said: string[] = [];
    await apply(full, [], {
      dataDir,
      operation: 'leave',
      ends: {transaction, made, keep: []},
      warn: (line) => said.push(line),
    });
    expect(said.join()).to.match(/cannot clear \S+data: .*; the next run does it/);
    expect((await recover(host, dataDir)).outcome).to.equal('finished');
  });

  describe('with commands whose effect lasts', () => {
    const timer = (): Step[] => [
      write('timer', 'unit\n'),
      {
        kind: 'command',
        argv: ['cp', at('timer'), at('enabled')],
        settle: ['touch', at('settled')],
        lasting: {before: ['rm', at('enabled')], after: ['touch', at('reloaded')]},
        why: 'enable',
      },
    ];

    it('runs what takes them back, before and after the files go', async () => {
      await take(JOIN());
      await take(timer());
      // A second time: it is known once.
      await take([...timer(), write('own/c', '')].map((step) => (step.kind === 'path' ? {...step} : step)));
      expect((await recorded()).lasting).to.have.length(1);
      expect((await leave()).left).to.deep.equal([]);
      expect(['enabled', 'reloaded', 'timer', 'settled'].map((name) => existsSync(at(name)))).to.deep.equal([
        false,
        true,
        false,
        false,
      ]);
    });

    it('gives them again when leaving fails', async () => {
      await take(timer());
      const {transaction, made, changes} = await recorded();
      const before = await snapshot(root);
      const {steps} = await takeBack(host, changes, {
        directory: dataDirectory(dataDir),
        without,
        needed: () => undefined,
        gone: new Set(),
      });
      const wrong: Step = {kind: 'check', argv: ['false'], why: 'seen to be wrong'};
      const [first, ...others] = steps;
      const failing = [...lastingSteps(await recorded()).before, ...(first ? [first] : []), wrong, ...others];
      const error: unknown = await apply(host, failing, {
        dataDir,
        operation: 'leave',
        ends: {transaction, made, keep: []},
      }).catch((reason: unknown) => reason);
      expect(error).to.include({code: 'CHANGE_FAILED', restored: true});
      const {enabled, ...after} = await snapshot(root);
      const {enabled: was, ...known} = before;
      expect(after).to.deep.equal(known);
      expect(enabled?.content).to.equal(was?.content);
    });

    it('takes them back while the files are there when the transaction itself is undone', async () => {
      const fail = {
        dataDir,
        operation: 'renew',
        beforeCommit: () => Promise.reject(new Failure('USAGE', 'no')),
      };
      const error: unknown = await apply(host, await prune(host, timer()), fail).catch((reason) => reason);
      expect(error).to.include({code: 'CHANGE_FAILED'});
      expect(['enabled', 'settled', 'timer'].map((name) => existsSync(at(name)))).to.deep.equal([
        false,
        true,
        false,
      ]);
    });

    it('says which of them could not be taken back', async () => {
      const [path, command] = timer();
      const broken = {...command, lasting: {before: ['false']}} as Step;
      const fail = {
        dataDir,
        operation: 'renew',
        beforeCommit: () => Promise.reject(new Failure('USAGE', 'no')),
      };
      const steps = await prune(host, [path as Step, broken]);
      const error: unknown = await apply(host, steps, fail).catch((reason) => reason);
      expect(error).to.include({code: 'RESTORE_INCOMPLETE'});
      expect((error as Failure).detail).to.include('false ended with status 1');
      const {outcome, notes} = await recover(host, dataDir);
      expect(outcome).to.equal('undone');
      expect(notes.join()).to.include('to do by hand: false');
    });
  });
});
