import {generateKeyPairSync, type KeyObject, sign} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {
  type Certificate,
  type CertificateFields,
  checkHostCertificate,
  FOREVER,
  parseCertificate,
  signCertificate,
  verifySignature,
} from '../../../src/ssh/certificate.js';
import {fingerprint, publicBlob} from '../../../src/ssh/key.js';
import {concatBytes, encodeMpint, encodeString} from '../../../src/ssh/wire.js';
import {keyNamed, Scratch} from './keygen.js';

const key = publicBlob(keyNamed('p256'));
const authority = publicBlob(keyNamed('ed25519'));
const stranger = generateKeyPairSync('ed25519').privateKey;
const good = {
  type: 'host',
  key,
  principals: ['web1', 'web1.example.com', '10.0.0.5'],
  validAfter: 1_000n,
  validBefore: FOREVER,
} as const;
const expected = {authorities: [publicBlob(stranger), authority], key, principals: ['web1', '10.0.0.5']};

function check(
  changes: Partial<CertificateFields> = {},
  by: KeyObject = keyNamed('ed25519'),
  now?: Date,
): string[] {
  const certificate = parseCertificate(signCertificate({...good, ...changes}, by));
  return checkHostCertificate(certificate, now === undefined ? expected : {...expected, now});
}

describe('checking a host certificate', () => {
  it('finds nothing wrong with a good one', () => {
    expect(check()).to.deep.equal([]);
  });

  it('finds nothing wrong with those of a real cluster', () => {
    for (const suite of ['balanced-v1', 'fips-v1', 'legacy']) {
      const read = (name: string) =>
        readFileSync(`test/golden/teleport-18.0.0/${suite}/${name}.pub`, 'utf8').trim();
      const blob = (name: string) => new Uint8Array(Buffer.from(read(name).split(' ')[1] ?? '', 'base64'));
      const problems = checkHostCertificate(parseCertificate(read('host-cert')), {
        authorities: [blob('ssh-ca')],
        key: blob('host-key-ed25519'),
        principals: ['db1', 'db1.example.com', '10.0.0.5', 'localhost'],
        now: new Date('2036-01-01'),
      });
      expect(problems, suite).to.deep.equal([]);
    }
  });

  it('names a wrong type', () => {
    expect(check({type: 'user'})).to.deep.equal(['it is a user certificate, not a host certificate']);
  });

  it('names an authority that is not the cluster’s, though its signature is right', () => {
    const other = keyNamed('rsa');
    expect(check({}, other)).to.deep.equal([
      `it is signed by ${fingerprint(publicBlob(other))}, which is not an authority of the cluster`,
    ]);
  });

  it('names a wrong signature, though a trusted authority is printed inside', () => {
    const certificate = parseCertificate(signCertificate(good, keyNamed('ed25519')));
    const tampered = {...certificate, signed: certificate.signed.with(60, 1 ^ (certificate.signed[60] ?? 0))};
    expect(checkHostCertificate(tampered, expected)).to.deep.equal(['its signature is wrong']);
  });

  it('names another key', () => {
    const other = publicBlob(keyNamed('p384'));
    expect(check({key: other})).to.deep.equal([
      `it is for the key ${fingerprint(other)}, not for ${fingerprint(key)}`,
    ]);
  });

  it('names each missing principal, compared exactly', () => {
    expect(check({principals: ['WEB1', 'web1.', '10.0.0.50']})).to.deep.equal([
      'it does not name web1, 10.0.0.5',
    ]);
  });

  it('refuses one without principals, which old clients take for any name', () => {
    expect(check({principals: []})).to.deep.equal([
      'it names no principals, so clients disagree about what it is good for',
    ]);
  });

  it('counts validity to the second: from the first, up to and without the last', () => {
    const at = (seconds: number) =>
      check({validAfter: 1_000n, validBefore: 2_000n}, undefined, new Date(seconds * 1000));
    expect(at(999.9)).to.deep.equal([
      "it is not valid before 1970-01-01T00:16:40.000Z; this host's clock says 1970-01-01T00:16:39.900Z",
    ]);
    expect(at(1000)).to.deep.equal([]);
    expect(at(1999.9)).to.deep.equal([]);
    expect(at(2000)).to.deep.equal([
      "it expired on 1970-01-01T00:33:20.000Z; this host's clock says 1970-01-01T00:33:20.000Z",
    ]);
  });

  it('takes times beyond any calendar', () => {
    expect(check({validAfter: 2n ** 64n - 2n})[0]).to.include('not valid before second 18446744073709551614');
    expect(check({validAfter: 8_640_000_000_000n})[0]).to.include('+275760-09-13');
    expect(check({validBefore: 8_640_000_000_001n})).to.deep.equal([]);
  });

  it('names critical options, of which clients know none in host certificates', () => {
    expect(check({criticalOptions: {'force-command': 'x', 'source-address': '::/0'}})).to.deep.equal([
      'it has critical options that no client knows: force-command, source-address',
    ]);
  });

  it('names everything at once', () => {
    const all = {
      type: 'user',
      key: authority,
      principals: ['x'],
      validBefore: 1_001n,
      criticalOptions: {a: ''},
    } as const;
    expect(check(all, keyNamed('p521'))).to.have.length(6);
  });
});

