import {execFileSync} from 'node:child_process';
import {chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../src/errors.js';
import {LocalHost} from '../../../src/host/local.js';
import {prune} from '../../../src/plan/plan.js';
import {sha256} from '../../../src/plan/state.js';
import type {Step, Target} from '../../../src/plan/step.js';
import {temporaryTree} from '../../support/tree.js';

describe('pruning a plan', () => {
  const host = new LocalHost();
  const bytes = Buffer.from('content');
  let root: string;
  let at: (name: string) => string;

  beforeEach(() => {
    root = temporaryTree();
    at = (name) => join(root, name);
    writeFileSync(at('file'), bytes);
    chmodSync(at('file'), 0o640);
    mkdirSync(at('directory'));
    chmodSync(at('directory'), 0o750);
  });

  afterEach(() => rmSync(root, {recursive: true}));

  const step = (name: string, to: Target | undefined): Step => ({
    kind: 'path',
    path: at(name),
    to,
    why: 'test',
  });
  const file = (rest: {mode?: number; bytes?: Uint8Array} = {}): Target => ({kind: 'file', bytes, ...rest});
  const check: Step = {kind: 'check', argv: ['true'], why: 'test'};
  const reload: Step = {kind: 'command', argv: ['true'], why: 'test'};

  async function refusal(...steps: readonly Step[]): Promise<Failure> {
    const error: unknown = await prune(host, steps).catch((reason: unknown) => reason);
    expect(error).to.be.an.instanceOf(Failure);
    expect(error).to.include({code: 'HOST_UNSUITABLE', exitCode: 6});
    return error as Failure;
  }

  it('drops what holds already, and with the last path everything', async () => {
    const steps = [
      step('file', file()),
      step('file', file({mode: 0o640})),
      step('directory', {kind: 'directory', mode: 0o750}),
      step('absent', undefined),
      check,
      reload,
    ];
    expect(await prune(host, steps)).to.deep.equal([]);
  });

  it('keeps what differs in bytes, in mode, or in being there, with what it was made from', async () => {
    const steps = [
      step('file', file({mode: 0o600})),
      step('directory', {kind: 'directory', mode: 0o700}),
      step('new', file()),
      reload,
    ];
    const seen = [sha256(bytes), 'directory', 'absent'];
    const wanted = steps.map((each, index) => (each.kind === 'path' ? {...each, seen: seen[index]} : each));
    expect(await prune(host, steps)).to.deep.equal(wanted);
    expect(await prune(host, [step('file', file({bytes: Buffer.from('other')}))])).to.have.length(1);
    expect(await prune(host, [step('file', undefined)])).to.have.length(1);
  });

  it('keeps a plan of commands alone', async () => {
    expect(await prune(host, [check, reload])).to.deep.equal([check, reload]);
  });

  it('judges a later step on a path by what an earlier one will have left', async () => {
    const steps = [step('file', undefined), step('file', file({mode: 0o640})), step('file', file())];
    const kept = await prune(host, steps);
    expect(kept).to.have.length(2);
    expect(kept[1]).to.not.have.property('seen');
  });

  it('goes behind symbolic links to the real file', async () => {
    symlinkSync('file', at('link'));
    const [kept] = await prune(host, [step('link', file({bytes: Buffer.from('other')}))]);
    expect(kept).to.include({path: at('file'), via: at('link')});
    expect(await prune(host, [step('link', file())])).to.deep.equal([]);
  });

  it('refuses a dangling link and names both ends', async () => {
    symlinkSync('/nowhere/at/all', at('link'));
    const failure = await refusal(step('link', file()));
    expect(failure.message).to.include(at('link')).and.to.include('/nowhere/at/all');
    await refusal(step('link', undefined));
  });

  it('refuses a FIFO without opening it, and a link to one', async () => {
    execFileSync('mkfifo', [at('fifo')]);
    symlinkSync('fifo', at('link'));
    expect((await refusal(step('fifo', file()))).message).to.equal(
      `${at('fifo')} is neither a file nor a directory`,
    );
    await refusal(step('link', file()));
  });

  it('replaces no directory by a file and no file by a directory', async () => {
    expect((await refusal(step('directory', file()))).message).to.equal(
      `${at('directory')} is a directory, not a file`,
    );
    await refusal(step('file', {kind: 'directory', mode: 0o755}));
  });
});
