// The certificates that we sign, before a real sshd and a real ssh: one connection each, through `sshd -i`.

import {spawnSync} from 'node:child_process';
import {userInfo} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {makePrivsepDirectory} from '../../../src/demo/private-sshd.js';
import {FOREVER, signCertificate} from '../../../src/ssh/certificate.js';
import {formatPublicKey, publicBlob} from '../../../src/ssh/key.js';
import {KEYS, keyNamed, Scratch} from './keygen.js';

const SSHD = process.env['SSHD'] ?? '/usr/sbin/sshd';
const NAME = userInfo().username;
const now = () => BigInt(Math.floor(Date.now() / 1000));

interface Login {
  readonly subject: string;
  readonly authority: string;
  readonly algorithm?: 'rsa-sha2-256' | 'rsa-sha2-512';
  /** Name that the client dials. */
  readonly dial?: string;
  /** Login that the user certificate names. */
  readonly principal?: string;
}

/** Logs in with certificates on both sides; the client knows nothing but the authority. */
async function login({subject, authority, algorithm, dial = 'web1', principal = NAME}: Login) {
  using scratch = new Scratch();
  const [ca, key] = [keyNamed(authority), keyNamed(subject)];
  const blob = publicBlob(key);
  const caLine = formatPublicKey(publicBlob(ca));
  const host = {
    type: 'host',
    key: blob,
    principals: ['web1', '::1'],
    validAfter: 0n,
    validBefore: FOREVER,
  } as const;
  const extensions = {'permit-pty': '', 'teleport-roles': '{"roles":["access"]}'};
  const validity = {validAfter: now() - 60n, validBefore: now() + 300n};
  const user = {
    type: 'user',
    key: blob,
    keyId: 'alice',
    principals: [principal],
    ...validity,
    extensions,
  } as const;

  const keyPath = await scratch.keyFile('key', key);
  scratch.file('host-cert.pub', `${signCertificate(host, ca, algorithm)}\n`);
  scratch.file('user-cert.pub', `${signCertificate(user, ca, algorithm)}\n`);
  const at = (name: string) => join(scratch.path, name);
  const sshdConfig = scratch.file(
    'sshd_config',
    [
      `HostKey ${keyPath}`,
      `HostCertificate ${at('host-cert.pub')}`,
      `TrustedUserCAKeys ${scratch.file('ca.pub', `${caLine}\n`)}`,
      'AuthorizedKeysFile none',
      'UsePAM no',
      'LogLevel VERBOSE',
      '',
    ].join('\n'),
  );
  const options = {
    ProxyCommand: `${SSHD} -i -f ${sshdConfig} -E ${at('log')}`,
    StrictHostKeyChecking: 'yes',
    UserKnownHostsFile: scratch.file('known_hosts', `@cert-authority * ${caLine}\n`),
    GlobalKnownHostsFile: '/dev/null',
    IdentityFile: keyPath,
    CertificateFile: at('user-cert.pub'),
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    BatchMode: 'yes',
    KexAlgorithms: 'curve25519-sha256',
  };
  const flags = Object.entries(options).flatMap(([option, value]) => ['-o', `${option}=${value}`]);
  const ssh = spawnSync('ssh', ['-v', '-F', 'none', ...flags, `${NAME}@${dial}`, 'echo', 'in'], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return {status: ssh.status, stdout: ssh.stdout, stderr: ssh.stderr, log: scratch.read('log')};
}

describe('our certificates before OpenSSH', function () {
  this.slow(2_000);

  before(() => {
    // sshd's own requirement when it runs as root; a boot makes it on a system with a running sshd.
    makePrivsepDirectory();
  });

  const cases: readonly Login[] = [
    ...Object.keys(KEYS).map((subject) => ({subject, authority: 'ed25519'})),
    ...Object.keys(KEYS)
      .slice(1)
      .map((authority) => ({subject: 'ed25519', authority})),
    {subject: 'ed25519', authority: 'rsa', algorithm: 'rsa-sha2-512'},
    {subject: 'rsa', authority: 'rsa', algorithm: 'rsa-sha2-256'},
  ];
  for (const {subject, authority, algorithm} of cases) {
    it(`${subject} keys signed by ${algorithm ?? authority}: host accepted, user logged in`, async () => {
      const how = algorithm === undefined ? {} : {algorithm};
      const {status, stdout, stderr, log} = await login({subject, authority, ...how});
      expect(stdout, `${stderr}\n${log}`).to.equal('in\n');
      expect(status).to.equal(0);
      expect(stderr).to.match(/matches the \S+-CERT host certificate/);
      expect(log).to.include('Accepted certificate ID "alice"');
    });
  }

  it('a host is accepted under the names in its certificate only', async () => {
    const base = {subject: 'ed25519', authority: 'ed25519'};
    expect((await login({...base, dial: '::1'})).status).to.equal(0);
    const other = await login({...base, dial: 'web2'});
    expect(other.status).to.equal(255);
    expect(other.stderr).to.match(/name is not a listed principal/);
  });

  it('a user gets in only as what the certificate names', async () => {
    const {status, stderr, log} = await login({
      subject: 'p256',
      authority: 'p384',
      principal: 'somebody-else',
    });
    expect(status).to.equal(255);
    expect(stderr)
      .to.match(/matches the ECDSA-CERT host certificate/)
      .and.to.match(/Permission denied/);
    expect(log).not.to.include('Accepted certificate');
  });
});
