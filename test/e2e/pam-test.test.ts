// `pam test` on a host that has joined with PAM: the hooks run as at a real login.

import {existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {PamStage} from '../support/pam-stage.js';
import {skip} from '../support/skip.js';
import {ssh} from '../support/ssh-client.js';
import {sshdIsAtLeast} from '../support/sshd-version.js';
import type {Envelope} from '../support/stage.js';

const RECORD = 'cat /proc/$$/environ >/run/seen';

describe('pam test', function () {
  this.timeout(120_000);
  let stage: PamStage;

  before(async function () {
    if (!sshdIsAtLeast(7, 6)) skip(this, 'this sshd tells PAM nothing of the certificate');
    const started = await PamStage.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    stage = started;
    await stage.join('--pam');
  });
  after(() => stage?.stop());
  afterEach(() => {
    const left = readdirSync(stage.space.path('/run')).filter((name) => name.startsWith('agentless-'));
    expect(left, 'nothing stays behind').to.deep.equal([]);
    rmSync(stage.space.path('/run/seen'), {force: true});
    stage.restore();
  });

  async function run(
    words: readonly string[],
    prefix: readonly string[] = [],
  ): Promise<Envelope & {exit: number | null}> {
    const answer = await stage.json(['pam', 'test', ...words], prefix);
    const {stderr: _stderr, exit, ...read} = answer;
    expect(violations(read, schemaNamed('envelope')), JSON.stringify(read)).to.deep.equal([]);
    expect(read.status).to.equal(exit);
    if (read.error === undefined) expect(violations(read.result, schemaNamed('pam-test'))).to.deep.equal([]);
    return answer;
  }

  // biome-ignore lint/suspicious/noExplicitAny: a result of JSON.
  const phase = ({result}: Envelope, name: string): any =>
    result.phases.find((one: {phase: string}) => one.phase === name) ?? expect.fail(`no ${name}`);

  /** Of a real user of the cluster. */
  async function certificate(roles: readonly string[]): Promise<string> {
    const directory = join(stage.space.directory, 'client');
    mkdirSync(directory, {recursive: true});
    const {privateKey, certificate: line} = await stage.cluster.login({
      logins: ['root'],
      user: 'alice',
      roles,
      ttlSeconds: 600,
    });
    writeFileSync(join(directory, 'key'), privateKey, {mode: 0o600});
    writeFileSync(join(directory, 'key-cert.pub'), `${line.trim()} a comment\n`);
    return join(directory, 'key-cert.pub');
  }

  const seen = () =>
    readFileSync(stage.space.path('/run/seen'), 'utf8')
      .split('\0')
      .filter((entry) => entry !== '' && !/^(PAM_RHOST|SSH_CONNECTION|_|SHLVL)=/.test(entry))
      .sort();

  it('gives a hook what it gets at a real login with that certificate', async () => {
    stage.hook('open_session', '10-record', RECORD);
    const file = await certificate(['access', 'dba']);
    const directory = join(stage.space.directory, 'client');
    const knownHost = `@cert-authority * ${formatPublicKey(publicBlob(stage.cluster.testOnlySshKey('host')))}`;
    const identity = join(directory, 'key');
    const what = {directory, port: stage.port, identity, knownHost, login: 'root', hostKeyAlias: 'web1'};
    const {stdout, stderr} = await ssh(what, 'id -un');
    expect(stdout, stderr).to.equal('root\n');
    const real = seen();
    rmSync(stage.space.path('/run/seen'));

    const answer = await run(['--login', 'root', '--cert', file]);
    expect([answer.exit, answer.changed, answer.warnings], JSON.stringify(answer)).to.deep.equal([
      0,
      true,
      [],
    ]);
    expect(seen()).to.deep.equal(real);
    const [hook] = phase(answer, 'open_session').hooks;
    expect(hook).to.deep.include({name: '10-record', status: 0, log: []});
    expect(hook.variables).to.deep.include({
      TELEPORT_USERNAME: 'alice',
      TELEPORT_LOGIN: 'root',
      TELEPORT_ROLES: 'access dba',
      PAM_TYPE: 'open_session',
      PAM_USER: 'root',
    });
    expect(answer.result).to.deep.include({login: 'root', exists: true, required: false});
    expect(answer.result.certificate).to.deep.equal({file, user: 'alice'});
  });

  it('makes up a certificate for any user and roles, and goes through the phases in order', async () => {
    for (const name of ['account', 'open_session', 'close_session'])
      stage.hook(name, '50-say', 'set +u; echo "$PAM_TYPE $TELEPORT_USERNAME: $TELEPORT_ROLES"');
    symlinkSync('../../hooks/audit', stage.space.path('/etc/agentless/pam.d/close_session/10-audit'));
    const answer = await run(['--login', 'root', '--user', 'bo b', '--role', 'access', '--role', 'dbä']);
    expect(answer.exit, JSON.stringify(answer)).to.equal(0);
    expect(answer.result.phases.map((one: {phase: string}) => one.phase)).to.deep.equal([
      'account',
      'open_session',
      'close_session',
    ]);
    expect(phase(answer, 'account').hooks[0].log).to.deep.equal(['50-say: account : ']);
    expect(phase(answer, 'account').hooks[0].variables).to.not.have.property('TELEPORT_USERNAME');
    expect(phase(answer, 'open_session').hooks[0].variables).to.deep.include({
      TELEPORT_USERNAME: 'bo b',
      TELEPORT_ROLES: 'access dbä',
      TELEPORT_CLUSTER: stage.cluster.name,
      TELEPORT_TRAITS: '{"logins":["root"]}',
    });
    const [audit, say] = phase(answer, 'close_session').hooks;
    expect(audit).to.deep.include({name: '10-audit', real: '/etc/agentless/hooks/audit', status: 0});
    expect(audit.log[0]).to.match(/^10-audit: phase="close_session" login="root" user="bo b"/);
    expect(say.name).to.equal('50-say');
  });

  it('runs no hook in a dry run, and tells the same variables', async () => {
    stage.hook('open_session', '10-record', RECORD, 'exit 3');
    stage.hook('open_session', '20-more', 'exit 4');
    const words = ['--login', 'root', '--role', 'access', '--phase', 'open_session'];
    const dry = await run([...words, '--dry-run']);
    expect([dry.exit, dry.changed], JSON.stringify(dry)).to.deep.equal([0, false]);
    expect(existsSync(stage.space.path('/run/seen'))).to.equal(false);
    expect(dry.result.phases).to.have.length(1);
    const {hooks} = phase(dry, 'open_session');
    expect(hooks.map(({name, status}: {name: string; status?: number}) => [name, status])).to.deep.equal([
      ['10-record', undefined],
      ['20-more', undefined],
    ]);
    const text = await stage.run(['pam', 'test', ...words, '--dry-run']);
    expect(text.stdout).to.match(
      /^A login as root by agentless-test with access, with a throw-away certificate\. No hook was run\.\n\nopen_session\n/,
    );
    expect(text.stdout).to.match(/^ {4}TELEPORT_ROLES=access\n/m);
    expect(text.stdout).to.match(/^ {2}would run 10-record\n {2}would run 20-more\n/m);

    const real = await run(words);
    const {SSH_AUTH_INFO_0: _one, ...told} = hooks[0].variables;
    const {SSH_AUTH_INFO_0: _two, ...got} = phase(real, 'open_session').hooks[0].variables;
    expect(got).to.deep.equal(told);
  });

  it('tells what fails, what it says, and what is left out, and exits with 3', async () => {
    stage.hook('open_session', '10-good', 'echo fine >&3');
    stage.hook('open_session', '20-bad', 'echo "no way" >&2', 'exit 7');
    stage.write(stage.hook('open_session', '30-off', 'true'), '#!/bin/sh\n', 0o644);
    const words = ['--login', 'root', '--phase', 'open_session'];
    const answer = await run(words);
    expect(answer.exit).to.equal(3);
    const found = phase(answer, 'open_session');
    expect(found).to.deep.include({
      status: 7,
      shown: 'fine\n',
      leftOut: [{name: '30-off', reason: 'not executable (mode 0644)'}],
      log: ['30-off: left out, not executable'],
    });
    expect(found.hooks.map(({status}: {status: number}) => status)).to.deep.equal([0, 7]);
    expect(found.hooks[1].log).to.deep.equal(['20-bad: no way', '20-bad: failed with status 7']);
    const {stdout, status} = await stage.run(['pam', 'test', ...words]);
    expect(status).to.equal(3);
    expect(stdout).to.match(/^open_session {2}exit status 7\n/m);
    expect(stdout).to.match(/^ {2}ok {8}10-good {2}exit status 0, \d+\.\d\d s\n/m);
    expect(stdout).to.match(/^ {2}fail {6}20-bad {2}exit status 7, \d+\.\d\d s\n {12}\| no way\n/m);
    expect(stdout).to.match(/^ {2}left out {2}30-off {2}not executable/m);
    expect(stdout).to.match(/^ {2}shown {5}fine\n/m);
    expect(stdout.match(/30-off/g)).to.have.length(1);
  });

  it('lets no hook run for the certificate of another authority, and says so', async () => {
    stage.hook('open_session', '10-record', RECORD);
    const file = await certificate(['access']);
    const other = publicBlob(stage.cluster.testOnlySshKey('host'));
    stage.write('/etc/ssh/agentless/trusted_user_ca_keys', `${formatPublicKey(other)}\n`);
    const answer = await run(['--login', 'root', '--cert', file, '--phase', 'open_session']);
    expect(answer.exit).to.equal(0);
    expect(phase(answer, 'open_session').hooks).to.deep.equal([]);
    expect(phase(answer, 'open_session').log[0]).to.match(
      /^no hook runs: the certificate of root .* not by the cluster/,
    );
    const text = await stage.run(['pam', 'test', '--login', 'root', '--cert', file]);
    expect(text.stdout).to.match(/^ {2}log {7}no hook runs: /m);
  });

  it('warns of a login that sshd would refuse before it asks PAM', async () => {
    const file = await certificate(['access']);
    const answer = await run(['--login', 'nobody-at-all', '--cert', file, '--dry-run']);
    expect(answer.exit).to.equal(0);
    expect(answer.result.exists).to.equal(false);
    expect(answer.warnings.join('\n')).to.match(/there is no account nobody-at-all.*\n.*is for root/);
  });

  it('refuses what cannot be tried, with what to do', async function () {
    skipUnlessNobodyCanRunIt(this);
    const login = ['--login', 'root'];
    expect((await run(login, NOBODY)).error).to.deep.include({
      code: 'HOST_UNSUITABLE',
      message: 'only root can run hooks as they run at a login',
    });
    expect((await run(['--login', '-x y'])).exit).to.equal(2);
    expect((await run([...login, '--cert', '/nonexistent'])).error?.message).to.equal(
      'there is no file /nonexistent',
    );
    expect((await run([...login, '--cert', '/etc/passwd'])).error?.code).to.equal('USAGE');
    stage.edit('/etc/agentless/pam-exec', () => '#!/bin/sh\nexit 0\n');
    expect((await run(login)).error?.message).to.match(/is not ours any more/);
    rmSync(stage.space.path('/etc/agentless/pam-exec'));
    const gone = await run(login);
    expect([gone.exit, gone.error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
    expect(gone.error?.hint).to.include('join openssh --pam');
  });
});
