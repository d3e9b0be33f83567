import {existsSync, mkdirSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {agentless, type CliOptions} from '../support/cli.js';
import {azure, type Cloud, ec2, gcp, NO_CLOUD, secured} from '../support/clouds.js';
import {refused} from '../support/refusal.js';
import {envelope, Stage} from '../support/stage.js';

// Labels that nobody types: from a cloud, a file, a command; with the real program, sshd and cluster.

/** Each of them would do something in a shell, a terminal or a file of another format. */
const HOSTILE = {
  quotes: `'"'"' " \\"`,
  substitution: '$(touch pwned) `touch pwned` $HOME',
  words: '; touch pwned & | > < * ~ # ! %',
  template: '{{ labels }} {% raw %}',
  unicode: 'naïve 東京 \u202e rtl 🎌',
  blank: '',
};

describe('join openssh --labels-from', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.quick();
    mkdirSync(join(stage.root, 'l'));
  });
  afterEach(() => stage.stop());

  const file = (name: string, text: string, mode = 0o644) => {
    const path = join(stage.root, 'l', name);
    writeFileSync(path, text, {mode});
    return path;
  };
  const joinFrom = (sources: readonly string[], words: readonly string[] = [], options: CliOptions = {}) =>
    stage.joinJson([...sources.flatMap((one) => ['--labels-from', one]), ...words], {
      env: NO_CLOUD,
      ...options,
    });
  const again = async (words: readonly string[] = [], env: Cloud['env'] = NO_CLOUD) =>
    envelope(await agentless([...stage.words, ...words, '--json'], {env}));
  const renew = async (words: readonly string[] = [], env: Cloud['env'] = NO_CLOUD) =>
    envelope(
      await agentless(
        ['renew', '--data-dir', stage.dataDir, '--ca-file', stage.cluster.caFile, ...words, '--json'],
        {env},
      ),
    );
  const labels = () => stage.cluster.nodes().map((node) => node.labels);

  it('takes tags of the cloud as they are, whatever they hold, and typed ones win', async () => {
    await using cloud = await ec2({env: 'prod', ...HOSTILE, 'two words': 'x', 'a\u001bb': 'y'});
    const joined = await joinFrom(['cloud'], ['--labels', 'aws/env=typed,x=y'], {
      env: cloud.env,
      cwd: stage.root,
    });
    expect(joined.exit, JSON.stringify(joined)).to.equal(0);
    const tags = Object.entries(HOSTILE).map(([name, value]) => [`aws/${name}`, value]);
    expect(labels()).to.deep.equal([{...Object.fromEntries(tags), 'aws/env': 'typed', x: 'y'}]);
    expect(joined.result.node.labels).to.deep.equal(labels()[0]);
    const [warning, ...others] = joined.warnings.filter((text) => /cannot be labels/.test(text));
    expect(warning).to.equal('tags of EC2 that cannot be labels are left out: aws/two words, aws/a?b');
    expect(others).to.deep.equal([]);
    expect(existsSync(join(stage.root, 'pwned'))).to.equal(false);
  });

  it('takes the labels of GCP and the tags of Azure under the names that the agent gives them', async () => {
    await using google = await gcp({labels: {env: 'prod'}});
    expect((await joinFrom(['cloud'], [], {env: google.env})).exit).to.equal(0);
    expect(labels()).to.deep.equal([{'gcp/label/env': 'prod'}]);
    await using microsoft = await azure([{name: 'env', value: 'test'}]);
    expect((await again([], microsoft.env)).changed).to.equal(true);
    expect(labels()).to.deep.equal([{'azure/env': 'test'}]);
  });

  it('reads the labels of GCP by TLS, from nobody whose certificate it cannot verify', async () => {
    await using google = await gcp({labels: {env: 'prod'}});
    await using api = await secured(google.env['AGENTLESS_GCP_COMPUTE_ENDPOINT'] ?? '');
    const env = {...google.env, AGENTLESS_GCP_COMPUTE_ENDPOINT: api.url};
    const says = /labels of this virtual machine cannot be read/;
    const unverified = {
      exit: 6,
      code: 'HOST_UNSUITABLE',
      says,
      detail: /does not answer \(\w*(CERT|ISSUER|SIGNATURE)/,
    };
    await refused(stage, unverified, ['--labels-from', 'cloud'], {env});
    expect(google.asked.filter((line) => line.includes('/compute/'))).to.deep.equal([]);
    const trusting = {...env, NODE_EXTRA_CA_CERTS: file('ca.pem', api.authority)};
    expect((await joinFrom(['cloud'], [], {env: trusting})).exit).to.equal(0);
    expect(labels()).to.deep.equal([{'gcp/label/env': 'prod'}]);
  });

  it('takes them from files and commands, without a shell; the later wins', async () => {
    const lines = Object.entries(HOSTILE).map(([name, value]) => `${name}=${value}`);
    const text = file('text', `# of this host\n${lines.join('\n')}\nenv=file\n`);
    const script = file('script', '#!/bin/sh\nprintf \'{"env": "command", "arg": "%s"}\' "$1"\n', 0o755);
    const sources = [`file:${text}`, `command:${script} "$(touch pwned) b"`];
    const joined = await joinFrom(sources, [], {cwd: stage.root});
    expect(joined.exit, JSON.stringify(joined)).to.equal(0);
    expect(labels()).to.deep.equal([{...HOSTILE, env: 'command', arg: '$(touch pwned) b'}]);
    expect(existsSync(join(stage.root, 'pwned'))).to.equal(false);
  });

  it('shows them in a dry run, which changes nothing', async () => {
    const text = file('text', 'env=prod\nteam=a\n');
    const {status, stdout, stderr} = await stage.join(['--labels-from', `file:${text}`, '--dry-run']);
    expect(status, stderr).to.equal(0);
    expect(stdout).to.match(/^register {3}node web1, .*, labels env=prod,team=a$/m);
    expect(stderr).to.match(/^ {2}labels {5}2 labels from the file \S+/m);
    expect(stage.cluster.nodes()).to.deep.equal([]);
    expect(existsSync(stage.dataDir)).to.equal(false);
  });

  it('remembers where they come from: a second join changes nothing until they do', async () => {
    const text = file('text', 'env=prod\n');
    await joinFrom([`file:${text}`], ['--labels', 'x=y']);
    expect((await again()).changed).to.equal(false);
    expect((await again(['--labels-from', `file:${text}`])).changed).to.equal(false);
    file('text', 'env=test\nx=file\n');
    const host = await stage.host();
    expect((await again()).changed).to.equal(true);
    expect(labels()).to.deep.equal([{env: 'test', x: 'y'}]);
    expect(await stage.host(), 'only the record').to.deep.equal(host);
    expect((await again()).changed).to.equal(false);
    expect((await again(['--labels', 'z=z'])).changed).to.equal(true);
    expect(labels()).to.deep.equal([{env: 'test', x: 'file', z: 'z'}]);
  });

  it('finds them out again at each renewal', async () => {
    const text = file('text', 'env=prod\n');
    await joinFrom([`file:${text}`], ['--labels', 'x=y']);
    expect((await renew()).changed).to.equal(false);
    file('text', 'env=test\n');
    const due = ['the node record has other labels than it should'];
    const check = await renew(['--check']);
    expect([check.exit, check.result.due]).to.deep.equal([3, due]);
    expect(labels()).to.deep.equal([{env: 'prod', x: 'y'}]);
    const renewed = await renew();
    expect([renewed.changed, renewed.result.due]).to.deep.equal([true, due]);
    expect(labels()).to.deep.equal([{env: 'test', x: 'y'}]);
    expect((await renew()).changed).to.equal(false);
  });

  it('keeps what it knew, with a warning, where a remembered source fails; renewing is about more than labels', async () => {
    const text = file('text', 'env=prod\n');
    await joinFrom([`file:${text}`]);
    rmSync(text);
    for (const outcome of [await renew(), await again()]) {
      expect([outcome.exit, outcome.changed]).to.deep.equal([0, false]);
      expect(outcome.warnings.join('\n')).to.match(/labels stay as they are: .*it is not there/);
    }
    expect((await again(['--labels', 'x=y'])).changed).to.equal(true);
    expect(labels()).to.deep.equal([{env: 'prod', x: 'y'}]);
  });

  it('remembers a source that says nothing new, and forgets all by none', async () => {
    const text = file('text', 'env=prod\n');
    await stage.join(['--labels', 'env=prod']);
    const told = await again(['--labels-from', `file:${text}`]);
    expect([told.exit, told.changed]).to.deep.equal([0, true]);
    file('text', 'team=a\n');
    expect((await again()).changed).to.equal(true);
    expect(labels()).to.deep.equal([{env: 'prod', team: 'a'}]);
    expect((await again(['--labels-from', 'none'])).changed).to.equal(true);
    expect(labels()).to.deep.equal([{env: 'prod'}]);
    expect((await again()).changed).to.equal(false);
  });

  it('refuses before anything else what gives no labels', async () => {
    const failing = file('failing', '#!/bin/sh\necho "no inventory" >&2\nexit 3\n', 0o755);
    const odd = file('odd', '#!/bin/sh\nprintf "a=\\377\\n"\n', 0o755);
    const noLabels: readonly (readonly [string, number, string, RegExp])[] = [
      ['cloud', 6, 'HOST_UNSUITABLE', /no cloud says that this host is one of its machines/],
      [`file:${stage.root}/l`, 2, 'USAGE', /it is no file/],
      [`file:${stage.root}/none`, 2, 'USAGE', /it is not there/],
      [`file:${file('bad', 'nothing')}`, 2, 'USAGE', /line 1 is not name=value/],
      [`file:${file('latin1', 'x')}`, 2, 'USAGE', /line 1/],
      [`command:${failing}`, 2, 'USAGE', /failed with status 3/],
      ['command:no-such-program-here', 2, 'USAGE', /cannot be found/],
      [`command:${odd}`, 2, 'USAGE', /is not UTF-8/],
      ['somewhere', 2, 'USAGE', /does not know "somewhere"/],
    ];
    for (const [source, exit, code, says] of noLabels)
      await refused(stage, {exit, code, says}, ['--labels-from', source], {env: NO_CLOUD});
    const said = await refused(stage, {exit: 2, code: 'USAGE'}, ['--labels-from', `command:${failing}`]);
    expect(said.error?.detail).to.equal('no inventory');
  });
});