/** A certificate whose signature is replaced by one made with `make` from the signed bytes. */
function resigned(by: KeyObject, algorithm: string, make: (signed: Uint8Array) => Uint8Array): Certificate {
  const certificate = parseCertificate(signCertificate(good, by));
  return {...certificate, signatureAlgorithm: algorithm, signature: make(certificate.signed)};
}

describe('verifying a signature', () => {
  const problemsOf = (certificate: Certificate) =>
    checkHostCertificate(certificate, {...expected, authorities: [certificate.authority]});

  it('refuses SHA-1, though the signature is right', () => {
    const certificate = resigned(keyNamed('rsa'), 'ssh-rsa', (signed) =>
      sign('sha1', signed, keyNamed('rsa')),
    );
    expect(verifySignature(certificate)).to.equal(false);
    expect(problemsOf(certificate)).to.deep.equal(['it is signed with ssh-rsa (SHA-1), which is not safe']);
  });

  it('refuses an RSA authority under 2048 bits, though the signature is right', () => {
    const small = generateKeyPairSync('rsa', {modulusLength: 1024}).privateKey;
    const certificate = parseCertificate(signCertificate(good, small));
    expect(verifySignature(certificate)).to.equal(false);
    expect(problemsOf(certificate)).to.deep.equal(['it is signed by an RSA key of only 1024 bits']);
  });

  it('refuses an algorithm that the authority’s key does not have', () => {
    for (const algorithm of [
      'ssh-ed25519',
      'ecdsa-sha2-nistp384',
      'rsa-sha2-256',
      'none',
      'constructor',
      '',
    ]) {
      for (const by of ['p256', 'rsa']) {
        if (by === 'rsa' && algorithm === 'rsa-sha2-256') continue;
        const certificate = {
          ...parseCertificate(signCertificate(good, keyNamed(by))),
          signatureAlgorithm: algorithm,
        };
        expect(verifySignature(certificate), `${by} ${algorithm}`).to.equal(false);
        expect(problemsOf(certificate)[0]).to.match(/which its authority's key cannot do$/);
      }
    }
  });

  it('refuses the hash that the algorithm does not name', () => {
    const certificate = parseCertificate(signCertificate(good, keyNamed('rsa'), 'rsa-sha2-256'));
    expect(verifySignature({...certificate, signatureAlgorithm: 'rsa-sha2-512'})).to.equal(false);
  });

  it('refuses an ECDSA signature that is not two proper integers of its curve', () => {
    const [half, zero] = [new Uint8Array(32).fill(1), encodeString('')];
    const integers: Readonly<Record<string, Uint8Array>> = {
      nothing: new Uint8Array(),
      'one integer': encodeMpint(half),
      'zero and zero': concatBytes(zero, zero),
      'a negative one': concatBytes(encodeMpint(half), encodeString(half.with(0, 0x80))),
      'one longer than the curve': concatBytes(encodeMpint(half), encodeMpint(concatBytes(half, half))),
      'three integers': concatBytes(encodeMpint(half), encodeMpint(half), encodeMpint(half)),
      'the form of other programs (DER)': sign('sha256', half, keyNamed('p256')),
    };
    for (const [what, signature] of Object.entries(integers)) {
      const certificate = resigned(keyNamed('p256'), 'ecdsa-sha2-nistp256', () => signature);
      expect(verifySignature(certificate), what).to.equal(false);
    }
  });

  it('refuses an ECDSA signature with something after its integers', () => {
    const certificate = parseCertificate(signCertificate(good, keyNamed('p256')));
    const longer = concatBytes(certificate.signature, encodeMpint(Uint8Array.of(1)));
    expect(verifySignature({...certificate, signature: longer})).to.equal(false);
    expect(verifySignature(certificate)).to.equal(true);
  });

  it('agrees with ssh-keygen, which refuses to list a certificate that was tampered with', () => {
    using scratch = new Scratch();
    const line = signCertificate(good, keyNamed('ed25519'));
    const bytes = Buffer.from(line.split(' ')[1] ?? '', 'base64');
    bytes[bytes.indexOf('web1')] = 'v'.charCodeAt(0);
    const tampered = `${line.split(' ')[0]} ${bytes.toString('base64')}`;
    expect(() => scratch.list(tampered)).to.throw(/incorrect signature/);
    expect(verifySignature(parseCertificate(tampered))).to.equal(false);
    expect(parseCertificate(tampered).principals[0]).to.equal('veb1');
  });
});
