import {generateKeyPairSync, randomBytes, sign, verify} from 'node:crypto';
import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import fc from 'fast-check';
import {
  fingerprint,
  formatPublicKey,
  generateKey,
  opensshPrivateKey,
  parsePublicKey,
  publicBlob,
  publicKeyObject,
} from '../../../src/ssh/key.js';
import {concatBytes, encodeMpint, encodeString, encodeUint32, SshFormatError} from '../../../src/ssh/wire.js';
import {KEYS, keyNamed, Scratch} from './keygen.js';

const line = (type: string, ...fields: readonly Uint8Array[]): string =>
  `${type} ${Buffer.from(concatBytes(encodeString(type), ...fields)).toString('base64')}`;

const rsaNumbers = () => {
  const {n = '', e = ''} = keyNamed('rsa').export({format: 'jwk'});
  return {n: new Uint8Array(Buffer.from(n, 'base64url')), e: new Uint8Array(Buffer.from(e, 'base64url'))};
};

describe('public keys', () => {
  it('are read from what a cluster and a host recorded', () => {
    for (const suite of ['balanced-v1', 'fips-v1', 'legacy']) {
      for (const name of ['ssh-ca', 'host-key-ed25519', 'host-key-ecdsa', 'host-key-rsa']) {
        const text = readFileSync(`test/golden/teleport-18.0.0/${suite}/${name}.pub`, 'utf8');
        const {blob, type, comment} = parsePublicKey(text);
        expect(`${formatPublicKey(blob)} ${comment}`.trim(), `${suite} ${name}`).to.equal(text.trim());
        expect(text.startsWith(`${type} `)).to.equal(true);
      }
    }
  });

  it('are read as ssh-keygen writes them, with the same fingerprint', () => {
    using scratch = new Scratch();
    const kinds = ['-ted25519', '-tecdsa -b256', '-tecdsa -b384', '-tecdsa -b521', '-trsa -b2048'];
    for (const kind of kinds) {
      const name = `key${kind.replaceAll(' ', '')}`;
      scratch.keygen('-q', '-N', '', '-C', 'root@web1 two words', '-f', name, ...kind.split(' '));
      const text = scratch.read(`${name}.pub`);
      const key = parsePublicKey(text);
      expect(`${formatPublicKey(key.blob)} ${key.comment}\n`).to.equal(text);
      expect(key.comment).to.equal('root@web1 two words');
      expect(scratch.keygen('-l', '-f', `${name}.pub`).split(' ')[1]).to.equal(fingerprint(key.blob));
    }
  });

  it('survive the way to node:crypto and back, and verify there', () => {
    const data = randomBytes(40);
    for (const [name, key] of Object.entries(KEYS)) {
      const blob = publicBlob(key);
      expect(publicBlob(publicKeyObject(blob)), name).to.deep.equal(blob);
      const hash = name === 'ed25519' ? null : 'sha256';
      expect(verify(hash, data, publicKeyObject(blob), sign(hash, data, key)), name).to.equal(true);
    }
  });

  it('are read with blanks around and line ends of any kind', () => {
    const text = formatPublicKey(publicBlob(keyNamed('ed25519')));
    for (const spelled of [text, `${text}\n`, `  ${text}\r\n`, text.replace(' ', ' \t ')]) {
      expect(parsePublicKey(spelled)).to.deep.include({type: 'ssh-ed25519', comment: ''});
    }
  });

  it('that OpenSSH does not have are refused', () => {
    expect(() => publicBlob(generateKeyPairSync('ed448').privateKey)).to.throw(
      SshFormatError,
      'no such kind',
    );
  });
});

