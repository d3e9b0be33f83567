import {spawn, spawnSync} from 'node:child_process';
import {chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {PROGRAM} from '../support/cli.js';
import {freePort} from '../support/free-port.js';
import {hasYaml, parseYaml} from '../support/parsers.js';
import {skip} from '../support/skip.js';

// docs/ci.md is run as it stands there.

const PAGE = readFileSync(new URL('../../docs/ci.md', import.meta.url), 'utf8');
const blocks = (kind: string) =>
  [...PAGE.matchAll(new RegExp(`^\`\`\`${kind}\n(.*?)^\`\`\`$`, 'gms'))].map(([, text = '']) => text);

describe('the recipe for pipelines', () => {
  let root: string;
  before(function () {
    if (spawnSync('curl', ['--version']).status !== 0) skip(this, 'curl is not installed');
  });
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'agentless-ci-'));
    for (const name of ['bin', 'tmp']) mkdirSync(join(root, name));
    const agentless = join(root, 'bin', 'agentless');
    writeFileSync(agentless, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
    chmodSync(agentless, 0o755);
  });
  afterEach(() => rmSync(root, {recursive: true, force: true}));

  const run = async (script: string) => {
    const PATH = `${join(root, 'bin')}:${process.env['PATH']}`;
    const env = {...process.env, PATH, PORT: String(await freePort()), TMPDIR: join(root, 'tmp')};
    const file = join(root, 'provisioning-test.sh');
    writeFileSync(file, script);
    return new Promise<{status: number | null; said: string}>((resolve) => {
      const child = spawn('sh', [file], {env, stdio: ['ignore', 'pipe', 'pipe']});
      const said: string[] = [];
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => said.push(data.toString()));
      child.once('close', (status) => resolve({status, said: said.join('')}));
    });
  };

  it('has one script, which has no finding of shellcheck', function () {
    expect(blocks('sh')).to.have.length(1);
    if (spawnSync('shellcheck', ['--version']).status !== 0) skip(this, 'shellcheck is not installed');
    const {stdout} = spawnSync('shellcheck', ['-s', 'sh', '-'], {
      input: blocks('sh')[0] ?? '',
      encoding: 'utf8',
    });
    expect(stdout).to.equal('');
  });

  it('works as it stands, within a minute, and leaves nothing', async () => {
    const start = performance.now();
    const {status, said} = await run(blocks('sh')[0] ?? '');
    expect(status, said).to.equal(0);
    expect(said).to.match(/provisioning works\n$/);
    expect(performance.now() - start).to.be.below(60_000);
    expect(readdirSync(join(root, 'tmp'))).to.deep.equal([]);
  });

  const broken: readonly (readonly [what: string, from: RegExp, to: string])[] = [
    ['joins nothing', /^provision$/m, ':'],
    ['gives other labels', /--labels env=ci/, '--labels env=other'],
    ['changes something each time', /^provision --json/m, 'provision --json --labels env=again'],
    ['lets others in', /--login somebody-else/, '--login "$(id -un)"'],
    ['does not leave', /^agentless leave .*$/m, ':'],
  ];
  for (const [what, from, to] of broken) {
    it(`notices provisioning that ${what}`, async () => {
      const script = blocks('sh')[0] ?? '';
      expect(script).to.match(from);
      const {status, said} = await run(script.replace(from, () => to));
      expect(status, said).not.to.equal(0);
      expect(said).not.to.contain('provisioning works');
    });
  }

  it('has pipelines that are YAML and run it', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    const [actions, gitlab] = parseYaml(blocks('yaml'));
    expect(actions.jobs.join.steps.at(-1)).to.deep.equal({run: 'sh provisioning-test.sh'});
    expect(gitlab.provisioning.script).to.deep.equal(['sh provisioning-test.sh']);
  });
});
