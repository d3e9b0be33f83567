import {execFile, spawnSync} from 'node:child_process';
import {chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {agentless, type CliOptions, PROGRAM} from '../support/cli.js';
import {withFlags} from '../support/flags.js';
import {IdentityStage} from '../support/identity-stage.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {hasYaml, parseYaml} from '../support/parsers.js';
import {skip} from '../support/skip.js';
import {envelope, Stage} from '../support/stage.js';

// What configuration management needs, used as it is meant to be: the script joins a host, the record and the host agree.

const installed = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

async function emit(what: string, words: readonly string[], options: CliOptions = {}) {
  const argv = (json: readonly string[]) => {
    const end = words.indexOf('--');
    const at = end < 0 ? words.length : end;
    return ['emit', what, ...words.slice(0, at), ...json, ...words.slice(at)];
  };
  const answer = envelope(await agentless(argv(['--json']), options));
  if (answer.error === undefined)
    expect(violations(answer.result, schemaNamed(`emit-${what}`))).to.deep.equal([]);
  return answer;
}

describe('emit cloud-init', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.quick();
    mkdirSync(join(stage.root, 'bin'));
    mkdirSync(join(stage.root, 'run'));
  });
  afterEach(() => stage.stop());

  const at = (...names: string[]) => join(stage.root, ...names);
  /** The real program, which notes how it is called. */
  const wrapper = () =>
    `#!/bin/sh\necho "$*" >>'${at('called')}'\nps -ww -eo args >>'${at('seen')}'\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`;
  const install = (text: string, path = at('bin', 'agentless')) => {
    writeFileSync(path, text);
    chmodSync(path, 0o755);
  };
  const words = (...more: string[]) => [
    '--proxy-server',
    stage.cluster.proxy,
    '--ca-file',
    stage.cluster.caFile,
    '--token-file',
    '-',
    ...more,
  ];
  const emitted = async (...more: string[]) => {
    const end = more.indexOf('--');
    const own = end < 0 ? more : more.slice(0, end);
    const rest = end < 0 ? [] : more.slice(end + 1);
    const answer = await emit('cloud-init', [...words(...own), '--', ...stage.local, ...rest], {
      input: `${stage.cluster.token}\n`,
    });
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    return answer.result as {text: string; form: string};
  };
  /** Runs the script as at a first boot, with our directories first on PATH. */
  const boot = (text: string, shell: readonly string[] = ['sh']) => {
    writeFileSync(at('boot.sh'), text, {mode: 0o600});
    const [program = '', ...rest] = [...shell, at('boot.sh')];
    const env = {PATH: `${at('bin')}:${process.env['PATH']}`, TMPDIR: at('run')};
    return new Promise<{status: number; stdout: string; stderr: string}>((resolve) => {
      execFile(program, rest, {env}, (error, stdout, stderr) => {
        resolve({status: Number(error?.code ?? 0), stdout, stderr});
      });
    });
  };
  const nothingLeft = () => {
    expect(existsSync(at('boot.sh')), 'the script').to.equal(false);
    expect(readdirSync(at('run'))).to.deep.equal([]);
  };

  for (const shell of [['dash'], ['bash'], ['bash', '--posix'], ['busybox', 'sh']]) {
    it(`joins at first boot under ${shell.join(' ')}, and the token is nowhere but in the script, which goes`, async function () {
      if (!installed(shell[0] ?? '')) skip(this, `${shell[0]} is not installed`);
      install(wrapper());
      const {text} = await emitted(
        '--form',
        'sh',
        '--',
        '--labels',
        'a="$(touch pwned) \'x"',
        '--labels',
        'env=prod',
      );
      const ran = await boot(text, shell);
      expect(ran.status, ran.stderr).to.equal(0);
      expect(stage.cluster.nodes().map(({labels}) => labels)).to.deep.equal([
        {a: "$(touch pwned) 'x", env: 'prod'},
      ]);
      const login = await stage.loginByCertificate('web1');
      expect(login.stdout, login.stderr).to.equal('hello\n');
      nothingLeft();
      for (const said of [
        ran.stdout,
        ran.stderr,
        readFileSync(at('called'), 'utf8'),
        readFileSync(at('seen'), 'utf8'),
      ])
        expect(said).not.to.contain(stage.cluster.token);
    });
  }

  it('is the same script in a cloud-config, in a file of root alone', async function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    const {text} = await emitted();
    const script = (await emitted('--form', 'sh')).text;
    expect(text).to.match(/^#cloud-config\n/);
    const [
      {
        write_files: [file, ...others],
        runcmd,
      },
    ] = parseYaml([text]);
    expect(others).to.deep.equal([]);
    expect(file).to.deep.equal({
      path: '/run/agentless-join.sh',
      owner: 'root:root',
      permissions: '0600',
      content: script,
    });
    expect(runcmd).to.deep.equal([['sh', file.path]]);
    if (!installed('shellcheck')) return;
    const found = spawnSync('shellcheck', ['-s', 'sh', '-'], {input: script, encoding: 'utf8'});
    expect([found.status, found.stdout]).to.deep.equal([0, '']);
  });

  it('installs what is missing by the command that was given, and else says what is missing', async () => {
    const lacking = await boot((await emitted('--form', 'sh')).text);
    expect([lacking.status, lacking.stderr]).to.deep.equal([
      6,
      'agentless: is not installed on this host, which therefore has not joined\n',
    ]);
    nothingLeft();
    install(wrapper(), at('it\'s "new"'));
    const command = `cp '${at(`it'\\''s "new"`)}' '${at('bin', 'agentless')}'`;
    const ran = await boot((await emitted('--form', 'sh', '--install', command)).text);
    expect(ran.status, ran.stderr).to.equal(0);
    expect(stage.cluster.nodes()).to.have.length(1);
    const failing = await boot((await emitted('--form', 'sh', '--install', 'exit 3')).text);
    expect(failing.status, 'it is installed already').to.equal(0);
  });

  it('tries again while the cluster cannot be reached, and goes whatever happens', async () => {
    install(
      `#!/bin/sh\necho "$*" >>'${at('called')}'\n[ "$1" = renew ] || cat >>'${at('tokens')}'\n[ "$(wc -l <'${at('called')}')" -gt 2 ] || exit 5\n`,
    );
    install(`#!/bin/sh\necho "sleep $*" >>'${at('slept')}'\n`, at('bin', 'sleep'));
    const argv = [...words('--form', 'sh', '--install-timer'), '--', '--data-dir', '/srv/a b'];
    const {text} = (await emit('cloud-init', argv, {input: `${stage.cluster.token}\n`})).result;
    const ran = await boot(text);
    expect(ran.status, ran.stderr).to.equal(0);
    expect(readFileSync(at('slept'), 'utf8')).to.equal('sleep 5\nsleep 10\n');
    const called = readFileSync(at('called'), 'utf8').trim().split('\n');
    expect(called.slice(0, 3).map((line) => line.split(' ').slice(0, 4).join(' '))).to.deep.equal(
      Array(3).fill('join openssh --token -'),
    );
    expect(called[3]).to.equal('renew --install-timer --data-dir /srv/a b');
    expect(readFileSync(at('tokens'), 'utf8')).to.equal(`${stage.cluster.token}\n`.repeat(3));
    nothingLeft();
    install('#!/bin/sh\nexit 5\n');
    expect((await boot(text)).status).to.equal(5);
    install('#!/bin/sh\nexit 4\n');
    expect((await boot(text)).status).to.equal(4);
    nothingLeft();
    install('#!/bin/sh\nkill -TERM $PPID\nexit 0\n');
    expect((await boot(text)).status).to.equal(130);
    nothingLeft();
  });

  it('prints what it needs on standard error, with the token on standard output alone', async () => {
    const {status, stdout, stderr} = await agentless(['emit', 'cloud-init', ...words()], {
      input: `${stage.cluster.token}\n`,
    });
    expect(status, stderr).to.equal(0);
    expect(stdout).to.contain(stage.cluster.token);
    expect(stderr).not.to.contain(stage.cluster.token);
    expect(stderr).to.match(/needs on its image: sshd, Node 20\.19 or newer, and agentless/);
    expect(stdout).to.match(
      /# It needs sshd, Node 20\.19 or newer, and agentless: both have to be on the image/,
    );
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['a flag that join openssh has not', ['--', '--labelz', 'a=b'], /unexpected arguments: --labelz, a=b/],
    ['one that hides behind another', ['--', '--labels', 'a=b', '--tokn=sekret'], /has no flag --tokn$/],
    ['a token in the words', ['--', '--token', 'sekret'], /--token cannot be among the words/],
    ['an identity in the words', ['--', '--identity', 'x'], /--identity cannot be among/],
    ['labels that are none', ['--', '--labels', 'a'], /is not name=value/],
    ['a source that is none', ['--', '--labels-from', 'x'], /does not know "x"/],
    ['lines in a word', ['--', '--hostname', 'a\nb'], /control character/],
    ['lines in the command', ['--install', 'a\nb'], /control character/],
  ];
  for (const [what, more, message] of refused) {
    it(`refuses ${what}`, async () => {
      const answer = await emit('cloud-init', [...words(), ...more], {input: 'a-token-of-this-test\n'});
      expect([answer.exit, answer.error?.code]).to.deep.equal([2, 'USAGE']);
      expect(answer.error?.message).to.match(message);
      expect(JSON.stringify(answer)).not.to.match(/sekret|a-token-of-this-test/);
    });
  }
});

