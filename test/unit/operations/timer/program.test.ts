import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../../src/errors.js';
import {LocalHost} from '../../../../src/host/local.js';
import {lastingProgram} from '../../../../src/operations/timer/program.js';
import {skip} from '../../../support/skip.js';

describe('the program that a timer calls', () => {
  const host = new LocalHost();
  const node = realpathSync(process.execPath);
  // Not under /tmp, which is what this is about.
  let root: string;
  let script: string;
  before(function () {
    if (process.getuid?.() !== 0)
      skip(this, 'only root has a directory that nobody else writes, outside of /tmp');
  });
  beforeEach(() => {
    root = mkdtempSync('/root/timer-program-');
    mkdirSync(join(root, 'bin'));
    script = join(root, 'bin/run.js');
    writeFileSync(script, '');
  });
  afterEach(() => rmSync(root, {recursive: true}));

  const call = (rest: Partial<Parameters<typeof lastingProgram>[1]> = {}) =>
    lastingProgram(host, {node, options: [], script, env: {}, ...rest});
  async function refusal(rest: Parameters<typeof call>[0]): Promise<Failure> {
    const error: unknown = await call(rest).catch((reason: unknown) => reason);
    if (!(error instanceof Failure)) throw new Error(`not refused: ${JSON.stringify(error)}`);
    expect(error.code).to.equal('HOST_UNSUITABLE');
    expect(error.hint).to.be.a('string');
    return error;
  }

  it('is node and the script, by the names they were called by', async () => {
    expect(await call()).to.deep.equal({words: [node, script], warnings: []});
    const link = join(root, 'agentless');
    symlinkSync('bin/run.js', link);
    expect((await call({script: link})).words).to.deep.equal([node, link]);
  });

  it('is the link on PATH that leads to this node, for that outlives the next version', async () => {
    const link = join(root, 'bin/node');
    symlinkSync(node, link);
    const other = join(root, 'node');
    copyFileSync('/bin/true', other);
    expect((await call({env: {PATH: `relative:${root}:${root}/bin:/usr/bin`}})).words[0]).to.equal(link);
    expect((await call({env: {PATH: root}})).words[0]).to.equal(node);
  });

  it('is refused where it will be gone, under its name or behind a link', async () => {
    const cache = join(root, '.npm/_npx/0123abcd/node_modules/agentless/bin');
    mkdirSync(cache, {recursive: true});
    const cached = join(cache, 'run.js');
    writeFileSync(cached, '');
    const fleeting = mkdtempSync('/tmp/timer-program-');
    writeFileSync(join(fleeting, 'run.js'), '');
    symlinkSync(join(fleeting, 'run.js'), join(root, 'linked'));
    symlinkSync(node, join(fleeting, 'node'));
    try {
      for (const one of [cached, join(fleeting, 'run.js'), join(root, 'linked')]) {
        const {message, hint} = await refusal({script: one});
        expect(message, one).to.match(/ will not be there when the timer calls it$/);
        expect(hint).to.include('npm install --global agentless');
      }
      expect((await refusal({node: join(fleeting, 'node')})).message).to.include('will not be there');
      expect((await refusal({env: {TMPDIR: `${root}/`}})).message).to.include('will not be there');
      expect((await call({env: {PATH: fleeting}})).words[0]).to.equal(node);
    } finally {
      rmSync(fleeting, {recursive: true});
    }
  });

  it('is refused where it cannot be called at all, or from its source', async () => {
    for (const one of ['', 'bin/run.js', join(root, 'missing.js')])
      expect((await refusal({script: one})).message).to.match(/^a timer cannot call /);
    writeFileSync(join(root, 'bin/dev.js'), '');
    for (const rest of [
      {script: join(root, 'bin/dev.js')},
      {script: join(root, 'main.ts')},
      {options: ['--import', 'tsx']},
    ])
      expect((await refusal(rest)).message).to.include('from its source');
  });

  it('is refused where others can write it, or a directory on the way', async () => {
    for (const [path, mode] of [
      [script, 0o646],
      [root, 0o757],
      [join(root, 'bin'), 0o777],
    ] as const) {
      chmodSync(path, mode);
      expect((await refusal({})).message).to.equal(
        `${path} can be written by others, and a timer would run it as root`,
      );
      chmodSync(path, 0o755);
    }
    chmodSync(script, 0o664);
    await call();
    chownSync(script, 0, 1234);
    expect((await refusal({})).message).to.include('can be written by others');
  });

  it('is called with a warning where it belongs to somebody else', async () => {
    chownSync(join(root, 'bin'), 1234, 1234);
    expect((await call()).warnings).to.deep.equal([
      `${join(root, 'bin')} belongs to user 1234, who decides by that what root runs`,
    ]);
  });
});