describe('strict reading of keys', () => {
  const p256 = publicBlob(keyNamed('p256'));
  const x = p256.slice(-64, -32);
  const y = p256.slice(-32);
  const point = (...parts: readonly Uint8Array[]) => encodeString(concatBytes(...parts));
  const curve = encodeString('nistp256');
  const {n, e} = rsaNumbers();
  const ed25519 = formatPublicKey(publicBlob(keyNamed('ed25519')));
  const bytes = (...values: readonly number[]) => Uint8Array.from(values);
  const even = (value: Uint8Array) => value.with(-1, (value.at(-1) ?? 0) & 0xfe);
  const P256 = 'ecdsa-sha2-nistp256';

  const refused: Readonly<Record<string, readonly [message: string, text: string]>> = {
    nothing: ['line of type and base64', ''],
    'a type alone': ['line of type and base64', 'ssh-ed25519'],
    'two lines': ['line of type and base64', `${ed25519}\n${ed25519}`],
    'an option before the key': ['base64 is malformed', `cert-authority ${ed25519}`],
    'a line with another type than the key': ['the line says', ed25519.replace('ssh-ed25519', 'ssh-rsa')],
    'base64 without its end': ['base64 is malformed', ed25519.slice(0, -2)],
    'base64 with a stray character': ['base64 is malformed', ed25519.replace('AAAA', 'AA*AA')],
    'base64 with set bits after the end': [
      'base64 is malformed',
      `${line(P256, curve, point(bytes(4), x, y)).slice(0, -2)}B=`,
    ],
    'the URL alphabet': [
      'base64 is malformed',
      line('ssh-ed25519', encodeString(new Uint8Array(32).fill(255))).replaceAll('/', '_'),
    ],
    'a certificate': [
      'not a type of key',
      readFileSync('test/golden/teleport-18.0.0/legacy/host-cert.pub', 'utf8'),
    ],
    DSA: [
      'not a type of key',
      line('ssh-dss', encodeMpint(n), encodeMpint(e), encodeMpint(n), encodeMpint(n)),
    ],
    'a property every object has': ['not a type of key', line('constructor', encodeString(''))],
    'a key in hardware': [
      'not a type of key',
      line('sk-ssh-ed25519@openssh.com', encodeString(x), encodeString('ssh:')),
    ],
    'an ed25519 key of 31 bytes': ['not 32 bytes', line('ssh-ed25519', encodeString(x.slice(1)))],
    'an ed25519 key of 33 bytes': [
      'not 32 bytes',
      line('ssh-ed25519', encodeString(concatBytes(bytes(0), x))),
    ],
    'bytes after the key': ['goes on after its end', line('ssh-ed25519', encodeString(x), bytes(0))],
    'a length beyond the end': ['ends too early', line('ssh-ed25519', encodeUint32(33), x)],
    'a curve that is not the type’s': [
      'another curve',
      line(P256, encodeString('nistp384'), point(bytes(4), x, y)),
    ],
    'a compressed point': ['uncompressed point', line(P256, curve, point(bytes(2), x))],
    'a point in the hybrid form': ['uncompressed point', line(P256, curve, point(bytes(6), x, y))],
    'a point with a coordinate too short': [
      'uncompressed point',
      line(P256, curve, point(bytes(4), x, y.slice(1))),
    ],
    'a point off the curve': [
      'not a key',
      line(P256, curve, point(bytes(4), x, y.with(-1, (y.at(-1) ?? 0) ^ 1))),
    ],
    'the point at infinity': ['uncompressed point', line(P256, curve, point(bytes(0)))],
    'RSA of 1016 bits': [
      '1016 bits',
      line('ssh-rsa', encodeMpint(e), encodeMpint(n.slice(0, 127).with(126, 1))),
    ],
    'RSA of 16392 bits': [
      '16392 bits',
      line('ssh-rsa', encodeMpint(e), encodeMpint(new Uint8Array(2049).fill(255))),
    ],
    'RSA with an even modulus': [
      'no RSA key can have',
      line('ssh-rsa', encodeMpint(e), encodeMpint(even(n))),
    ],
    'RSA with an even exponent': [
      'no RSA key can have',
      line('ssh-rsa', encodeMpint(even(e)), encodeMpint(n)),
    ],
    'RSA with the exponent 1': [
      'no RSA key can have',
      line('ssh-rsa', encodeMpint(bytes(1)), encodeMpint(n)),
    ],
    'RSA with a huge exponent': [
      'no RSA key can have',
      line('ssh-rsa', encodeMpint(n.slice(0, 9).with(8, 1)), encodeMpint(n)),
    ],
    'RSA with a negative modulus': ['negative', line('ssh-rsa', encodeMpint(e), encodeString(n))],
    'RSA with a needless zero': [
      'shortest form',
      line('ssh-rsa', encodeString(concatBytes(bytes(0), e)), encodeMpint(n)),
    ],
    'a key longer than any packet': ['too long', line('ssh-rsa', encodeString(new Uint8Array(300_000)))],
    'a line longer than any key': ['too long', `ssh-rsa ${'A'.repeat(600_000)}`],
  };
  for (const [what, [message, text]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => parsePublicKey(text)).to.throw(SshFormatError, message);
    });
  }

  it('accepts the parts that the refused keys are made of', () => {
    for (const good of [
      line(P256, curve, point(bytes(4), x, y)),
      line('ssh-rsa', encodeMpint(e), encodeMpint(n)),
      line('ssh-rsa', encodeMpint(bytes(3)), encodeMpint(n)),
      line('ssh-rsa', encodeMpint(e), encodeMpint(n.slice(0, 128).with(127, 1))),
    ]) {
      expect(formatPublicKey(parsePublicKey(good).blob)).to.equal(good);
    }
  });

  it('puts nothing of the input into a message that could act on a terminal', () => {
    const hostile = line('\u001b[2J', encodeString(''));
    expect(() => parsePublicKey(hostile)).to.throw(SshFormatError, '\\u001b');
  });

  it('throws nothing but its own error, whatever the input', () => {
    const types = fc.constantFrom('ssh-ed25519', 'ssh-rsa', P256, 'ecdsa-sha2-nistp521', 'x');
    const fields = fc.array(fc.uint8Array({maxLength: 140}).map(encodeString), {maxLength: 4});
    const built = fc.tuple(types, fields).map(([type, parts]) => line(type, ...parts));
    const random = fc
      .tuple(types, fc.uint8Array())
      .map(([type, raw]) => `${type} ${Buffer.from(raw).toString('base64')}`);
    fc.assert(
      fc.property(fc.oneof(built, random, fc.string({unit: 'binary'})), (text) => {
        try {
          expect(formatPublicKey(parsePublicKey(text).blob)).to.be.a('string');
        } catch (error) {
          expect(error).to.be.instanceOf(SshFormatError);
        }
      }),
      {numRuns: 500},
    );
  });
});

describe('private keys', () => {
  it('are generated of the kind asked for', () => {
    expect(generateKey('ed25519').asymmetricKeyType).to.equal('ed25519');
    expect(generateKey('p256').asymmetricKeyDetails?.namedCurve).to.equal('prime256v1');
    expect(generateKey('rsa2048').asymmetricKeyDetails?.modulusLength).to.equal(2048);
  });

  it('are written in the form that every ssh-keygen reads', async () => {
    using scratch = new Scratch();
    // Enough of them that keys with a leading zero or a high first byte are among them.
    const small = Array.from({length: 20}, () => [generateKey('ed25519'), generateKey('p256')]);
    for (const [index, key] of [...Object.values(KEYS), ...small.flat()].entries()) {
      const path = await scratch.keyFile(`key${index}`, key);
      expect(scratch.keygen('-y', '-f', path).trim()).to.equal(formatPublicKey(publicBlob(key)));
    }
  });

  it('carry no comment and no passphrase', async () => {
    const text = await opensshPrivateKey(keyNamed('ed25519'));
    expect(text).to.match(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/);
    const body = Buffer.from(text.replace(/-----.*-----/g, ''), 'base64').toString('latin1');
    expect(body).to.include('none').and.not.include('unnamed');
  });
});
