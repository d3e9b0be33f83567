// The configuration of ssh that the collection writes says what Ansible says on the command line of ssh: asked is ssh
// itself (-G), by either way.

import {execFileSync, spawnSync} from 'node:child_process';
import {mkdirSync, mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';
import fc from 'fast-check';
import {skip} from '../../support/skip.js';

const UTILS = fileURLToPath(new URL('../../../ansible/plugins/plugin_utils', import.meta.url));
const PYTHON = `
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
import ssh_config
for line in sys.stdin:
    asked = json.loads(line)
    try:
        print(json.dumps({"text": ssh_config.render(asked["host"], asked["words"], asked.get("include"))}))
    except ssh_config.Unsayable as error:
        print(json.dumps({"refused": str(error)}))
`;

interface Asked {
  readonly host: string;
  readonly words: readonly string[];
  readonly include?: string;
}

function rendered(asked: readonly Asked[]): readonly {text?: string; refused?: string}[] {
  const input = asked.map((one) => `${JSON.stringify(one)}\n`).join('');
  const out = execFileSync('python3', ['-c', PYTHON, UTILS], {input, encoding: 'utf8'});
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
}

const home = mkdtempSync('/tmp/agentless-ssh-config-');
const KEY = join(home, 'a key');
writeFileSync(KEY, '');

const word = fc.stringMatching(/^[a-z][a-z0-9-]{0,7}$/);
const option = fc.oneof(
  word.map((user) => ['-l', user]),
  fc.integer({min: 1, max: 65_535}).map((port) => [`-p${port}`]),
  // One that is not there is not taken from the command line.
  fc.constant(['-i', KEY]),
  word.map((name) => ['-o', `IdentityFile="/keys/${name} too"`]),
  word.map((name) => ['-J', `admin@${name}:2222`]),
  word.map((name) => ['-o', `ProxyCommand=ssh -W "[%h]:%p" -q ${name}`]),
  word.map((name) => [`-oHostKeyAlias=${name}`]),
  word.map((name) => ['-o', `UserKnownHostsFile /known/${name} /known/2`]),
  fc.constantFrom('yes', 'no', 'accept-new').map((value) => ['-o', `StrictHostKeyChecking=${value}`]),
  fc.constantFrom(['-4'], ['-6C'], ['-C'], ['-AqT'], ['-v'], ['-b', '127.0.0.1']).map((words) => [...words]),
  fc.constant(['-o', 'ConnectTimeout = 7']),
  fc.constant(['-D', '1080']),
);

describe("the collection's configuration of ssh", function () {
  this.timeout(60_000);
  before(function () {
    if (spawnSync('python3', ['--version']).status !== 0) skip(this, 'no python3');
  });
  after(() => rmSync(home, {recursive: true, force: true}));

  /** What ssh makes of it; what Ansible's connection does itself, and ours does not, aside. */
  function effective(words: readonly string[]): readonly string[] {
    const {status, stdout, stderr} = spawnSync('ssh', ['-G', ...words], {encoding: 'utf8'});
    expect(status, stderr).to.equal(0);
    const own = /^(forwardagent|loglevel|requesttty|dynamicforward|forwardx11\w*|clearallforwardings) /;
    return stdout.split('\n').filter((line) => !own.test(line));
  }

  it('means what the words mean', () => {
    const file = join(home, 'config');
    const mine = join(home, 'mine');
    writeFileSync(
      mine,
      'Host web*\n  User nobody\n  Port 7\n  IdentityFile /keys/last\nHost other\n  Port 8\n',
    );
    // Two ways through other hosts are too many for the command line.
    const ways = (words: readonly string[]) => words.filter((one) => /^(-J$|ProxyCommand=)/.test(one)).length;
    const words = fc.array(option, {maxLength: 6}).map((options) => options.flat());
    const cases = fc.sample(
      words.filter((all) => ways(all) < 2),
      60,
    );
    const asked = cases.map((words) => ({host: 'web1', words, include: mine}));
    for (const [index, {text = '', refused}] of rendered(asked).entries()) {
      expect(refused).to.equal(undefined);
      writeFileSync(file, text);
      const words = cases[index] ?? [];
      expect(effective(['-F', file, 'web1']), words.join(' ')).to.deep.equal(
        effective(['-F', mine, ...words, 'web1']),
      );
      // A jump host is not that host.
      expect(effective(['-F', file, 'other'])).to.deep.equal(effective(['-F', mine, 'other']));
    }
  });

  it('has -F win, and none mean none', () => {
    const [mine, other] = [join(home, 'mine'), join(home, 'other')];
    writeFileSync(mine, 'Port 7\n');
    writeFileSync(other, 'Port 9\n');
    const asked = [['-F', other], ['-F', 'none'], []].map((words) => ({host: '::1', words, include: mine}));
    const ports = rendered(asked).map(({text = ''}) => {
      writeFileSync(join(home, 'config'), text);
      return effective(['-F', join(home, 'config'), '::1']).find((line) => line.startsWith('port '));
    });
    expect(ports).to.deep.equal(['port 9', 'port 22', 'port 7']);
  });

  it("falls back to the user's own", () => {
    mkdirSync(join(home, '.ssh'), {recursive: true});
    const [{text = ''} = {}] = rendered([{host: 'web1', words: []}]);
    expect(text).to.equal('Host web1\nHost *\n  Include "~/.ssh/config"\n  Include "/etc/ssh/ssh_config"\n');
  });

  it('refuses what could be another line, another host, or nothing that a file can say', () => {
    const lines = [
      {host: 'web1', words: ['-o', 'User=a\nProxyCommand=touch /tmp/x']},
      {host: 'web1', words: ['-l', 'a"\nPort 1']},
      {host: 'web1\n  ProxyCommand touch', words: []},
      {host: '*', words: []},
      {host: '', words: []},
      {host: 'web1', words: ['-Z']},
      {host: 'web1', words: ['--']},
      {host: 'web1', words: ['web2']},
      {host: 'web1', words: ['-p']},
    ];
    for (const {text, refused} of rendered(lines)) {
      expect(text).to.equal(undefined);
      expect(refused).to.be.a('string');
    }
  });
});
