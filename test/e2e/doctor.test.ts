// A doctor on hosts with one thing wrong at a time: it must find it, name its cause and fix, and change nothing.

import {execFileSync} from 'node:child_process';
import {randomUUID} from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {startPrivateSshd} from '../../src/demo/private-sshd.js';
import type {TestHooks} from '../../src/devcluster/options.js';
import {LocalHost} from '../../src/host/local.js';
import type {Check, Finding} from '../../src/operations/doctor/finding.js';
import {readIdentity} from '../../src/operations/ownership.js';
import {readSettings} from '../../src/operations/settings.js';
import {formatPublicKey, publicBlob} from '../../src/ssh/key.js';
import {agentless} from '../support/cli.js';
import {clientOf, hostKey} from '../support/cluster-client.js';
import {inProcess} from '../support/in-process.js';
import {JoinedStage} from '../support/joined-stage.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {skip} from '../support/skip.js';
import {sshdIsAtLeast} from '../support/sshd-version.js';
import {type Envelope, Stage} from '../support/stage.js';

/** What becomes of a login that is let in: not every account that runs tests has a shell. */
const ENTERED = /(nologin|false)$/.test(userInfo().shell ?? '') ? 'warn' : 'ok';

const isRoot = process.getuid?.() === 0;

describe('doctor on a joined host', function () {
  this.timeout(60_000);
  this.slow(4000);
  const hooks: TestHooks = {};
  let host: JoinedStage;
  let login: string;
  before(async () => {
    host = await JoinedStage.start({cluster: hooks});
    ({login} = host.stage);
  });
  afterEach(() => {
    host.restore();
    delete hooks.testOnlyFind;
  });
  after(() => host.stop());

  const ca = () => ['--ca-file', host.stage.cluster.caFile, '--timeout', '3'];
  const config = () => host.stage.sshd.config;
  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1');
  /** A line that comes before all others. */
  const first = (line: string) => edit(config(), (text) => `${line}\n${text}`);

  async function found(check: Check, words: readonly string[] = ca()): Promise<readonly Finding[]> {
    return (await host.doctor(words)).findings.filter((one) => one.check === check);
  }
  async function only(check: Check, words: readonly string[] = ca()): Promise<Finding> {
    const [one, ...others] = await found(check, words);
    expect(others).to.deep.equal([]);
    if (one === undefined) throw new Error(`nothing about ${check}`);
    return one;
  }

  it('finds nothing wrong where nothing is, layer by layer', async () => {
    const {findings, exit, state} = await host.doctor([...ca(), '--login', login]);
    expect([exit, state]).to.deep.equal([0, 'joined']);
    expect(findings.filter(({check, status}) => check !== 'login' && status !== 'ok')).to.deep.equal([]);
    expect(findings.at(-1)).to.deep.include({check: 'login', status: ENTERED});
    expect(findings.map(({check}) => check)).to.deep.equal([
      ...[
        'name',
        'tcp',
        'tls',
        'version',
        'auth',
        'identity',
        'signer',
        'node',
        'address',
        'record',
        'sshd',
        'config',
      ],
      ...['options', 'served', 'names', 'user CA', 'revoked', 'settings', 'policy', 'login'],
    ]);
    const text = (check: Check) => findings.find((one) => one.check === check)?.text;
    expect(text('version')).to.equal('dev.example, Teleport 18.0.0');
    expect(text('served')).to.match(/^ed25519, ecdsa, as written, at 127\.0\.0\.1 port \d+$/);
    expect(text('user CA')).to.match(/^trusts SHA256:\S+ \(the openssh CA of dev\.example\)$/);
    expect(text('address')).to.match(
      /answers with this host's key \(seen from this host itself, not from the proxy\)/,
    );
  });

  it('reads like a list', async () => {
    const {stdout, status} = await inProcess([
      'doctor',
      ...host.place,
      ...ca(),
      '--login',
      `${login},no-such-login`,
    ]);
    expect(status).to.equal(3);
    expect(stdout).to.match(/^ {2}ok {4}name {7}127\.0\.0\.1:\d+ → 127\.0\.0\.1\n {2}ok {4}tcp /);
    expect(stdout).to.match(new RegExp(`^ {2}${ENTERED.padEnd(5)} ${login.padEnd(10)} would get in`, 'm'));
    expect(stdout).to.match(
      /^ {2}fail {2}no-such-login would be refused .*\n {19}sshd says: Invalid user no-such-login/m,
    );
    expect(stdout).to.match(
      /^ {19}fix: create the account beforehand, for example: sudo useradd --create-home no-such-login$/m,
    );
    expect(stdout).to.match(/\n1 problem(, 1 warning)?\n$/);
  });

  describe('and the cluster', () => {
    it('whose name has no address', async () => {
      const {findings} = await host.doctor(['--proxy-server', 'no-such-host.invalid:443', '--timeout', '5']);
      expect(findings.find(({check}) => check === 'name')).to.deep.include({status: 'fail'});
      expect(findings.filter(({status}) => status === 'skip').map(({check}) => check)).to.include.members([
        'tls',
        'auth',
        'identity',
        'node',
      ]);
    });

    it('whose port is closed', async () => {
      expect(await only('tcp', ['--proxy-server', '127.0.0.1:1', '--timeout', '2'])).to.deep.include({
        status: 'fail',
        text: '127.0.0.1:1 refuses connections',
      });
    });

    it('whose port speaks something else', async () => {
      const words = ['--proxy-server', `127.0.0.1:${host.stage.sshd.port}`, '--timeout', '2'];
      expect((await only('tls', words)).text).to.match(/does not speak TLS|closed the connection/);
      expect((await only('auth', words)).status).to.equal('fail');
    });

    it('whose certificate is of an unknown authority, which a joined host does not depend on', async () => {
      host.forgetTrust();
      const tls = await only('tls', []);
      expect(tls).to.deep.include({
        status: 'warn',
        cause: 'this joined host does not depend on it; joining and the version do',
      });
      expect((await only('identity', [])).status).to.equal('ok');
    });

    it('which has become too old', async () => {
      hooks.testOnlyFind = (body) => ({...body, server_version: '9.1.0'});
      expect(await only('version')).to.deep.include({status: 'fail'});
    });

    it('which is another one', async () => {
      const other = await Stage.quick({cluster: {name: 'other.example'}});
      try {
        const words = [
          '--proxy-server',
          other.cluster.proxy,
          '--ca-file',
          other.cluster.caFile,
          '--timeout',
          '3',
        ];
        expect((await only('version', words)).text).to.include('this host is joined to dev.example');
        expect((await only('auth', words)).status).to.equal('fail');
      } finally {
        await other.stop();
      }
    });

    it('which signs with another key than that of the file: the user CA', async () => {
      const user = formatPublicKey(publicBlob(host.stage.cluster.testOnlySshKey('user')));
      edit(join(host.ours, 'trusted_user_ca_keys'), (text) => text.replace(/^ssh-.*$/m, user));
      const one = await only('user CA');
      expect(one).to.deep.include({status: 'fail', code: 'USER_AUTHORITY'});
    });
  });

  describe('and sshd', () => {
    it('which does not run', async () => {
      const other = host.at('etc/other_config');
      copyFileSync(config(), other);
      const words = ['--openssh-config', other];
      const ran = await inProcess(['doctor', '--json', '--data-dir', host.stage.dataDir, ...words, ...ca()]);
      const {findings} = (JSON.parse(ran.stdout) as Envelope).result;
      expect(findings.find((one: Finding) => one.check === 'sshd')).to.deep.include({status: 'fail'});
      expect(findings.find((one: Finding) => one.check === 'served')).to.deep.include({status: 'skip'});
    });

    it('which refuses its configuration', async () => {
      appendFileSync(config(), '\nPermitRotLogin no\n');
      const words = [...ca(), '--login', login];
      const one = (await found('config', words)).find(({status}) => status === 'fail');
      expect(one?.proof).to.include('Bad configuration option: PermitRotLogin');
      expect(one?.text).to.equal(
        'sshd refuses its own configuration, and will not survive a reload or restart',
      );
      expect(one?.fix).to.equal(`fix that, check with \`sshd -t -f ${config()}\``);
      const tried = await only('login', words);
      expect(tried.status).to.equal('skip');
      if (isRoot) expect(tried.fix).to.equal('mend what is said of sshd and its configuration first');
    });

    it('which no longer reads our lines', async () => {
      edit(config(), (text) => text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, ''));
      const one = await only('config');
      expect(one).to.deep.include({status: 'fail', code: 'LINES_MISSING'});
      expect(one.fix).to.match(/^sudo agentless renew --repair/);
    });

    it('which was never told of the certificates', async () => {
      edit(config(), (text) => text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, ''));
      await host.reload();
      host.restore();
      try {
        const one = await only('served');
        expect(one.status).to.equal('fail');
        expect(one.proof).to.match(/^ed25519: no certificate is shown.*\necdsa: no certificate is shown/);
      } finally {
        await host.reload();
      }
    });

    it('in whose place another one answers at the registered address', async () => {
      const directory = host.at('other-sshd');
      mkdirSync(directory);
      const other = await startPrivateSshd({directory, keyTypes: ['ed25519']});
      try {
        edit(host.record, (text) =>
          text.replaceAll(`127.0.0.1:${host.stage.sshd.port}`, `127.0.0.1:${other.port}`),
        );
        expect((await only('address')).text).to.match(/answers, and not with a key of this host/);
      } finally {
        await other.stop();
      }
    });

    it('which nobody can reach at the registered address', async () => {
      edit(host.record, (text) => text.replaceAll(`127.0.0.1:${host.stage.sshd.port}`, '127.0.0.1:1'));
      const one = await only('address');
      expect(one).to.deep.include({status: 'fail'});
      expect(one.proof).to.match(/ECONNREFUSED/);
    });

    it('where something else than SSH answers', async () => {
      const web = host.stage.cluster.proxy;
      edit(host.record, (text) =>
        text.replace(`"address": "127.0.0.1:${host.stage.sshd.port}"`, `"address": "${web}"`),
      );
      expect((await only('address')).status).to.equal('fail');
    });
  });

  describe('and RevokedKeys', () => {
    const revoked = () => host.at('etc/revoked');
    const authority = () =>
      readFileSync(join(host.ours, 'trusted_user_ca_keys'), 'latin1').match(/^ssh-.*$/m)?.[0] ?? '';

    it('naming no file', async () => {
      first(`RevokedKeys ${revoked()}`);
      const one = await only('revoked');
      expect(one.text).to.include('does not exist, so sshd refuses every key and certificate');
      expect(one.proof).to.equal(`${config()} line 1: RevokedKeys ${revoked()}`);
    });

    it('naming a pipe', async () => {
      execFileSync('mkfifo', [revoked()]);
      first(`RevokedKeys ${revoked()}`);
      expect((await only('revoked')).text).to.include('is no regular file');
    });

    it('naming an empty file, which revokes nobody', async () => {
      writeFileSync(revoked(), '');
      first(`RevokedKeys ${revoked()}`);
      expect((await only('revoked')).status).to.equal('ok');
    });

    it('listing the authority of the cluster, as text or as a KRL', async () => {
      writeFileSync(revoked(), `${hostKey()}\n${authority()}\n`);
      first(`RevokedKeys ${revoked()}`);
      expect((await only('revoked')).text).to.include('revokes the authority of the cluster');
      writeFileSync(host.at('ca.pub'), `${authority()}\n`);
      execFileSync('ssh-keygen', ['-q', '-k', '-f', revoked(), host.at('ca.pub')]);
      expect((await only('revoked')).text).to.include('revokes the authority of the cluster');
      writeFileSync(host.at('ca.pub'), `${hostKey()}\n`);
      execFileSync('ssh-keygen', ['-q', '-k', '-f', revoked(), host.at('ca.pub')]);
      expect((await only('revoked')).status).to.equal('ok');
    });
  });

  for (const [line, text] of [
    ['CASignatureAlgorithms rsa-sha2-512', /CASignatureAlgorithms leaves out/],
    ['PubkeyAuthentication no', /PubkeyAuthentication is off/],
    ['HostKeyAlgorithms ssh-ed25519,ecdsa-sha2-nistp256', /HostKeyAlgorithms allows no certificate type/],
    ['DenyUsers *', /DenyUsers names everybody/],
  ] as const) {
    it(`and "${line}", under which nobody gets in`, async () => {
      first(line);
      const one = (await found('settings')).find(({status}) => status === 'fail');
      expect(one?.text).to.match(text);
      expect(one?.proof).to.equal(`${config()} line 1: ${line}`);
    });
  }

  it('and HostKeyAlgorithms that leaves a certificate out, which no repair of ours mends', async () => {
    first('HostKeyAlgorithms ssh-ed25519,ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256');
    const one = await only('served');
    expect(one.proof).to.equal('ecdsa: HostKeyAlgorithms leaves out certificates of this type');
    expect(one.fix).to.equal(
      `let HostKeyAlgorithms in ${config()} line 1 allow ecdsa-sha2-nistp256-cert-v01@openssh.com, and reload sshd`,
    );
  });

  it('and a damaged identity, which is not said to be none', async () => {
    edit(join(host.stage.dataDir, 'identity/key.pem'), (text) => text.slice(0, 80));
    const {findings} = await host.doctor(ca());
    const identity = findings.filter(({check}) => check === 'identity');
    expect(identity.map(({status, code}) => [status, code])).to.deep.equal([['fail', 'IDENTITY_DAMAGED']]);
    expect(identity[0]?.fix).to.include(
      `join again with a token: sudo agentless join openssh --proxy-server ${host.stage.cluster.proxy} `,
    );
    expect(findings.filter(({status}) => status === 'fail')).to.deep.equal(identity);
    const skipped = findings.filter(({status}) => status === 'skip');
    expect(skipped.map(({check}) => check)).to.deep.equal(['signer', 'node']);
  });

  it('and lines behind our block, which it names by their numbers in the file as it is', async () => {
    edit(config(), (text) => text.replace(/# END agentless\n/, (end) => `${end}AllowUsers somebody-else\n`));
    const lines = readFileSync(config(), 'latin1').split('\n');
    const at = `${config()} line ${lines.indexOf('AllowUsers somebody-else') + 1}`;
    expect(at).to.match(/ line 4$/);
    const [tried, limited] = [await only('login', [...ca(), '--login', login]), await found('settings')];
    expect(tried.fix).to.equal(`add ${login} to AllowUsers in ${at}`);
    expect(tried.cause).to.include(`${at}: AllowUsers somebody-else`);
    expect(limited.map(({proof}) => proof)).to.include(`${at}: AllowUsers somebody-else`);
    appendFileSync(config(), `\nMatch User ${login}\n  TrustedUserCAKeys none\n`);
    const last = readFileSync(config(), 'latin1').split('\n').length - 1;
    const [overridden] = await found('config');
    expect(overridden?.text).to.include(`TrustedUserCAKeys none in ${config()} line ${last} (Match`);
  });

  describe('and a login', () => {
    const tried = (name = login) => only('login', [...ca(), '--login', name]);
    for (const [line, reason, fix] of [
      ['AllowUsers somebody-else', /not listed in AllowUsers/, /^add \S+ to AllowUsers in \S+ line 1$/],
      ['DenyUsers NAME', /listed in DenyUsers/, /^take \S+ out of DenyUsers in \S+ line 1$/],
      [
        'AllowGroups no-such-group',
        /AllowGroups/,
        /^put \S+ into a group that AllowGroups names in \S+ line 1/,
      ],
      ['DenyGroups GROUP', /DenyGroups/, /^take \S+ out of the groups/],
      ['AuthorizedPrincipalsFile /nonexistent/%u', /authorized principal/, /AuthorizedPrincipalsFile/],
      ['AuthenticationMethods publickey,password', /^sshd says: Partial publickey/, /publickey alone/],
      [
        'CASignatureAlgorithms rsa-sha2-512',
        /certificate signature algorithm/,
        /^add (ssh-ed25519|the algorithm of the cluster's authority) to CASignatureAlgorithms in \S+ line 1/,
      ],
      [
        'PubkeyAcceptedAlgorithms ssh-ed25519',
        /not in PubkeyAccepted(Algorithms|KeyTypes)$/,
        /^add ssh-ed25519-cert-v01@openssh.com and \S+ to PubkeyAcceptedAlgorithms in \S+ line 1$/,
      ],
      [
        'PubkeyAcceptedKeyTypes ssh-ed25519',
        /not in PubkeyAccepted(Algorithms|KeyTypes)$/,
        /^add ssh-ed25519-cert-v01@openssh.com and \S+ to PubkeyAcceptedKeyTypes in \S+ line 1$/,
      ],
      [
        'PubkeyAuthentication no',
        /^the client says: .*Permission denied \(.*\)\.$/,
        /^set PubkeyAuthentication yes in \S+ line 1;/,
      ],
      [
        'AuthenticationMethods password',
        /^the client says: .*Permission denied \(password\)\.$/,
        /^add publickey alone as an alternative to AuthenticationMethods in \S+ line 1$/,
      ],
      ['RevokedKeys /nonexistent/revoked', /revoked/i, /RevokedKeys names a file that exists/],
    ] as const) {
      it(`refused by "${line}"`, async function () {
        if (line.startsWith('PubkeyAcceptedAlgorithms') && !sshdIsAtLeast(8, 5))
          skip(this, 'sshd before 8.5 has it as PubkeyAcceptedKeyTypes');
        const group = execFileSync('id', ['-gn'], {encoding: 'utf8'}).trim();
        const real = line.replace('NAME', login).replace('GROUP', group);
        first(real);
        const one = await tried();
        expect(one).to.deep.include({status: 'fail', login});
        expect(one.proof).to.match(reason);
        expect(one.cause).to.include(`${config()} line 1: ${real}`);
        expect(one.fix).to.match(fix);
      });
    }

    it('refused by one line of several of that keyword, which alone is named', async () => {
      const words = [
        'PubkeyAuthentication yes',
        'AuthenticationMethods password',
        'AuthenticationMethods publickey',
      ];
      first(words.join('\n'));
      appendFileSync(config(), '\nMatch User somebody-else\n  AuthenticationMethods password,publickey\n');
      const one = await tried();
      expect(one.cause).to.equal(`${config()} line 2: AuthenticationMethods password`);
      expect(one.fix).to.match(/AuthenticationMethods in \S+ line 2$/);
    });

    it('refused by a Match block, and not by the line for everybody', async () => {
      first('PubkeyAuthentication yes');
      appendFileSync(config(), `\nMatch User ${login}\n  PubkeyAuthentication no\n`);
      const last = readFileSync(config(), 'latin1').split('\n').length - 1;
      const one = await tried();
      expect(one.cause).to.equal(
        `${config()} line ${last}:   PubkeyAuthentication no (Match User ${login})`.replace(/: +/, ': '),
      );
      expect(one.fix).to.include(`set PubkeyAuthentication yes in ${config()} line ${last};`);
    });

    it('refused because it is root', async function () {
      if (!isRoot) skip(this, 'only root can log in as root without a daemon');
      first('PermitRootLogin no');
      const one = await tried('root');
      expect(one.proof).to.match(/ROOT LOGIN REFUSED/);
      expect(one.fix).to.match(/^PermitRootLogin prohibit-password in /);
    });

    it('refused because there is no such account, with nothing about lines that have nothing to do with it', async () => {
      const one = await tried('no-such-login');
      expect(one.cause).to.equal(
        'there is no account no-such-login, and stock sshd cannot make one at the first login',
      );
    });

    it('that gets in, and finds no shell', async function () {
      if (!isRoot) skip(this, 'only root may become another user');
      const one = await tried('nobody');
      expect(one).to.deep.include({
        status: 'warn',
        cause: 'the shell /usr/sbin/nologin ends every session at once',
      });
    });

    it('to which a Match block gives other authorities, or none', async () => {
      appendFileSync(config(), `\nMatch User ${login}\n  TrustedUserCAKeys none\n`);
      const one = await tried();
      expect(one.status).to.equal('fail');
      expect(one.text).to.include(
        'for this login sshd trusts none instead of the authorities of the cluster',
      );
      expect(one.proof).to.match(/line \d+: TrustedUserCAKeys none \(Match User /);
    });

    it("to which a Match block gives a file with the cluster's key in it", async () => {
      copyFileSync(join(host.ours, 'trusted_user_ca_keys'), host.at('etc/other_ca'));
      appendFileSync(config(), `\nMatch User ${login}\n  TrustedUserCAKeys ${host.at('etc/other_ca')}\n`);
      expect(await tried()).to.deep.include({status: 'warn'});
    });

    for (const [what, text, make] of [
      ['is gone', /does not exist/, () => undefined],
      ['is empty', /holds no key that sshd gets to/, (path: string) => writeFileSync(path, '')],
      ['is a pipe', /is no regular file/, (path: string) => execFileSync('mkfifo', [path])],
      [
        'begins with a line that is no key',
        /holds no key that sshd gets to/,
        (path: string) =>
          writeFileSync(path, `rubbish\n${readFileSync(host.at('copy-etc/agentless/trusted_user_ca_keys'))}`),
      ],
    ] as const) {
      for (const online of [true, false]) {
        it(`that would get in, had it not been that the real file ${what}${online ? '' : ', also without the cluster'}`, async () => {
          const file = join(host.ours, 'trusted_user_ca_keys');
          rmSync(file);
          make(file);
          const words = online ? ca() : ['--proxy-server', '127.0.0.1:1', '--timeout', '1'];
          const one = await only('login', [...words, '--login', login]);
          expect(one.status).to.equal('fail');
          expect(one.text).to.match(text);
          expect(one.text).to.include(`${login} would be refused: ${file} `);
          expect(one.fix).to.include('sudo agentless renew --repair');
        });
      }
    }

    it('that would get in, had somebody not taken our lines out, or put theirs before ours', async () => {
      edit(config(), (text) => text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, ''));
      expect((await tried()).text).to.include('would be refused: sshd trusts no authority of users');
      host.restore();
      writeFileSync(host.at('etc/other_ca'), `${hostKey()}\n`);
      first(`TrustedUserCAKeys ${host.at('etc/other_ca')}`);
      expect((await tried()).text).to.match(/would be refused: \S+other_ca lacks SHA256:\S+, with which/);
    });

    it('that would get in, had the key of the cluster not been revoked', async () => {
      const [key = ''] =
        readFileSync(join(host.ours, 'trusted_user_ca_keys'), 'latin1').match(/^ssh-.*$/m) ?? [];
      writeFileSync(host.at('etc/revoked'), `${key}\n`);
      first(`RevokedKeys ${host.at('etc/revoked')}`);
      const one = await tried();
      expect([one.status, one.fix]).to.deep.equal(['fail', 'take that key out of the file']);
      expect(one.text).to.include('would be refused: RevokedKeys');
    });

    it('of several, each by itself', async () => {
      first(`DenyUsers no-such-login`);
      const logins = await found('login', [...ca(), '--login', `no-such-login,${login}`]);
      expect(logins.map((one) => [one.login, one.status])).to.deep.equal([
        ['no-such-login', 'fail'],
        [login, ENTERED],
      ]);
    });
  });

  it('says what only root can see', async function () {
    skipUnlessNobodyCanRunIt(this);
    chmodSync(host.stage.root, 0o755);
    const prefix = NOBODY;
    const {stdout, stderr} = await agentless(['doctor', '--json', ...host.place, '--login', login], {prefix});
    const {result} = JSON.parse(stdout || '{}');
    expect(violations(result, schemaNamed('doctor')), stderr).to.deep.equal([]);
    const one = (check: Check) => result.findings.find((finding: Finding) => finding.check === check);
    expect(one('config')).to.deep.include({status: 'skip'});
    expect(one('login')).to.deep.include({status: 'skip'});
    expect(one('login').fix).to.match(/^run with sudo: sudo agentless doctor .*--login /);
    expect(one('record')).to.deep.include({status: 'fail', code: 'UNREADABLE'});
  });
});

describe('doctor and the record in the cluster', function () {
  this.timeout(60_000);
  let host: JoinedStage;
  beforeEach(async () => {
    host = await JoinedStage.start();
  });
  afterEach(() => host.stop());
  const node = async () =>
    (await host.doctor(['--ca-file', host.stage.cluster.caFile, '--timeout', '2'])).findings.filter(
      ({check}) => check === 'node',
    );

  it('that is gone', async () => {
    host.stage.cluster.removeNode(host.stage.cluster.nodes()[0]?.id ?? '');
    expect((await node()).map(({code}) => code)).to.deep.equal(['NODE_MISSING']);
  });

  it('that is not the only one of its name', async () => {
    const [own] = host.stage.cluster.nodes();
    const settings = readSettings(JSON.parse(readFileSync(host.record, 'utf8')).settings);
    if (settings === undefined || own === undefined) throw new Error('it has not joined');
    await using cluster = clientOf(host.stage.cluster);
    const session = cluster.as(await readIdentity(new LocalHost(), host.stage.dataDir, settings));
    await session.putNode({...own, id: randomUUID(), address: '10.0.0.9:22'});
    const found = await node();
    expect(found.map(({code}) => code)).to.deep.equal(['NODE_DUPLICATE']);
    expect(found[0]?.proof).to.match(/^node \S+: web1, 10\.0\.0\.9:22$/);
  });

  it('whose host is locked out', async () => {
    host.stage.cluster.lock(host.stage.cluster.nodes()[0]?.id ?? '', 'stolen');
    const {findings} = await host.doctor(['--ca-file', host.stage.cluster.caFile, '--timeout', '2']);
    expect(findings.find(({check}) => check === 'identity')).to.deep.include({
      status: 'fail',
      code: 'IDENTITY_REFUSED',
    });
    expect(findings.filter(({check}) => check === 'node').map(({status}) => status)).to.deep.equal(['skip']);
  });

  it('while the cluster is down', async () => {
    await host.stage.cluster.close();
    const {findings, exit} = await host.doctor(['--timeout', '2']);
    expect(exit).to.equal(3);
    expect(findings.find(({check}) => check === 'tcp')).to.deep.include({status: 'fail'});
    expect(
      findings.find(({check}) => check === 'served'),
      'sshd works without it',
    ).to.deep.include({status: 'ok'});
  });
});

describe('doctor and status while the keys that sign users are rotated', function () {
  this.timeout(60_000);
  let host: JoinedStage;
  before(async () => {
    host = await JoinedStage.start();
  });
  after(() => host.stop());

  async function look() {
    const {login} = host.stage;
    const words = ['--ca-file', host.stage.cluster.caFile, '--timeout', '3'];
    const {findings, exit} = await host.doctor([...words, '--login', login]);
    const of = (wanted: Check) => findings.find(({check}) => check === wanted);
    const report = await host.status(['--online', ...words]);
    const {stdout} = await host.text(['--online', ...words]);
    return {exit, trust: of('user CA'), tried: of('login'), report, headline: stdout.split('\n')[0]};
  }

  it('a key that is yet to sign is due, and logins go on', async () => {
    await host.stage.cluster.rotate('openssh', 'init');
    const {exit, trust, tried, report} = await look();
    expect(exit).to.equal(0);
    expect(trust).to.deep.include({status: 'warn', code: 'AUTHORITIES_OUTDATED'});
    expect(trust?.text).to.match(/lacks keys that the cluster will sign users with$/);
    expect(tried?.status).to.equal(ENTERED);
    expect(report.problems.map(({code}) => code)).to.deep.equal(['AUTHORITIES_OUTDATED']);
    expect((await host.stage.loginByCertificate()).status).to.equal(0);
  });

  it('the key that signs is missing: logins fail, and no rehearsal says otherwise', async () => {
    await host.stage.cluster.rotate('openssh', 'update_clients');
    expect((await host.stage.loginByCertificate()).stderr).to.match(/Permission denied/);
    const {exit, trust, tried, report, headline} = await look();
    expect(exit).to.equal(3);
    expect(trust).to.deep.include({status: 'fail', code: 'AUTHORITY_MISSING'});
    expect(trust?.text).to.match(
      /lacks the key that the cluster signs users with now: logins through it fail$/,
    );
    expect(tried).to.deep.include({status: 'fail', login: host.stage.login});
    expect(tried?.text).to.match(
      /would be refused: \S+ lacks SHA256:\S+, with which the cluster signs users now$/,
    );
    expect(tried?.fix).to.match(/^sudo agentless renew --data-dir /);
    expect(report.problems.map(({code}) => code)).to.deep.equal(['AUTHORITY_MISSING']);
    expect(report.problems[0]?.fix).to.match(/^sudo agentless renew --data-dir /);
    expect(headline).to.equal('web1  joined to dev.example, but logins through it fail');
  });

  it('what they name mends it', async () => {
    const {status, stderr} = await inProcess(['renew', '--data-dir', host.stage.dataDir]);
    expect(status, stderr).to.equal(0);
    const {exit, trust, tried, report} = await look();
    expect([exit, trust?.status, tried?.status, report.problems]).to.deep.equal([0, 'ok', ENTERED, []]);
    expect((await host.stage.loginByCertificate()).status).to.equal(0);
  });
});

describe('doctor on a host that has not joined', function () {
  this.timeout(60_000);
  let stage: Stage;
  before(async () => {
    stage = await Stage.quick({sshd: {options: ['-o', 'PermitRootLogin=yes', '-o', 'MaxAuthTries=7']}});
  });
  after(() => stage.stop());

  async function findings(words: readonly string[] = []): Promise<readonly Finding[]> {
    const argv = [
      'doctor',
      '--json',
      '--data-dir',
      stage.dataDir,
      '--openssh-config',
      stage.sshd.config,
      ...words,
    ];
    const {stdout, stderr} = await inProcess(argv);
    const {result} = JSON.parse(stdout || '{}') as Envelope;
    expect(violations(result, schemaNamed('doctor')), stderr).to.deep.equal([]);
    return result.findings;
  }

  it('looks at sshd, tries logins, and fails at nothing', async () => {
    const found = await findings(['--login', stage.login]);
    expect(found.filter(({status}) => status === 'fail')).to.deep.equal([]);
    const one = (check: Check) => found.find((finding) => finding.check === check);
    expect(one('name')).to.deep.include({status: 'skip', fix: 'name it: --proxy-server HOST:PORT'});
    expect(one('record')).to.deep.include({status: 'skip', text: 'this host is not joined to a cluster'});
    expect(one('sshd')).to.deep.include({status: 'ok'});
    expect(one('login')).to.deep.include({status: ENTERED});
  });

  it("names what is decided on sshd's command line", async () => {
    const options = (await findings()).find(({check}) => check === 'options');
    expect(options).to.deep.include({status: 'warn'});
    expect(options?.text).to.equal("PermitRootLogin=yes on sshd's command line wins over every file");
    expect(options?.proof).to.include('-o MaxAuthTries=7');
  });

  it('looks at a cluster that could be joined', async () => {
    const found = await findings(['--proxy-server', stage.cluster.proxy, '--ca-file', stage.cluster.caFile]);
    const one = (check: Check) => found.find((finding) => finding.check === check)?.status;
    expect((['name', 'tcp', 'tls', 'version', 'auth', 'identity'] as const).map(one)).to.deep.equal([
      ...['ok', 'ok', 'ok', 'ok', 'ok', 'skip'],
    ]);
  });

  it('says why the certificate of a cluster cannot be trusted', async () => {
    const tls = (await findings(['--proxy-server', stage.cluster.proxy])).find(({check}) => check === 'tls');
    expect(tls).to.deep.include({status: 'fail'});
    expect(tls?.fix).to.match(/--ca-file/);
  });

  it('says of leftovers that their record is gone', async () => {
    expect((await stage.join()).status).to.equal(0);
    rmSync(stage.dataDir, {recursive: true});
    const record = (await findings()).find(({check}) => check === 'record');
    expect(record).to.deep.include({
      status: 'fail',
      text: 'there is no record of a join, but certificates of one lie here',
    });
  });
});

describe('doctor and the certificate of a proxy', function () {
  this.timeout(60_000);
  for (const [what, days, text] of [
    ['expired', -1, /has expired$/],
    ['ends within two weeks', 7, /which is soon$/],
  ] as const) {
    it(`that ${what}`, async () => {
      const validTo = new Date(Date.now() + days * 86_400_000);
      const stage = await Stage.quick({cluster: {testOnlyWebCertificate: {validTo}}});
      try {
        const words = ['--proxy-server', stage.cluster.proxy, '--ca-file', stage.cluster.caFile];
        const place = ['--data-dir', stage.dataDir, '--openssh-config', stage.sshd.config];
        const {result} = JSON.parse((await inProcess(['doctor', '--json', ...place, ...words])).stdout);
        expect(result.findings.find((one: Finding) => one.check === 'tls').text).to.match(text);
      } finally {
        await stage.stop();
      }
    });
  }
});

describe('doctor --explain', () => {
  it('translates a text, given or read', async () => {
    const text =
      'ssh: rejected: connect failed (ssh: handshake failed: ssh: no authorities for hostname: fresh1:0)';
    const {stdout, status} = await inProcess(['doctor', '--explain', text]);
    expect(status).to.equal(0);
    expect(stdout).to.match(
      /^host certificate\n {2}seen {5}no authorities for hostname: fresh1:0\)?\n {2}meaning {2}/,
    );
    const read = await agentless(['doctor', '--explain', '-', '--json'], {input: `${text}\n`});
    const {result} = JSON.parse(read.stdout);
    expect(violations(result, schemaNamed('doctor'))).to.deep.equal([]);
    expect(result.explanations.map((one: {where: string}) => one.where)).to.deep.equal(['host certificate']);
  });

  it('says so when a text is not known', async () => {
    const {stdout, status} = await inProcess(['doctor', '--explain', 'all is lost']);
    expect(status).to.equal(3);
    expect(stdout).to.match(/^that text is not known/);
  });

  it('does not go with a login, and takes no nonsense for one', async () => {
    expect((await inProcess(['doctor', '--explain', 'x', '--login', 'root'])).status).to.equal(2);
    for (const name of ['', 'a b', '-x', 'a=b', 'a:b', '/etc']) {
      const {status, stderr} = await inProcess(['doctor', '--login', name]);
      expect([name, status]).to.deep.equal([name, 2]);
      expect(stderr).to.match(/is no login/);
    }
  });
});
