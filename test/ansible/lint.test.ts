// What Ansible's own tools say of the collection.

import {cpSync, mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';
import {ansibleProgram, runAnsible} from '../support/ansible.js';
import {skip} from '../support/skip.js';

const COLLECTION = fileURLToPath(new URL('../../ansible', import.meta.url));

describe('the collection of Ansible', function () {
  this.timeout(300_000);
  let home: string;
  let copy: string;

  beforeEach(() => {
    home = mkdtempSync('/tmp/agentless-lint-');
    // ansible-lint leaves things behind.
    copy = join(home, 'collections/ansible_collections/agentless/openssh');
    cpSync(COLLECTION, copy, {recursive: true});
  });
  afterEach(() => rmSync(home, {recursive: true, force: true}));

  const run = async (context: Mocha.Context, name: string, words: readonly string[]) => {
    const program = ansibleProgram(name);
    if (program === undefined) skip(context, `no ${name} on PATH, nor in a directory that ANSIBLE names`);
    // ansible-lint looks for the others on PATH.
    const path = `${join(program, '..')}:${process.env['PATH']}`;
    return runAnsible(program, words, home, {PATH: path});
  };

  it('passes ansible-lint, profile production', async function () {
    const {status, output} = await run(this, 'ansible-lint', [
      '--offline',
      '--nocolor',
      '--strict',
      '--profile=production',
      `--project-dir=${copy}`,
      copy,
    ]);
    expect(status, output).to.equal(0);
    expect(output).to.include("Profile 'production' was required, and it passed");
  });

  it('is built by ansible-galaxy', async function () {
    const words = ['collection', 'build', copy, '--output-path', home];
    const {status, output} = await run(this, 'ansible-galaxy', words);
    expect(status, output).to.equal(0);
    expect(readdirSync(home).filter((name) => name.endsWith('.tar.gz'))).to.have.length(1);
  });

  it('has a variable of the role for each option of the module, and the other way round', async function () {
    const documented = async (type: string, name: string) => {
      const {output} = await run(this, 'ansible-doc', ['--json', '-t', type, name]);
      return JSON.parse(output.slice(output.indexOf('{')));
    };
    const module = await documented('module', 'agentless.openssh.node');
    const role = await documented('role', 'agentless.openssh.agentless');
    const options: Record<string, Option> = module['agentless.openssh.node'].doc.options;
    const variables: Record<string, Option> = role['agentless.openssh.agentless'].entry_points.main.options;
    const shape = ({type, elements, choices}: Option) => ({type, elements, choices});
    const ofModule = Object.entries(options).map(([name, option]) => [`agentless_${name}`, shape(option)]);
    const ofRole = Object.entries(variables).map(([name, option]) => [name, shape(option)]);
    expect(Object.fromEntries(ofRole)).to.deep.equal(Object.fromEntries(ofModule));
  });
});

interface Option {
  readonly type?: string;
  readonly elements?: string;
  readonly choices?: readonly string[];
}
