import {writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {allowsAny, certificateAlgorithms, signatureAlgorithms} from '../../../src/ssh/algorithms.js';
import {type CertificateContext, certificateFindings, type Finding} from '../../../src/ssh/findings.js';
import {dialectOf, EffectiveConfig, parseEffective, settings} from '../../../src/ssh/sshd-config/index.js';
import {RealSshd} from '../../support/real-sshd.js';

const CONTEXT: CertificateContext = {
  authorityKeyType: 'ssh-ed25519',
  hostKeyTypes: ['ssh-ed25519', 'ssh-rsa'],
  ownFiles: ['/our/cert', '/our/ca'],
};

const brief = ({severity, line, message}: Finding) => `${severity} ${line ?? '-'} ${message}`;

describe('algorithm lists', () => {
  it('allow what they name, by pattern or relative to the defaults', () => {
    const certificate = ['ssh-ed25519-cert-v01@openssh.com'];
    for (const list of [
      'ssh-rsa,ssh-ed25519-cert-v01@openssh.com',
      '*',
      'ssh-*-cert-v0?@*',
      '+ssh-rsa',
      '^ssh-rsa',
      '-ssh-rsa*',
    ]) {
      expect(allowsAny(list, certificate), list).to.equal(true);
    }
    for (const list of ['ssh-ed25519', '-*-cert-v01@openssh.com', '-ssh-*']) {
      expect(allowsAny(list, certificate), list).to.equal(false);
    }
  });

  it('have several names for RSA', () => {
    expect(certificateAlgorithms('ssh-rsa'))
      .to.have.lengthOf(3)
      .and.include('rsa-sha2-256-cert-v01@openssh.com');
    expect(certificateAlgorithms('sk-ssh-ed25519@openssh.com')).to.deep.equal([
      'sk-ssh-ed25519-cert-v01@openssh.com',
    ]);
    expect(signatureAlgorithms('ssh-rsa')).to.deep.equal(['rsa-sha2-512', 'rsa-sha2-256']);
    expect(signatureAlgorithms('ecdsa-sha2-nistp256')).to.deep.equal(['ecdsa-sha2-nistp256']);
  });
});

describe('findings in a configuration', function () {
  this.timeout(20_000);
  let sshd: RealSshd;
  before(() => {
    sshd = new RealSshd();
  });
  after(() => sshd.remove());

  /** What is found in these lines, by what a real sshd makes of them. */
  async function find(lines: string, context: Partial<CertificateContext> = {}): Promise<Finding[]> {
    const main = join(sshd.directory, 'sshd_config');
    writeFileSync(main, lines);
    const {accepted, text, errors} = await sshd.test(main);
    expect(accepted, errors).to.equal(true);
    const all = settings({main, files: new Map([[main, Buffer.from(lines)]])}, sshd.dialect);
    return certificateFindings(parseEffective(text), all, {...CONTEXT, ...context});
  }

  const cases: readonly [lines: string, found: string[], context?: Partial<CertificateContext>][] = [
    ['Port 2222\nUsePAM no\nHostCertificate /our/cert\nTrustedUserCAKeys /our/ca', []],
    [
      '# x\nHostKeyAlgorithms ssh-ed25519,rsa-sha2-512',
      ['fatal 2 no client could verify this host: HostKeyAlgorithms allows no certificate type'],
    ],
    [
      'HostKeyAlgorithms -*-cert-v01@openssh.com',
      ['fatal 1 no client could verify this host: HostKeyAlgorithms allows no certificate type'],
    ],
    ['HostKeyAlgorithms +ssh-rsa', []],
    [
      'HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com,ssh-rsa',
      [
        'warn 1 HostKeyAlgorithms leaves out the certificate type of some host keys; those are not served as certificates',
      ],
    ],
    ['HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com', [], {hostKeyTypes: ['ssh-ed25519']}],
    [
      'HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com',
      ['fatal 1 no client could verify this host: HostKeyAlgorithms allows no certificate type'],
      {hostKeyTypes: ['ecdsa-sha2-nistp256']},
    ],
    ['PubkeyAuthentication no', ['fatal 1 no certificate would be accepted: PubkeyAuthentication is off']],
    [
      'PubkeyAuthentication no\nMatch User x\nPubkeyAuthentication yes',
      ['warn 1 no certificate would be accepted: PubkeyAuthentication is off'],
    ],
    [
      'PubkeyAuthentication no\nMatch User x\nPubkeyAuthentication no',
      [
        'fatal 1 no certificate would be accepted: PubkeyAuthentication is off',
        'warn 3 no certificate would be accepted: PubkeyAuthentication is off (Match User x)',
      ],
    ],
    [
      'PubkeyAuthentication yes\nMatch all\nPubkeyAuthentication no',
      ['fatal 3 no certificate would be accepted: PubkeyAuthentication is off'],
    ],
    [
      'PubkeyAcceptedKeyTypes ssh-ed25519',
      ['fatal 1 no certificate would be accepted: PubkeyAcceptedAlgorithms allows no certificate type'],
    ],
    [
      'Match Address 10.0.0.0/8\nPubkeyAcceptedKeyTypes ssh-rsa',
      [
        'warn 2 no certificate would be accepted: PubkeyAcceptedAlgorithms allows no certificate type (Match Address 10.0.0.0/8)',
      ],
    ],
    [
      'CASignatureAlgorithms rsa-sha2-512',
      ["fatal 1 no certificate would be accepted: CASignatureAlgorithms leaves out the cluster's authority"],
    ],
    ['CASignatureAlgorithms rsa-sha2-512', [], {authorityKeyType: 'ssh-rsa'}],
    [
      'AuthenticationMethods password',
      ['fatal 1 no certificate would be accepted: AuthenticationMethods never asks for publickey'],
    ],
    [
      'AuthenticationMethods publickey,password password',
      [
        'warn 1 AuthenticationMethods asks for more than the certificate, and the cluster has nothing more to give',
      ],
    ],
    ['AuthenticationMethods publickey,password publickey', []],
    ['AuthenticationMethods any', []],
    ['DenyUsers a *', ['fatal 1 nobody could log in: DenyUsers names everybody']],
    ['DenyGroups *', ['fatal 1 nobody could log in: DenyGroups names every group']],
    [
      'DenyUsers a\nDenyGroups b',
      ['warn 1 DenyUsers keeps logins out', 'warn 2 DenyGroups keeps logins out'],
    ],
    [
      'AllowUsers a\nAllowGroups b',
      ['warn 1 AllowUsers limits who can log in', 'warn 2 AllowGroups limits who can log in'],
    ],
    ['AuthorizedPrincipalsFile NONE\nRevokedKeys none\nPermitRootLogin yes', []],
    [
      'AuthorizedPrincipalsFile /p/%u',
      ['warn 1 AuthorizedPrincipalsFile decides which certificates a login takes'],
    ],
    [
      'AuthorizedPrincipalsCommandUser nobody\nAuthorizedPrincipalsCommand /bin/true',
      ['warn 2 AuthorizedPrincipalsCommand decides which certificates a login takes'],
    ],
    ['PermitRootLogin no', ['warn 1 root cannot log in with a certificate: PermitRootLogin forbids it']],
    [
      'PermitRootLogin forced-commands-only',
      ['warn 1 root cannot log in with a certificate: PermitRootLogin forbids it'],
    ],
    [
      'RevokedKeys /none',
      [
        'warn 1 RevokedKeys is set: if that file is missing or unreadable sshd refuses every key and certificate',
      ],
    ],
    [
      'Match User x\nTrustedUserCAKeys /theirs\nMatch all\nTrustedUserCAKeys /our/ca',
      ['warn 2 TrustedUserCAKeys in a Match block overrides the authorities of the cluster (Match User x)'],
    ],
    [
      'TrustedUserCAKeys /our/ca\nMatch all\nTrustedUserCAKeys none',
      ['fatal 3 TrustedUserCAKeys in a Match block overrides the authorities of the cluster (Match all)'],
    ],
    [
      'HostCertificate /our/cert\nHostCertificate /theirs',
      ['warn 2 another HostCertificate is configured; of two for the same key sshd serves the later one'],
    ],
  ];
  for (const [lines, found, context] of cases) {
    it(`${lines.replaceAll('\n', ' ↵ ')}${context ? ` with ${JSON.stringify(context)}` : ''}`, async function () {
      if (sshd.version[0] < 9) return this.skip();
      expect((await find(lines, context)).map(brief)).to.deep.equal(found);
    });
  }

  it('name file, line and text, with a way out', async () => {
    expect(await find('\n  PubkeyAuthentication = no # really\n')).to.deep.equal([
      {
        severity: 'fatal',
        message: 'no certificate would be accepted: PubkeyAuthentication is off',
        file: join(sshd.directory, 'sshd_config'),
        line: 2,
        text: 'PubkeyAuthentication = no # really',
        hint: 'set PubkeyAuthentication yes; logins with certificates are a kind of it',
      },
    ]);
  });

  it('blame no line for what the command line of sshd has set', () => {
    const lines = 'PubkeyAuthentication yes\n';
    const all = settings({main: '/c', files: new Map([['/c', Buffer.from(lines)]])}, dialectOf([9, 2]));
    const [found] = certificateFindings(parseEffective('PubkeyAuthentication no\n'), all, {
      authorityKeyType: 'ssh-ed25519',
    });
    expect(found).to.include({severity: 'fatal'}).and.not.have.any.keys('file', 'line', 'text');
  });

  it('go by the lines where sshd does not report a setting, and by its old name for it', () => {
    const lines =
      'PubkeyAcceptedKeyTypes ssh-rsa\nHostKeyAlgorithms ssh-rsa\nHostCertificate /x\nMatch all\nTrustedUserCAKeys /y';
    const all = settings({main: '/c', files: new Map([['/c', Buffer.from(lines)]])}, dialectOf([7, 4]));
    const context = {authorityKeyType: 'ssh-ed25519'};
    const kinds = (effective: EffectiveConfig) =>
      certificateFindings(effective, all, context).map(({severity, line}) => `${severity} ${line}`);
    expect(kinds(new EffectiveConfig())).to.deep.equal(['fatal 2', 'fatal 1', 'fatal 5', 'warn 3']);
    expect(kinds(parseEffective('pubkeyacceptedkeytypes *\nhostkeyalgorithms *'))).to.deep.equal([
      'fatal 5',
      'warn 3',
    ]);
  });
});
