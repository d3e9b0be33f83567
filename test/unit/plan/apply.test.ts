import {lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../src/errors.js';
import {LocalHost} from '../../../src/host/local.js';
import {type ApplyOptions, apply, prune, recover} from '../../../src/plan/plan.js';
import type {Step} from '../../../src/plan/step.js';
import {CrashingHost} from '../../support/crashing-host.js';
import {skip} from '../../support/skip.js';
import {snapshot, temporaryTree} from '../../support/tree.js';

describe('applying a plan', () => {
  const host = new LocalHost();
  let root: string;
  let dataDir: string;
  let options: ApplyOptions;
  let at: (name: string) => string;

  beforeEach(() => {
    root = temporaryTree();
    at = (name) => join(root, name);
    dataDir = at('data');
    options = {dataDir, operation: 'test'};
    writeFileSync(at('file'), 'before');
  });

  afterEach(() => rmSync(root, {recursive: true, force: true}));

  const write = (name: string, text: string): Step => ({
    kind: 'path',
    path: at(name),
    to: {kind: 'file', bytes: Buffer.from(text)},
    why: 'test',
  });
  const command = (...argv: string[]): Step => ({kind: 'command', argv, why: 'tell the service'});

  async function errorOf(steps: readonly Step[], rest: Partial<ApplyOptions> = {}): Promise<unknown> {
    const before = await snapshot(root);
    const error: unknown = await apply(host, steps, {...options, ...rest}).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(await snapshot(root)).to.deep.equal(before);
    return error;
  }

  it('reports each step, and skips what holds by now', async () => {
    const seen: string[] = [];
    const steps = [write('file', 'before'), write('new', 'x'), command('true')];
    const {ino} = lstatSync(at('file'));
    await apply(host, steps, {...options, onStep: ({kind}, time) => seen.push(`${kind} ${time >= 0}`)});
    expect(seen).to.deep.equal(['path true', 'path true', 'command true']);
    expect(lstatSync(at('file')).ino).to.equal(ino);
    expect(readdirSync(dataDir)).to.deep.equal(['record.json']);
  });

  it('keeps no content in the journal, secret or not', async () => {
    const steps: Step[] = [
      {
        kind: 'path',
        path: at('key'),
        to: {kind: 'file', bytes: Buffer.from('TOP SECRET'), secret: true},
        why: 'test',
      },
      write('file', 'CONTENT'),
    ];
    let journal = '';
    await apply(host, steps, {
      ...options,
      settings: {cluster: 'c'},
      beforeCommit: async (note) => {
        await note({asked: true});
        journal = readFileSync(join(dataDir, 'journal.jsonl'), 'utf8');
      },
    });
    const lines = journal
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as {line: string});
    expect(lines.map(({line}) => line)).to.deep.equal(['header', 'begin', 'done', 'begin', 'done', 'note']);
    expect(lines[0]).to.deep.include({
      version: 1,
      operation: 'test',
      host: host.name,
      settings: {cluster: 'c'},
    });
    expect(lines[3]).to.deep.include({path: at('file'), saved: '1-file'});
    expect(journal + readFileSync(join(dataDir, 'record.json'), 'utf8')).not.to.match(/TOP SECRET|CONTENT/);
  });

  describe('ends with', () => {
    it('the error itself while nothing has been changed', async () => {
      const check: Step = {kind: 'check', argv: ['sh', '-c', 'echo why >&2; exit 5'], why: 'check it'};
      const error = await errorOf([check, write('new', 'x')]);
      expect(error).to.include({code: 'HOST_UNSUITABLE', restored: false, detail: 'why'});
      expect((error as Failure).message).to.match(/^check it: `sh .*` ended with status 5$/);
    });

    it('CHANGE_FAILED once something has been put back, with the words of what failed', async () => {
      const cause = new Failure('CLUSTER_UNREACHABLE', 'no answer', {hint: 'try later', detail: 'verbatim'});
      const error = await errorOf([write('new', 'x')], {beforeCommit: () => Promise.reject(cause)});
      expect(error).to.include({code: 'CHANGE_FAILED', exitCode: 7, message: 'no answer', hint: 'try later'});
      expect(error).to.include({detail: 'verbatim', restored: true, cause});
    });

    it('CHANGE_FAILED for a bug too, which is the cause', async () => {
      const cause = new TypeError('oops');
      const error = await errorOf([write('new', 'x')], {beforeCommit: () => Promise.reject(cause)});
      expect(error).to.include({code: 'CHANGE_FAILED', message: 'oops', cause, hint: undefined});
    });

    it('what a failing command says, on either channel', async () => {
      const error = await errorOf([write('new', 'x'), command('sh', '-c', 'echo out; exit 2')]);
      expect(error).to.include({code: 'CHANGE_FAILED', detail: 'out'});
      const killed = await errorOf([command('sh', '-c', 'kill -9 $$')]);
      expect((killed as Failure).message).to.include('was ended by a signal or took too long');
    });

    it('INTERRUPTED when the signal came first', async () => {
      const error = await errorOf([write('new', 'x')], {signal: AbortSignal.abort()});
      expect(error).to.include({code: 'INTERRUPTED', exitCode: 130, restored: false});
      expect((error as Failure).message).to.include('nothing was changed');
    });

    it('INTERRUPTED when the signal comes during the proof and ends it', async () => {
      const controller = new AbortController();
      const beforeCommit = async (): Promise<void> => {
        controller.abort();
        controller.signal.throwIfAborted();
      };
      const error = await errorOf([write('new', 'x')], {signal: controller.signal, beforeCommit});
      expect(error).to.include({code: 'INTERRUPTED', restored: true});
    });

    it('a refusal when a path has changed since the plan was made', async () => {
      const steps = await prune(host, [write('new', 'x'), write('file', 'after')]);
      writeFileSync(at('file'), 'theirs');
      const error = await errorOf(steps);
      expect(error).to.include({code: 'CHANGE_FAILED', restored: true, hint: 'run this again'});
      expect((error as Failure).message).to.include(`${at('file')} was changed by somebody else`);
    });

    it('a refusal when another transaction has come first on a host that had none', async () => {
      // Both have the same in mind for one of the files, so that this one tells nothing.
      const steps = await prune(host, [write('same', 'x'), write('other', 'ours')]);
      await apply(host, [write('same', 'x')], {...options, continues: null});
      const error = await errorOf(steps.slice(1), {continues: null});
      expect(error).to.include({code: 'HOST_UNSUITABLE', hint: 'run this again'});
      expect((error as Failure).message).to.include('another agentless has changed this host');
    });

    it('a refusal when something else stands in the way by now', async () => {
      mkdirSync(at('directory'));
      expect(((await errorOf([write('directory', 'x')])) as Failure).message).to.include(
        'is a directory, not a file',
      );
      symlinkSync('file', at('link'));
      expect(((await errorOf([write('link', 'x')])) as Failure).message).to.include('is a symbolic link');
    });

    it('words instead of an errno', async () => {
      const error = await errorOf([write('new', 'x'), write('missing/below', 'x')]);
      expect((error as Failure).message).to.equal(
        `cannot change ${at('missing/below')}: no such file or directory`,
      );
    });
  });

  it('is committed when the signal comes after the proof', async () => {
    const controller = new AbortController();
    await apply(host, [write('new', 'x')], {
      ...options,
      signal: controller.signal,
      beforeCommit: async () => controller.abort(),
    });
    expect(readFileSync(at('new'), 'utf8')).to.equal('x');
  });

  it('is not undone when only the record could not be written: the next run does that', async () => {
    const failing = new CrashingHost(host);
    failing.onOperation = (_, {kind, what}) => {
      if (kind === 'write' && what.endsWith('record.json'))
        throw Object.assign(new Error('EIO: i/o error'), {code: 'EIO'});
    };
    const warnings: string[] = [];
    await apply(failing, [write('new', 'x')], {...options, warn: (text) => warnings.push(text)});
    expect(warnings).to.deep.equal(['cannot write the ownership record: i/o error; the next run does it']);
    expect(await recover(host, dataDir)).to.include({outcome: 'finished', operation: 'test'});
    expect(readdirSync(dataDir)).to.deep.equal(['record.json']);
  });

  it('says when it cannot clear up', async () => {
    const failing = new CrashingHost(host);
    failing.onOperation = (_, {kind, what}) => {
      if (kind === 'remove' && what === dataDir)
        throw Object.assign(new Error('EIO: i/o error'), {code: 'EIO'});
    };
    const error: unknown = await apply(failing, [command('false')], options).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.include({code: 'RESTORE_INCOMPLETE'});
    expect((error as Failure).detail).to.include(`cannot clear up in ${dataDir}: i/o error`);
  });

  it('says when a settling command fails or cannot be run, and keeps the journal', async () => {
    const settle: Step = {
      kind: 'command',
      argv: ['true'],
      settle: ['sh', '-c', 'echo no >&2; exit 3'],
      why: 'test',
    };
    const error: unknown = await apply(
      host,
      [write('file', 'after'), settle, command('false')],
      options,
    ).catch((reason: unknown) => reason);
    expect(error).to.include({code: 'RESTORE_INCOMPLETE'});
    expect((error as Failure).detail)
      .to.include('ended with status 3: no')
      .and.to.include('to do by hand: sh -c');
    expect(readFileSync(at('file'), 'utf8')).to.equal('before');
    const broken = new CrashingHost(host, {at: 3, error: 'EIO'}, () => true);
    expect((await recover(broken, dataDir)).notes.join()).to.match(/(ended with status 3|injected)/);
  });

  it('undoes the last step first', async () => {
    const error = await errorOf([
      write('file', 'one'),
      write('file', 'two'),
      write('file', 'three'),
      command('false'),
    ]);
    expect(error).to.include({code: 'CHANGE_FAILED', restored: true});
  });

  it('tries once more what could not be undone at first', async () => {
    mkdirSync(at('directory'));
    const failing = new CrashingHost(host);
    let failed = 0;
    failing.onOperation = (_, {kind, what}) => {
      const isRestore = kind === 'copy' && what === at('file');
      if (isRestore && failed++ === 0) throw Object.assign(new Error('ENOSPC: no space'), {code: 'ENOSPC'});
    };
    const steps = [write('new', 'x'), write('file', 'after'), command('false')];
    const error: unknown = await apply(failing, steps, options).catch((reason: unknown) => reason);
    expect(error).to.include({code: 'CHANGE_FAILED', restored: true});
    expect(failed).to.equal(2);
    expect(readFileSync(at('file'), 'utf8')).to.equal('before');
  });

  it('puts back what a run cut off meanwhile has left, reports it, and wants a new plan', async () => {
    const cut = new CrashingHost(host, {at: 8, die: 'after'});
    await apply(cut, [write('file', 'after'), write('new', 'x')], options).catch(() => undefined);
    writeFileSync(at('file'), 'theirs');
    const warnings: string[] = [];
    const steps = [write('new', 'y')];
    const warn = (text: string) => warnings.push(text);
    const error: unknown = await apply(host, steps, {...options, warn}).catch((reason: unknown) => reason);
    expect(error).to.include({code: 'HOST_UNSUITABLE', hint: 'run this again'});
    expect(warnings.join()).to.include('was changed by somebody else');
    await apply(host, steps, {...options, warn});
    expect(readFileSync(at('new'), 'utf8')).to.equal('y');
  });

  describe('the data directory', () => {
    it('may be a symbolic link', async () => {
      mkdirSync(at('real'), {mode: 0o700});
      symlinkSync('real', dataDir);
      await errorOf([command('false')]);
      await apply(host, [write('new', 'x')], options);
      expect(readdirSync(at('real'))).to.deep.equal(['record.json']);
    });

    it('is refused when it is a file', async () => {
      const error = await errorOf([write('new', 'x')], {dataDir: at('file')});
      expect((error as Failure).message).to.equal(`the data directory ${at('file')} is not a directory`);
    });

    it('stays when it was there before', async () => {
      mkdirSync(dataDir, {mode: 0o700});
      await errorOf([write('new', 'x'), command('false')]);
    });

    it('is cleared away when others put it out of our hands between making and locking', async () => {
      const racing = new CrashingHost(host);
      let races = 0;
      racing.onOperation = (_, {kind}) => {
        if (kind === 'lock' && races++ < 2) rmSync(dataDir, {recursive: true});
      };
      await apply(racing, [write('new', 'x')], options);
      expect(races).to.equal(3);
    });

    it('is left to a run that has moved in', async () => {
      const racing = new CrashingHost(host);
      racing.onOperation = (_, {kind, what}) => {
        if (kind === 'remove' && what === dataDir) writeFileSync(join(dataDir, 'lock'), '');
      };
      const error: unknown = await apply(racing, [command('false')], options).catch(
        (reason: unknown) => reason,
      );
      expect(error).to.include({code: 'CHANGE_FAILED'});
      expect(readdirSync(dataDir)).to.deep.equal(['lock']);
      await recover(host, dataDir);
      expect(readdirSync(root)).to.deep.equal(['file']);
    });

    it('keeps a directory above it that others have come to use', async () => {
      const deep = join(root, 'above/data');
      const racing = new CrashingHost(host);
      racing.onOperation = (_, {kind, what}) => {
        if (kind === 'remove' && what === deep) writeFileSync(join(root, 'above/theirs'), '');
      };
      const error: unknown = await apply(racing, [command('false')], {...options, dataDir: deep}).catch(
        (reason: unknown) => reason,
      );
      expect(error).to.include({code: 'CHANGE_FAILED'});
      expect(readdirSync(join(root, 'above'))).to.deep.equal(['theirs']);
      expect(readdirSync(root).sort()).to.deep.equal(['above', 'file']);
    });

    it('that cannot be made is said with a hint', async function () {
      if (process.getuid?.() !== 0) skip(this, 'only root can be told that even root may not');
      const error: unknown = await apply(host, [write('new', 'x')], {
        ...options,
        dataDir: '/proc/agentless/data',
      }).catch((reason: unknown) => reason);
      expect(error).to.be.an.instanceOf(Failure);
      expect((error as Failure).message).to.include('cannot prepare /proc/agentless/data');
      expect((error as Failure).hint).to.be.a('string');
      expect(dirname(dataDir)).to.equal(root);
    });
  });
});