describe('emit, with the identity of a person', () => {
  let person: IdentityStage;
  let stage: Stage;
  before(async () => {
    person = await IdentityStage.start();
    stage = person.stage;
  });
  after(() => stage.stop());

  const asked = () => [
    '--proxy-server',
    stage.cluster.proxy,
    '--ca-file',
    stage.cluster.caFile,
    '--identity',
    person.file,
  ];

  it('cloud-init has a token made that ends soon, and says when', async () => {
    const {result, changed} = await emit('cloud-init', [...asked(), '--ttl', '10m', '--form', 'sh']);
    expect(changed).to.equal(true);
    expect(result.minted).to.equal(true);
    expect(Date.parse(result.expires) - Date.now()).to.be.within(500_000, 601_000);
    const [, token = ''] = /<<'END_OF_TOKEN'\n(\w+)\nEND_OF_TOKEN\n/.exec(result.text) ?? [];
    expect(token).to.match(/^[0-9a-f]{32,}$/);
    expect(result.text).to.contain(`until the token ends (${result.expires})`);
    stage.cluster.removeToken(token);
  });

  it('node-resource and join --no-register make one node of two halves, under one id', async () => {
    const names = ['--hostname', 'web1', '--address', `127.0.0.1:${stage.sshd.port}`, '--labels', 'env=prod'];
    const {result} = await emit('node-resource', names);
    const place = withFlags(stage.words, {hostname: undefined, address: undefined});
    const half = [...place, '--identity', person.file, ...result.join.slice(3), '--json'];
    const host = envelope(await agentless(half));
    expect(host.exit, JSON.stringify(host)).to.equal(0);
    expect(host.result.node).to.include({id: result.node.id, registered: false});
    expect(stage.cluster.nodes()).to.deep.equal([]);
    expect(host.result.names).to.include(result.node.id);
    const login = await stage.loginByCertificate(result.node.id);
    expect(login.stdout, login.stderr).to.equal('hello\n');
    // The record of this host is the same, in every form.
    const own = await emit('node-resource', ['--data-dir', stage.dataDir, '--labels', 'env=prod']);
    expect(own.result).to.deep.equal(result);
    const again = await person.run('join openssh', [
      '--no-register',
      '--node-id',
      result.node.id.toUpperCase(),
    ]);
    expect([again.exit, again.changed]).to.deep.equal([0, false]);
    const other = await person.run('join openssh', ['--node-id', '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e']);
    expect([other.exit, other.error?.message]).to.deep.equal([
      2,
      `this host is joined as the node ${result.node.id} already`,
    ]);
    expect((await stage.leaveJson()).exit).to.equal(0);
  });

  it('systemd-timer prints units that systemd takes', async function () {
    const id = '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e';
    const {result} = await emit('systemd-timer', [
      '--node-id',
      id,
      '--every',
      '6h',
      '--program',
      '/bin/true "a b"',
    ]);
    const [service, timer] = result.files;
    expect(service.path).to.equal('/etc/systemd/system/agentless-renew.service');
    expect(service.text).to.match(/^ExecStart=\/bin\/true "a b" renew --data-dir \/var\/lib\/agentless$/m);
    expect(timer.text).to.match(/^# every 6h;/m);
    if (!installed('systemd-analyze')) skip(this, 'no systemd-analyze');
    const plain = join(stage.root, 'plain.service');
    writeFileSync(plain, '[Service]\nExecStart=/bin/true\n');
    if (spawnSync('systemd-analyze', ['verify', '--man=no', plain]).status !== 0)
      skip(this, 'systemd-analyze verifies nothing here');
    for (const {path, text} of result.files) writeFileSync(join(stage.root, path.split('/').at(-1)), text);
    const units = ['service', 'timer'].map((kind) => join(stage.root, `agentless-renew.${kind}`));
    const {status, stderr} = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      encoding: 'utf8',
    });
    expect([status, stderr.split('\n').filter((line) => line.includes('agentless'))]).to.deep.equal([0, []]);
  });

  it('ansible-inventory lists the nodes that fit, with what is odd left out', async () => {
    const joined = await person.run('join openssh', [
      '--identity',
      person.file,
      '--labels',
      'env=prod,x="{{ y }}"',
    ]);
    expect(joined.exit, joined.stdout).to.equal(0);
    const id = joined.result.node.id;
    const one = await emit('ansible-inventory', [...asked(), '--labels', 'env=prod', '--login', 'root']);
    expect(one.result.hosts).to.deep.equal([
      {
        name: `web1.${stage.cluster.name}`,
        vars: {
          ansible_host: `${id}.${stage.cluster.name}`,
          teleport_node_id: id,
          teleport_address: `127.0.0.1:${stage.sshd.port}`,
          teleport_labels: {env: 'prod', x: '{{ y }}'},
        },
      },
    ]);
    expect(one.result.text).to.contain('"x": !unsafe "{{ y }}"');
    expect(one.result.vars.ansible_user).to.equal('root');
    const none = await emit('ansible-inventory', [...asked(), '--labels', 'env=test']);
    expect([none.exit, none.result.hosts]).to.deep.equal([0, []]);
    expect(none.warnings.join()).to.match(/shows no node/);
  });

  it('ansible-inventory has ssh call tsh, by which it gets to the host under a name that is certified', async () => {
    const {result} = await emit('ansible-inventory', [
      ...asked(),
      '--labels',
      'env=prod',
      '--login',
      stage.login,
    ]);
    // In the place of tsh, and of a proxy: it notes how it is called, and leads to the sshd.
    mkdirSync(join(stage.root, 'path'));
    const tsh = join(stage.root, 'path', 'tsh');
    const pipe = `const s = require('net').connect(${stage.sshd.port}, '127.0.0.1'); process.stdin.pipe(s).pipe(process.stdout)`;
    writeFileSync(
      tsh,
      `#!/bin/sh\necho "$*" >'${stage.root}/called'\nexec '${process.execPath}' -e "${pipe}"\n`,
    );
    chmodSync(tsh, 0o755);
    const authority = formatPublicKey(publicBlob(stage.cluster.testOnlySshKey('host')));
    writeFileSync(join(stage.root, 'known'), `@cert-authority *.${stage.cluster.name} ${authority}\n`);
    const own = [
      '-F',
      'none',
      '-o',
      `UserKnownHostsFile=${stage.root}/known`,
      '-o',
      'StrictHostKeyChecking=yes',
    ];
    const {ansible_host: target} = result.hosts[0].vars;
    const line = `ssh "$@" ${result.vars.ansible_ssh_common_args} -p 22 ${stage.login}@${target} echo hello`;
    const words = [...own, '-o', 'BatchMode=yes', '-i', await stage.identity()];
    const env = {...process.env, PATH: `${join(stage.root, 'path')}:${process.env['PATH']}`};
    const {stdout, stderr} = spawnSync('sh', ['-c', line, 'sh', ...words], {env, encoding: 'utf8'});
    expect(stdout, stderr).to.equal('hello\n');
    const {proxy, name} = stage.cluster;
    expect(readFileSync(join(stage.root, 'called'), 'utf8')).to.equal(
      `proxy ssh --cluster=${name} --proxy=${proxy} ${stage.login}@${target}:22\n`,
    );
  });

  const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['node-resource', ['--hostname', 'a b', '--address', 'x'], /would rename "a b"/],
    ['node-resource', ['--hostname', 'a', '--address', 'x', '--node-id', 'y'], /expected a UUID/],
    ['node-resource', ['--hostname', 'a'], /--address/],
    ['ansible-inventory', ['--name', 'a', '--cluster', 'c d', '--proxy-server', 'p'], /name of the cluster/],
    ['ansible-inventory', ['--name', '{{a}}', '--cluster', 'c', '--proxy-server', 'p'], /./],
    [
      'ansible-inventory',
      ['--name', 'a', '--cluster', 'c', '--proxy-server', 'p', '--group', 'all'],
      /no group/,
    ],
    [
      'ansible-inventory',
      ['--name', 'a', '--cluster', 'c', '--proxy-server', 'p', '--login', '{{a}}'],
      /--login/,
    ],
    ['ansible-inventory', ['--proxy-server', 'p'], /--identity is missing/],
    ['systemd-timer', ['--node-id', '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e', '--program', 'x'], /whole path/],
    ['systemd-timer', ['--every', '7h'], /no calendar has that/],
  ];
  for (const [what, words, message] of refused) {
    it(`${what} refuses ${words.join(' ')}`, async () => {
      const answer = await emit(what, words);
      expect([answer.exit, answer.error?.code]).to.deep.equal([2, 'USAGE']);
      expect(answer.error?.message).to.match(message);
      expect(answer.error?.hint).to.be.a('string').that.is.not.empty;
    });
  }
});
