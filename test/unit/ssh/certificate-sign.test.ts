import {expect} from 'chai';
import {
  type CertificateFields,
  FOREVER,
  parseCertificate,
  signCertificate,
  verifySignature,
} from '../../../src/ssh/certificate.js';
import {publicBlob} from '../../../src/ssh/key.js';
import {SshFormatError} from '../../../src/ssh/wire.js';
import {asListed, KEYS, keyNamed, Scratch} from './keygen.js';

const host = {type: 'host', principals: ['web1', '10.0.0.5'], validAfter: 0n, validBefore: FOREVER} as const;
const user = {
  type: 'user',
  serial: 2n ** 63n,
  keyId: 'alice',
  principals: ['root', '-teleport-internal-join'],
  validAfter: 1_600_000_000n,
  validBefore: 1_900_000_000n,
  criticalOptions: {'force-command': 'echo "a b"'},
  extensions: new Map([
    ['teleport-roles', '{"roles":["access"]}'],
    ['permit-pty', ''],
    ['disallow-reissue', ''],
  ]),
} as const;
const AUTHORITIES = [
  ...Object.keys(KEYS).map((name) => [name, undefined] as const),
  ['rsa', 'rsa-sha2-512'] as const,
];

describe('certificates that we sign', () => {
  for (const [authority, algorithm] of AUTHORITIES) {
    for (const subject of Object.keys(KEYS)) {
      it(`${subject} key signed by ${algorithm ?? authority}: ssh-keygen lists what was asked for`, () => {
        using scratch = new Scratch();
        const key = publicBlob(keyNamed(subject));
        for (const fields of [host, user]) {
          const line = signCertificate({...fields, key}, keyNamed(authority), algorithm);
          const certificate = parseCertificate(line);
          expect(asListed(certificate)).to.deep.equal(scratch.list(line));
          expect(verifySignature(certificate)).to.equal(true);
          expect(certificate).to.deep.include({
            ...asRead(fields),
            key,
            authority: publicBlob(keyNamed(authority)),
          });
        }
      });
    }
  }

  it('name the algorithm of an RSA authority as asked, SHA-256 when nothing is asked', () => {
    const sign = (algorithm?: 'rsa-sha2-256' | 'rsa-sha2-512') => {
      const line = signCertificate({...host, key: publicBlob(keyNamed('p256'))}, keyNamed('rsa'), algorithm);
      return parseCertificate(line).signatureAlgorithm;
    };
    expect(sign()).to.equal('rsa-sha2-256');
    expect(sign('rsa-sha2-256')).to.equal('rsa-sha2-256');
    expect(sign('rsa-sha2-512')).to.equal('rsa-sha2-512');
  });

  it('carry options in the order of their bytes, whatever order they came in', () => {
    const extensions = {b: '', '\u{1f600}': 'x', a: '1', '\uffee': '', A: ''};
    const key = publicBlob(keyNamed('ed25519'));
    const certificate = parseCertificate(signCertificate({...host, key, extensions}, keyNamed('ed25519')));
    expect([...certificate.extensions.keys()]).to.deep.equal(['A', 'a', 'b', '\uffee', '\u{1f600}']);
  });

  it('never repeat their nonce, so no two are alike', () => {
    const fields = {...host, key: publicBlob(keyNamed('ed25519'))};
    const lines = Array.from({length: 4}, () => signCertificate(fields, keyNamed('ed25519')));
    expect(new Set(lines).size).to.equal(4);
  });

  it('are for keys only', () => {
    expect(() => signCertificate({...host, key: new Uint8Array([1])}, keyNamed('ed25519'))).to.throw(
      SshFormatError,
    );
  });

  it('pad the numbers of an ECDSA signature so that short ones verify as well', () => {
    // One in 128 signatures has a number with a leading zero byte, every second one a sign byte.
    const fields = {...host, key: publicBlob(keyNamed('p256'))};
    for (let count = 0; count < 400; count += 1) {
      expect(verifySignature(parseCertificate(signCertificate(fields, keyNamed('p256'))))).to.equal(true);
    }
  });
});

/** How the reader shows what was asked for. */
function asRead(fields: Omit<CertificateFields, 'key'>) {
  const {type, principals, validAfter, validBefore, serial = 0n, keyId = ''} = fields;
  const asMap = (options: CertificateFields['extensions'] = {}) => {
    const entries = options instanceof Map ? [...options] : Object.entries(options);
    return new Map(entries.sort());
  };
  const [criticalOptions, extensions] = [asMap(fields.criticalOptions), asMap(fields.extensions)];
  return {type, principals, validAfter, validBefore, serial, keyId, criticalOptions, extensions};
}
