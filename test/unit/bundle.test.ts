import {spawnSync} from 'node:child_process';
import {cpSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import {PROGRAM} from '../support/cli.js';

const PACKAGE = dirname(dirname(PROGRAM));

describe('the built program', function () {
  this.timeout(30_000);
  let place: string;

  beforeEach(() => {
    place = mkdtempSync(join(tmpdir(), 'agentless-bundle-'));
    for (const name of ['bin', 'dist', 'templates', 'package.json'])
      cpSync(join(PACKAGE, name), join(place, name), {recursive: true});
  });

  afterEach(() => rmSync(place, {recursive: true, force: true}));

  /** Without anything of our environment. */
  function run(...argv: readonly string[]) {
    const words = [join(place, 'bin/run.cjs'), ...argv];
    const {status, stdout, stderr} = spawnSync(process.execPath, words, {
      env: {},
      cwd: '/',
      encoding: 'utf8',
    });
    return {status, stdout, stderr};
  }

  it('runs from anywhere, and needs nothing but its package', () => {
    const {status, stdout, stderr} = run('status', '--data-dir', join(place, 'none'));
    expect({status, stderr}).to.deep.equal({status: 3, stderr: ''});
    expect(stdout).to.include('not joined');
  });

  it('is the same without its compiled code, and with one that another Node has made', () => {
    const usual = run('join', 'openssh', '--help');
    expect(usual.status).to.equal(0);
    expect(usual.stdout).to.include('--token-file');
    const compiled = join(place, 'dist/agentless.cjs.compiled');
    writeFileSync(compiled, 'of another Node');
    expect(run('join', 'openssh', '--help')).to.deep.equal(usual);
    rmSync(compiled);
    expect(run('join', 'openssh', '--help')).to.deep.equal(usual);
  });
});
