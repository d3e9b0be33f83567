import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import fc from 'fast-check';
import {shellWord} from '../../../src/host/shell-word.js';
import {reasonOf} from '../../../src/operations/handshake.js';

/** Around the line that matters: what sshd 9.2 writes before and after it at LogLevel DEBUG1. */
const log = (...lines: readonly string[]) =>
  [
    'debug1: sshd version OpenSSH_9.2, OpenSSL 3.0.19 27 Jan 2026',
    'debug1: userauth-request for user deploy service ssh-connection method publickey [preauth]',
    ...lines,
    'debug1: do_cleanup [preauth]',
    'Connection closed by authenticating user deploy UNKNOWN port 65535 [preauth]',
    'debug1: Killing privsep child 4711',
    '',
  ].join('\r\n');

describe("sshd's own reason for a refusal", () => {
  const reasons = {
    'AllowUsers, DenyUsers, AllowGroups':
      'User deploy from UNKNOWN not allowed because not listed in AllowUsers',
    'a shell that does not exist': 'User deploy not allowed because shell /bin/none does not exist',
    'a locked account': 'User deploy not allowed because account is locked',
    PermitRootLogin: 'ROOT LOGIN REFUSED FROM UNKNOWN port 65535',
    AuthorizedPrincipalsFile: 'error: Certificate does not contain an authorized principal',
    PubkeyAcceptedAlgorithms:
      'userauth_pubkey: signature algorithm ssh-ed25519-cert-v01@openssh.com not in PubkeyAcceptedAlgorithms',
    'the same before 8.5':
      'userauth_pubkey: key type ssh-ed25519-cert-v01@openssh.com not in PubkeyAcceptedKeyTypes',
    CASignatureAlgorithms:
      'userauth_pubkey: certificate signature algorithm ssh-ed25519: signature algorithm not supported',
    'the same in 10.6':
      'userauth_pubkey: certificate signature algorithm not in CASignatureAlgorithm: signature algorithm not supported',
    'a login that does not exist': 'Invalid user deploy from UNKNOWN port 65535',
    RevokedKeys: 'error: Authentication key ED25519-CERT SHA256:x revoked by file /etc/ssh/revoked',
    'RevokedKeys that cannot be read':
      'error: Error checking authentication key ED25519 SHA256:x in revoked keys file /gone: No such file',
    'PAM, account phase': 'fatal: Access denied for user deploy by PAM account configuration',
    'a certificate that is over': 'error: Certificate invalid: expired',
    'a host certificate without its key': 'No matching private key for certificate: /run/x/key-cert.pub',
    'a host certificate that is missing':
      'error: Could not load host certificate "/x": No such file or directory',
    StrictModes: 'Authentication refused: bad ownership or modes for directory /root',
    'PAM, session phase': 'error: PAM: pam_open_session(): Permission denied',
    'AuthenticationMethods that wants more':
      'Partial publickey for deploy from UNKNOWN port 65535 ssh2: ED25519-CERT SHA256:x ID x (serial 0) CA ED25519 SHA256:y',
    'nothing but the failure itself':
      'Failed publickey for deploy from UNKNOWN port 65535 ssh2: ED25519-CERT SHA256:x ID x (serial 0) CA ED25519 SHA256:y',
  };
  for (const [name, line] of Object.entries(reasons)) {
    it(`${name}: verbatim, without marks of debugging`, () => {
      expect(reasonOf(log(line))).to.equal(line);
      expect(reasonOf(log(`debug1: ${line} [preauth]`))).to.equal(line);
    });
  }

  it('is the one that tells most where there are several', () => {
    const denied = 'User deploy from UNKNOWN not allowed because listed in DenyUsers';
    const failed = 'Failed publickey for invalid user deploy from UNKNOWN port 65535 ssh2: ED25519-CERT …';
    expect(reasonOf(log(failed, denied, 'Invalid user deploy from UNKNOWN'))).to.equal(denied);
  });

  it('is about the certificate, not about the plain key that a client tries before it', () => {
    const plain = 'Failed publickey for deploy from UNKNOWN port 65535 ssh2: ED25519 SHA256:x';
    const certificate =
      'Failed publickey for deploy from UNKNOWN port 65535 ssh2: ED25519-CERT SHA256:x ID x';
    const partial = 'Partial publickey for deploy from UNKNOWN port 65535 ssh2: ED25519-CERT SHA256:x ID x';
    expect(reasonOf(log(plain, certificate))).to.equal(certificate);
    expect(reasonOf(log(plain, partial))).to.equal(partial);
    expect(reasonOf(log(plain))).to.equal(plain);
  });

  it('is nothing of what PAM says of every connection', () => {
    const noise = 'debug1: PAM: initializing for "deploy"\r\ndebug1: PAM: setting PAM_RHOST to "UNKNOWN"\r\n';
    const failed = 'Failed publickey for deploy from UNKNOWN port 65535 ssh2: ED25519-CERT SHA256:x ID x';
    expect(reasonOf(noise)).to.equal(undefined);
    expect(reasonOf(noise + log(failed))).to.equal(failed);
  });

  it('is its last word that is not debugging where none is known', () => {
    expect(reasonOf('debug1: a\r\nfirst\r\nfatal: out of luck\r\ndebug1: b\r\n\r\n')).to.equal(
      'fatal: out of luck',
    );
  });

  it('is nothing where it said nothing', () => {
    const common = 'Connection from UNKNOWN port 65535 on UNKNOWN port 65535';
    const warning =
      'WARNING: connection from UNKNOWN port 65535 is not using a post-quantum key exchange algorithm: "x" [preauth]';
    const debugging = 'debug1: only this\r\ndebug2: and that\r\n';
    for (const nothing of ['', '\r\n', debugging, log(common), log(warning)]) {
      expect(reasonOf(nothing)).to.equal(undefined);
    }
  });
});

describe('a word for the shell of ProxyCommand', () => {
  it('stays as it is where nothing in it means anything', () => {
    for (const word of ['/usr/sbin/sshd', '-oPort=22', 'a_b.c:d@e%f+g,h'])
      expect(shellWord(word)).to.equal(word);
  });

  it('arrives unchanged, whatever is in it', () => {
    const word = fc.array(fc.constantFrom(...`'"\\ \t\n$\`*?;&|<>(){}[]!#~=abz-é`), {maxLength: 12});
    const words = fc.array(
      word.map((letters) => letters.join('')),
      {minLength: 1, maxLength: 40},
    );
    fc.assert(
      fc.property(words, (list) => {
        const script = `printf '%s\\0' ${list.map(shellWord).join(' ')}`;
        expect(execFileSync('sh', ['-c', script], {encoding: 'utf8'}).split('\0').slice(0, -1)).to.deep.equal(
          list,
        );
      }),
      {numRuns: 30},
    );
  });
});
