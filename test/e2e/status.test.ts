// A joined host that is damaged in every way that status has a word for; each time it must name it, and change nothing.

import {execFileSync} from 'node:child_process';
import {createPublicKey, randomUUID} from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {Node, Session} from '../../src/cluster/cluster.js';
import {issueLeaf} from '../../src/devcluster/x509.js';
import {LocalHost} from '../../src/host/local.js';
import {readIdentity} from '../../src/operations/ownership.js';
import {readSettings} from '../../src/operations/settings.js';
import type {Status} from '../../src/operations/status/report.js';
import {status} from '../../src/operations/status.js';
import {FOREVER, parseCertificate, signCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, publicBlob} from '../../src/ssh/key.js';
import {agentless} from '../support/cli.js';
import {clientOf, hostKey} from '../support/cluster-client.js';
import {inProcess} from '../support/in-process.js';
import {JoinedStage} from '../support/joined-stage.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {type Envelope, Stage} from '../support/stage.js';

const DAY = 86_400n;
const now = () => BigInt(Math.floor(Date.now() / 1000));

describe('status of a joined host', function () {
  this.timeout(60_000);
  this.slow(3000);
  let host: JoinedStage;
  let certificate: string;
  before(async () => {
    host = await JoinedStage.start({}, ['--labels', 'env=prod']);
    certificate = join(host.ours, 'ssh_host_ed25519_key-cert.pub');
  });
  afterEach(() => host.restore());
  after(() => host.stop());

  const codes = async (words: readonly string[] = []) =>
    (await host.status(words)).problems.map(({code}) => code);
  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1');
  const config = () => host.stage.sshd.config;

  /** The same certificate with something else in it, signed by the cluster's own authority unless told otherwise. */
  function reissue(
    changes: Partial<Parameters<typeof signCertificate>[0]>,
    authority = host.stage.cluster.testOnlySshKey('host'),
  ) {
    const old = parseCertificate(readFileSync(certificate, 'latin1'));
    writeFileSync(certificate, `${signCertificate({...old, ...changes}, authority)}\n`);
  }

  it('is 0 when all is well, and says what there is', async () => {
    const report = await host.status();
    const {node, userAuthorities, sshd} = report;
    expect(report.problems).to.deep.equal([]);
    expect(report.exit).to.equal(0);
    expect(report.state).to.equal('joined');
    expect(report.cluster).to.equal('dev.example');
    expect(node).to.deep.include({hostname: 'web1', labels: {env: 'prod'}, registered: true});
    expect(node?.id).to.equal(host.stage.cluster.nodes()[0]?.id);
    expect(report.names).to.include.members(['web1', 'web1.dev.example', '127.0.0.1']);
    expect(report.certificates.map(({type}) => type).sort()).to.deep.equal(['ecdsa', 'ed25519']);
    for (const one of report.certificates) expect(one.principals).to.include.members([...report.names]);
    expect(userAuthorities?.cluster).to.have.length(1);
    expect(userAuthorities?.own).to.deep.equal([]);
    expect(sshd).to.deep.include({state: 'running', served: true, port: host.stage.sshd.port});
    expect(sshd.effective?.trustedUserCaKeys).to.equal(userAuthorities?.file);
    expect(report.unseen).to.deep.equal([]);
  });

  it('asks a few programs and makes one connection, so it is quick', async () => {
    const asked: string[] = [];
    const counting = new Proxy(new LocalHost(), {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (name === 'run' || name === 'dial') asked.push(String(name));
          return Reflect.apply(value, target, args);
        };
      },
    });
    const report = await status({host: counting, warn: () => undefined}, {dataDir: host.stage.dataDir});
    expect(report.problems).to.deep.equal([]);
    expect(asked.filter((name) => name === 'dial')).to.have.length(1);
    // The batch and `sshd -T`; a daemon of another build than the one on PATH is asked for its version as well.
    expect(asked.filter((name) => name === 'run').length).to.be.within(2, 3);
  });

  it('reads at a glance', async () => {
    const {stdout, stderr, status} = await host.text();
    expect([status, stderr]).to.deep.equal([0, '']);
    expect(stdout).to.match(/^web1 {2}joined to dev\.example since \d{4}-\d\d-\d\d, node [0-9a-f-]{36}\n/);
    expect(stdout).to.match(/^ {2}names +web1, web1\.dev\.example, 127\.0\.0\.1/m);
    expect(stdout).to.match(/^ {2}certificates +ed25519, ecdsa, signed by SHA256:\S+, no end date$/m);
    expect(stdout).to.match(/^ {2}user CA +1 key of the cluster$/m);
    expect(stdout).to.match(/^ {2}sshd +\d+\.\d+ \(pid \d+\) serves what was written$/m);
    expect(stdout).to.match(/^ {2}renewal +nothing due; identity valid until \d{4}-/m);
    expect(stdout).to.not.include('repair');
  });

  it('names the lines that a template has rewritten away', async () => {
    writeFileSync(
      config(),
      readFileSync(host.at('copy-etc/sshd_config'), 'latin1').replace(
        /# BEGIN agentless[\s\S]*# END agentless\n/,
        '',
      ),
    );
    const {problems, exit} = await host.status();
    expect(exit).to.equal(3);
    expect(problems.map(({code}) => code)).to.deep.equal(['LINES_MISSING']);
    expect(problems[0]?.message).to.equal(`the marked block of agentless in ${config()}`);
    expect(problems[0]?.fix).to.match(/^sudo agentless renew --repair --data-dir /);
    const {stdout} = await host.text();
    expect(stdout).to.match(
      /^web1 {2}joined to dev\.example, but sshd will not serve it once it is reloaded\n {2}missing +the marked block/,
    );
    await host.reload();
    try {
      expect((await host.text()).stdout).to.match(/^web1 {2}joined to \S+, but sshd no longer serves it\n/);
    } finally {
      host.restore();
      await host.reload();
    }
    expect(stdout).to.match(/^ {2}repair +sudo agentless renew --repair/m);
  });

  it('names a file of ours that was edited, with its mode and owner', async () => {
    appendFileSync(certificate, 'x');
    chmodSync(join(host.ours, 'trusted_user_ca_keys'), 0o666);
    const {problems} = await host.status();
    const changed = problems.filter(({code}) => code === 'FILE_CHANGED').map(({message}) => message);
    expect(changed).to.have.length(2);
    expect(changed.join('\n')).to.include(`${certificate} was changed since: its content`);
    expect(changed.join('\n')).to.include('its mode, from 0644 to 0666');
  });

  it('names a file of ours that is gone', async () => {
    rmSync(certificate);
    expect(await codes()).to.include('FILE_MISSING');
  });

  for (const [what, make] of [
    ['a pipe', (path: string) => execFileSync('mkfifo', [path])],
    ['a symbolic link', (path: string) => symlinkSync('/etc/hostname', path)],
  ] as const) {
    for (const name of ['trusted_user_ca_keys', 'ssh_host_ed25519_key-cert.pub']) {
      it(`names ${what} in the place of ${name}, and does not open it`, async () => {
        rmSync(join(host.ours, name));
        make(join(host.ours, name));
        const {problems} = await host.status();
        const found = problems.find(({code}) => code === 'FILE_REPLACED');
        expect(found?.message).to.match(new RegExp(`${name} was replaced by a (pipe|symbolic link)`));
      });
    }
  }

  it('names an emptied file of authorities', async () => {
    writeFileSync(join(host.ours, 'trusted_user_ca_keys'), '');
    expect(await codes()).to.include.members(['FILE_CHANGED', 'AUTHORITIES_UNREADABLE']);
  });

  it('names a line at which sshd stops reading the authorities', async () => {
    edit(join(host.ours, 'trusted_user_ca_keys'), (text) => `cert-authority ${text.split('\n')[1]}\n${text}`);
    const {problems} = await host.status();
    const found = problems.find(({code}) => code === 'AUTHORITIES_UNREADABLE');
    expect(found?.detail).to.match(/^cert-authority ssh-ed25519 /);
  });

  it('names another TrustedUserCAKeys that comes first, with file and line', async () => {
    const other = host.at('etc/other_ca');
    writeFileSync(other, `${hostKey()}\n`);
    edit(config(), (text) => `TrustedUserCAKeys ${other}\n${text}`);
    const {problems, rivals} = await host.status();
    const found = problems.find(({code}) => code === 'OVERRIDDEN');
    expect(found?.message).to.equal(
      `TrustedUserCAKeys ${other} in ${config()} line 1 wins over the authorities of the cluster`,
    );
    expect(rivals).to.deep.equal([
      {keyword: 'TrustedUserCAKeys', value: other, file: config(), line: 1, wins: true},
    ]);
  });

  it('names keys of a file of the site that are not merged yet, and no rival that loses', async () => {
    const other = host.at('etc/other_ca');
    writeFileSync(other, `${hostKey()}\n`);
    appendFileSync(config(), `\nTrustedUserCAKeys ${other}\n`);
    const {problems, rivals} = await host.status();
    expect(problems.map(({code}) => code)).to.deep.equal(['SITE_AUTHORITY_MISSING']);
    expect(rivals.map(({wins}) => wins)).to.deep.equal([false]);
  });

  it('names a Match block that overrides the authorities', async () => {
    appendFileSync(config(), '\nMatch User deploy\n  TrustedUserCAKeys none\n');
    const {problems} = await host.status();
    expect(problems.map(({code}) => code)).to.deep.equal(['OVERRIDDEN']);
    expect(problems[0]?.message).to.match(/\(Match User deploy\) wins over/);
  });

  it('names lines by their numbers in the file as it is, behind our block and in files that are included', async () => {
    const others = host.at('etc/others.conf');
    writeFileSync(others, '# one\nMatch User a\n  TrustedUserCAKeys none\n');
    appendFileSync(config(), `\nInclude ${others}\nMatch User b\n  TrustedUserCAKeys none\n`);
    const {rivals} = await host.status();
    const last = readFileSync(config(), 'latin1').split('\n').length - 1;
    expect(rivals.map(({file, line, match}) => [file, line, match])).to.deep.equal([
      [others, 3, 'User a'],
      [config(), last, 'User b'],
    ]);
  });

  it('names a certificate of others for the same key that comes later', async () => {
    const other = host.at('etc/other-cert.pub');
    const {key} = parseCertificate(readFileSync(certificate, 'latin1'));
    const fields = {type: 'host', key, principals: ['x'], validAfter: 0n, validBefore: FOREVER} as const;
    writeFileSync(other, `${signCertificate(fields, generateKey('ed25519'))}\n`);
    appendFileSync(config(), `\nHostCertificate ${other}\n`);
    const {problems} = await host.status();
    expect(problems.map(({code}) => code)).to.deep.equal(['OVERRIDDEN']);
    expect(problems[0]?.message).to.include(`HostCertificate ${other} in ${config()} line `);
  });

  it('names a broken configuration in the words of sshd', async () => {
    appendFileSync(config(), '\nPermitRotLogin no\n');
    const {problems} = await host.status();
    const found = problems.find(({code}) => code === 'SSHD_CONFIG_INVALID');
    expect(found?.detail).to.match(/line \d+: Bad configuration option: PermitRotLogin/);
    expect(found?.fix).to.equal(`fix that, check with \`sshd -t -f ${config()}\``);
  });

  it('names a certificate that the running daemon does not serve', async () => {
    // Before 9.3 sshd reads certificates anew for each connection, but not its configuration.
    edit(config(), (text) => text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, ''));
    await host.reload();
    host.restore();
    try {
      const {problems, sshd} = await host.status();
      expect(sshd.served).to.equal(false);
      expect(problems.map(({code}) => code)).to.deep.equal(['NOT_SERVED']);
      expect(problems[0]?.message).to.match(/^the running sshd \(pid \d+\) does not serve /);
    } finally {
      await host.reload();
    }
    expect(await codes()).to.deep.equal([]);
  });

  describe('and its certificates', () => {
    it('expired', async () => {
      reissue({validAfter: now() - 10n * DAY, validBefore: now() - DAY});
      const {problems} = await host.status();
      const found = problems.find(({code}) => code === 'CERTIFICATE_EXPIRED');
      expect(found?.message).to.match(/has expired on \d{4}-.*; this host's clock says \d{4}-/);
    });

    it('not valid yet, as with a clock that is a day behind', async () => {
      reissue({validAfter: now() + DAY});
      const {problems} = await host.status();
      const found = problems.find(({code}) => code === 'CERTIFICATE_NOT_YET_VALID');
      expect(found?.fix).to.match(/^set the clock/);
    });

    it('in the last third of their life', async () => {
      reissue({validAfter: now() - 7n * DAY, validBefore: now() + 3n * DAY});
      expect(await codes()).to.include('CERTIFICATE_ENDING');
      reissue({validAfter: now() - 6n * DAY, validBefore: now() + 4n * DAY});
      expect(await codes()).to.not.include('CERTIFICATE_ENDING');
    });

    it('without a name that is dialled', async () => {
      reissue({principals: ['web1']});
      const {problems} = await host.status();
      const found = problems.find(({code}) => code === 'NAMES_MISSING');
      expect(found?.message).to.match(/does not name web1\.dev\.example, 127\.0\.0\.1/);
    });

    it('of a user, and no certificate at all', async () => {
      reissue({type: 'user'});
      expect(await codes()).to.include('CERTIFICATE_INVALID');
      writeFileSync(certificate, 'no certificate\n');
      expect(await codes()).to.include('CERTIFICATE_INVALID');
    });

    it('with a signature that is not of the authority they name', async () => {
      const {line} = parseCertificate(readFileSync(certificate, 'latin1'));
      const [type, base64 = ''] = line.split(' ');
      const bytes = Buffer.from(base64, 'base64');
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      writeFileSync(certificate, `${type} ${bytes.toString('base64')}\n`);
      const {problems} = await host.status();
      const found = problems.find(({code}) => code === 'CERTIFICATE_INVALID');
      expect(found?.message).to.include('is not signed by the authority that it names');
    });

    it('swapped with one another', async () => {
      const other = join(host.ours, 'ssh_host_ecdsa_key-cert.pub');
      copyFileSync(other, certificate);
      expect(await codes()).to.include.members(['FILE_CHANGED', 'HOST_KEY_REPLACED']);
    });
  });

  it('names a host key that was replaced, and one that is new', async () => {
    const key = host.at('etc/ssh_host_ed25519_key');
    for (const path of [key, `${key}.pub`]) rmSync(path);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    execFileSync('ssh-keygen', ['-q', '-t', 'rsa', '-N', '', '-f', host.at('etc/new_key')]);
    appendFileSync(config(), `\nHostKey ${host.at('etc/new_key')}\n`);
    const {problems} = await host.status();
    const message = (code: string) => problems.find((one) => one.code === code)?.message;
    expect(message('HOST_KEY_REPLACED')).to.match(/^the ed25519 key .* was replaced/);
    expect(message('HOST_KEY_NEW')).to.match(/^the rsa key .*new_key has no certificate yet$/);
  });

  describe('and its record', () => {
    it('of another host', async () => {
      edit(host.record, (text) => text.replace(/"host": "[^"]*"/, '"host": "gold-image"'));
      const {problems} = await host.status();
      expect(problems.map(({code}) => code)).to.deep.equal(['RECORD_OF_OTHER_HOST']);
      expect(problems[0]?.message).to.include('gold-image');
    });

    for (const [what, code, change] of [
      ['cut off', 'RECORD_DAMAGED', (text: string) => text.slice(0, 200)],
      ['emptied', 'RECORD_DAMAGED', () => ''],
      ['of a newer program', 'RECORD_NEWER', (text: string) => text.replace('"version": 1', '"version": 99')],
      ['about something else', 'RECORD_DAMAGED', (text: string) => text.replace('"cluster":', '"klaster":')],
    ] as const) {
      it(what, async () => {
        edit(host.record, change);
        const {state, problems, certificates} = await host.status();
        expect(state).to.equal('unknown');
        expect(problems.map((one) => one.code)).to.deep.equal([code]);
        expect(certificates, 'what lies there is shown all the same').to.have.length(2);
      });
    }

    it('gone', async () => {
      rmSync(host.stage.dataDir, {recursive: true});
      const {state, problems} = await host.status();
      expect(state).to.equal('not joined');
      expect(problems[0]?.message).to.equal('there is no record of a join, but certificates of one lie here');
      expect(problems[0]?.detail).to.include(certificate);
    });

    it('in a directory that others can read', async () => {
      chmodSync(host.stage.dataDir, 0o755);
      const {problems} = await host.status();
      expect(problems.map(({code}) => code)).to.deep.equal(['DATA_DIRECTORY_OPEN']);
    });
  });

  describe('and its identity', () => {
    const identity = (name: string) => join(host.stage.dataDir, 'identity', name);
    /** A certificate that holds from and to so many days from now. */
    function issued(from: number, to: number): void {
      const [validFrom, validTo] = [from, to].map((days) => new Date(Date.now() + days * 86_400_000)) as [
        Date,
        Date,
      ];
      const key = generateKey('p256');
      const subject = {subject: [['commonName', 'x']], publicKey: createPublicKey(key), names: []} as const;
      const issuer = {key, name: [['commonName', 'x']]} as const;
      writeFileSync(identity('cert.pem'), issueLeaf(issuer, {...subject, validFrom, validTo}));
      writeFileSync(identity('key.pem'), key.export({type: 'pkcs8', format: 'pem'}));
    }

    for (const [code, from, to, fix] of [
      ['IDENTITY_EXPIRED', -10, -1, /join again with a token/],
      ['IDENTITY_NOT_YET_VALID', 1, 10, /^set the clock of this host$/],
      ['IDENTITY_ENDING', -7, 3, /^sudo agentless renew /],
    ] as const) {
      it(code.toLowerCase().replaceAll('_', ' ').slice('identity '.length), async () => {
        issued(from, to);
        const {problems} = await host.status();
        expect(problems.find((one) => one.code === code)?.fix).to.match(fix);
      });
    }

    it('missing', async () => {
      rmSync(identity('key.pem'));
      const {problems} = await host.status();
      expect(problems.map(({code}) => code)).to.deep.equal(['IDENTITY_MISSING']);
      expect(problems[0]?.detail).to.equal(identity('key.pem'));
    });

    for (const [what, damage] of [
      ['certificate', () => writeFileSync(identity('cert.pem'), 'nothing')],
      ['key', () => edit(identity('key.pem'), (text) => text.slice(0, 80))],
      ['key, which is another one', () => writeFileSync(identity('key.pem'), otherKey())],
    ] as const) {
      it(`damaged: the ${what}`, async () => {
        damage();
        const {problems} = await host.status();
        expect(problems.map(({code}) => code)).to.deep.equal(['IDENTITY_DAMAGED']);
        const {proxy} = host.stage.cluster;
        const join = `sudo agentless join openssh --proxy-server ${proxy} --token-file FILE`;
        expect(problems[0]?.fix).to.include(`join again with a token: ${join}`);
        const renewed = await inProcess(['renew', '--data-dir', host.stage.dataDir]);
        expect([renewed.status, renewed.stderr.includes('damaged')]).to.deep.equal([6, true]);
      });
    }

    const otherKey = () => generateKey('p256').export({type: 'pkcs8', format: 'pem'});

    it('put right by what is named then', async () => {
      writeFileSync(identity('key.pem'), otherKey());
      const joined = await host.stage.join();
      expect(joined.status, joined.stderr).to.equal(0);
      expect(await codes()).to.deep.equal([]);
    });
  });

  it('tells of a join that was killed half-way, and does not undo it', async () => {
    const fresh = await Stage.quick();
    try {
      const killed = await fresh.join([], {
        onStderr: () => undefined,
        started: (pid) => {
          const timer = setInterval(() => {
            if (!existsSync(join(fresh.root, 'etc/agentless'))) return;
            clearInterval(timer);
            process.kill(pid, 'SIGKILL');
          }, 1);
        },
      });
      expect(killed.status).to.equal(null);
      const journal = join(fresh.dataDir, 'journal.jsonl');
      const text = readFileSync(journal, 'latin1');
      const ran = await agentless([
        'status',
        '--json',
        '--data-dir',
        fresh.dataDir,
        '--openssh-config',
        fresh.sshd.config,
      ]);
      const {result, status} = JSON.parse(ran.stdout);
      expect(status).to.equal(3);
      expect(result.problems.map((one: {code: string}) => one.code)).to.include('INTERRUPTED');
      const found = result.problems.find((one: {code: string}) => one.code === 'INTERRUPTED');
      expect(found.message).to.match(/^join openssh, begun at \d{4}-.*, was interrupted half-way$/);
      expect(found.fix).to.match(/changes something undoes it: sudo agentless join openssh/);
      expect(found.detail).to.match(/(has changed|was about to change) \//);
      expect(readFileSync(journal, 'latin1')).to.equal(text);
    } finally {
      await fresh.stop();
    }
  });

  it('tells of one that was interrupted at its very end, and takes it for joined', async () => {
    const record = JSON.parse(readFileSync(host.record, 'latin1'));
    const {settings, at} = record;
    const header = {
      line: 'header',
      version: 1,
      id: 'x',
      operation: 'join openssh',
      at,
      host: record.host,
      settings,
      settle: [],
    };
    const begun = record.changes.map((one: object, index: number) => ({
      line: 'begin',
      index,
      to: null,
      ...one,
    }));
    writeFileSync(
      join(host.stage.dataDir, 'journal.jsonl'),
      [header, ...begun, {line: 'commit'}].map((one) => `${JSON.stringify(one)}\n`).join(''),
    );
    rmSync(host.record);
    const {state, problems, cluster} = await host.status();
    expect([state, cluster]).to.deep.equal(['joined', 'dev.example']);
    expect(problems.map(({code}) => code)).to.deep.equal(['INTERRUPTED']);
    expect(problems[0]?.fix).to.include('finishes it');
  });

  it('tells of a journal that nobody can use', async () => {
    writeFileSync(join(host.stage.dataDir, 'journal.jsonl'), 'x\n');
    expect(await codes()).to.deep.equal(['JOURNAL_UNUSABLE']);
  });

  it('tells of another run that is at work', async () => {
    const stat = readFileSync(`/proc/${process.pid}/stat`, 'latin1');
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
    writeFileSync(join(host.stage.dataDir, 'lock'), JSON.stringify({pid: process.pid, start, boot}));
    const {problems} = await host.status();
    expect(problems.map(({code}) => code)).to.deep.equal(['BUSY']);
    expect(problems[0]?.message).to.include(`pid ${process.pid}`);
    writeFileSync(join(host.stage.dataDir, 'lock'), JSON.stringify({pid: process.pid, start: '1', boot}));
    expect(await codes(), 'a lock whose holder is gone').to.deep.equal([]);
  });

  it('says what an ordinary user cannot see, and guesses nothing', async function () {
    skipUnlessNobodyCanRunIt(this);
    chmodSync(host.stage.root, 0o755);
    const prefix = NOBODY;
    const {stdout, stderr} = await agentless(['status', '--json', ...host.place], {prefix});
    const {result, status} = JSON.parse(stdout || '{}');
    expect(status, stderr).to.equal(3);
    expect(result.state).to.equal('unknown');
    expect(result.problems.map((one: {code: string}) => one.code)).to.deep.equal(['UNREADABLE']);
    expect(result.problems[0].fix).to.match(/^run with sudo to see it: sudo agentless status/);
    expect(result.certificates).to.have.length(2);
    expect(result.unseen.join()).to.match(/what sshd makes of its configuration; run with sudo/);
    expect(result.sshd).to.not.have.property('effective');
  });

  it('says that sshd does not run', async () => {
    const other = host.at('etc/other_config');
    copyFileSync(config(), other);
    const words = ['status', '--json', '--data-dir', host.stage.dataDir, '--openssh-config', other];
    const report = (JSON.parse((await inProcess(words)).stdout) as Envelope).result as Status;
    expect(report.problems.map(({code}) => code)).to.include('SSHD_STOPPED');
  });

  describe('and the cluster, asked online', () => {
    const online = () => ['--online', '--ca-file', host.stage.cluster.caFile, '--timeout', '3'];

    it('agrees', async () => {
      const report = await host.status(online());
      expect(report.problems).to.deep.equal([]);
      expect(report.online).to.deep.include({version: '18.0.0', accepted: true, node: 'right'});
      const {stdout} = await host.text(online());
      expect(stdout).to.match(
        /^ {2}cluster +accepts this identity through \S+, Teleport 18\.0\.0; node record as it should be$/m,
      );
    });

    it('remembers by what the proxy was trusted at the join', async () => {
      expect((await host.status(['--online'])).online).to.include({version: '18.0.0', accepted: true});
    });

    it('needs no authority of the web certificate but for the version', async () => {
      host.forgetTrust();
      const report = await host.status(['--online']);
      expect(report.problems).to.deep.equal([]);
      expect(report.online).to.not.have.property('version');
      expect(report.envelope.warnings.join()).to.match(/the version of the cluster is not known: /);
    });

    it('does not know another host under the user CA, the classic mistake', async () => {
      const user = formatPublicKey(publicBlob(host.stage.cluster.testOnlySshKey('user')));
      edit(join(host.ours, 'trusted_user_ca_keys'), (text) => text.replace(/^ssh-.*$/m, user));
      const report = await host.status(online());
      const found = report.problems.find(({code}) => code === 'USER_AUTHORITY');
      expect(found?.message).to.include('trusts the user CA of the cluster: it must be the openssh CA');
    });

    it('has other keys than the file', async () => {
      edit(join(host.ours, 'trusted_user_ca_keys'), (text) => `${text}${hostKey()}\n`);
      expect(await codes(online())).to.include('AUTHORITIES_OUTDATED');
    });

    it('is not to be trusted by the authorities that this host knows, as after a rotation that it has missed', async () => {
      copyFileSync(host.stage.cluster.caFile, join(host.stage.dataDir, 'identity/authorities.pem'));
      const {problems, online: told} = await host.status(online());
      const found = problems.find(({code}) => code === 'CLUSTER_UNTRUSTED');
      expect(found?.fix).to.match(/^if the authorities were rotated meanwhile: sudo agentless renew /);
      expect(told?.accepted).to.equal(false);
    });

    it('signs with another key', async () => {
      reissue({}, generateKey('ed25519'));
      expect(await codes(online())).to.include('SIGNER_INACTIVE');
    });
  });
});

describe('status of a host whose record in the cluster is touched', function () {
  this.timeout(60_000);
  let host: JoinedStage;
  const online = () => ['--online', '--ca-file', host.stage.cluster.caFile, '--timeout', '2'];
  beforeEach(async () => {
    host = await JoinedStage.start();
  });
  afterEach(() => host.stop());
  const codes = async () => (await host.status(online())).problems.map(({code}) => code);

  it('deleted', async () => {
    host.stage.cluster.removeNode(host.stage.cluster.nodes()[0]?.id ?? '');
    expect(await codes()).to.deep.equal(['NODE_MISSING']);
  });

  /** Speaks to the cluster as this host: a node's identity may write any node record. */
  async function asHost(work: (session: Session, node: Node) => Promise<void>): Promise<void> {
    const settings = readSettings(JSON.parse(readFileSync(host.record, 'utf8')).settings);
    const [node] = host.stage.cluster.nodes();
    if (settings === undefined || node === undefined) throw new Error('it has not joined');
    await using cluster = clientOf(host.stage.cluster);
    await work(cluster.as(await readIdentity(new LocalHost(), host.stage.dataDir, settings)), node);
  }

  it('changed', async () => {
    await asHost((session, node) => session.putNode({...node, hostname: 'web2'}));
    const {problems} = await host.status(online());
    expect(problems.map(({code}) => code)).to.deep.equal(['NODE_CHANGED']);
    expect(problems[0]?.detail).to.match(/^node \S+: web2, 127\.0\.0\.1:/);
  });

  it('and another one of the same name', async () => {
    await asHost((session, node) => session.putNode({...node, id: randomUUID(), address: '10.0.0.9:22'}));
    const {problems} = await host.status(online());
    expect(problems.map(({code}) => code)).to.deep.equal(['NODE_DUPLICATE']);
    expect(problems[0]?.fix).to.match(/tctl rm node\//);
  });

  it('the identity locked out', async () => {
    host.stage.cluster.lock(host.stage.cluster.nodes()[0]?.id ?? '', 'stolen');
    const report = await host.status(online());
    expect(report.problems.map(({code}) => code)).to.deep.equal(['IDENTITY_REFUSED']);
    expect(report.online?.accepted).to.equal(false);
  });

  it('nobody answers', async () => {
    await host.stage.cluster.close();
    const report = await host.status(online());
    expect(report.problems.map(({code}) => code)).to.deep.equal(['CLUSTER_UNREACHABLE']);
    expect((await host.status()).problems, 'which is nothing to a local status').to.deep.equal([]);
  });
});

describe('status of a host with a directory of drop-ins', function () {
  this.timeout(60_000);
  let host: JoinedStage;
  const include = () => `Include ${host.at('etc/sshd_config.d')}/*.conf`;
  const dropIn = () => host.at('etc/sshd_config.d/00-agentless.conf');
  before(async () => {
    host = await JoinedStage.start({}, [], (stage) => {
      const directory = join(stage.root, 'etc/sshd_config.d');
      mkdirSync(directory);
      writeFileSync(stage.sshd.config, `Include ${directory}/*.conf\n${stage.config}`, 'latin1');
    });
    expect(existsSync(dropIn())).to.equal(true);
  });
  afterEach(() => host.restore());
  after(() => host.stop());
  const config = (change: (text: string) => string) =>
    writeFileSync(host.stage.sshd.config, change(host.stage.config), 'latin1');

  it('is 0 when all is well', async () => {
    expect((await host.status()).problems).to.deep.equal([]);
  });

  it('names the Include line that a template has left out', async () => {
    config((text) => text.replace(`${include()}\n`, ''));
    const {problems} = await host.status();
    expect(problems.map(({code}) => code)).to.deep.equal(['LINES_MISSING']);
    expect(problems[0]?.message).to.equal(`${include()} in ${host.stage.sshd.config}`);
    expect((await host.text()).stdout).to.include(
      `web1  joined to dev.example, but sshd will not serve it once it is reloaded\n  missing       ${include()} in `,
    );
  });

  it('names the Include line when it is commented out, which a search for its text would not see', async () => {
    config((text) => text.replace(include(), `# ${include()}`));
    expect((await host.status()).problems.map(({code}) => code)).to.deep.equal(['LINES_MISSING']);
  });

  it('names the drop-in when that is gone, or edited', async () => {
    appendFileSync(dropIn(), 'MaxAuthTries 3\n');
    expect((await host.status()).problems.map(({code}) => code)).to.deep.equal(['FILE_CHANGED']);
    rmSync(dropIn());
    expect((await host.status()).problems.map(({code}) => code)).to.deep.equal(['FILE_MISSING']);
  });

  it('names an earlier drop-in that wins', async () => {
    writeFileSync(host.at('etc/sshd_config.d/00-aaa.conf'), 'TrustedUserCAKeys /etc/ssh/site_ca\n');
    const {problems, rivals} = await host.status();
    expect(problems.map(({code}) => code)).to.deep.equal(['OVERRIDDEN']);
    expect(rivals[0]).to.deep.include({file: host.at('etc/sshd_config.d/00-aaa.conf'), line: 1, wins: true});
  });
});

describe('status of a host that never joined', () => {
  it('says so, with the command that joins it', async () => {
    const stage = await Stage.quick();
    try {
      const {stdout, status} = await agentless([
        'status',
        '--data-dir',
        stage.dataDir,
        '--openssh-config',
        stage.sshd.config,
      ]);
      expect(status).to.equal(3);
      expect(stdout).to.match(
        /^\S+ {2}not joined to a cluster\n {2}join +sudo agentless join openssh --proxy-server /,
      );
    } finally {
      await stage.stop();
    }
  });
});
