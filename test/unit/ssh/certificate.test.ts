import {randomBytes, sign} from 'node:crypto';
import {readdirSync, readFileSync} from 'node:fs';
import {expect} from 'chai';
import {FOREVER, parseCertificate, verifySignature} from '../../../src/ssh/certificate.js';
import {formatPublicKey, parsePublicKey, publicBlob} from '../../../src/ssh/key.js';
import {
  concatBytes,
  encodeString,
  encodeUint32,
  encodeUint64,
  SshFormatError,
} from '../../../src/ssh/wire.js';
import {asListed, KEYS, keyNamed, Scratch} from './keygen.js';

const SUITES = ['balanced-v1', 'fips-v1', 'legacy'];
const golden = (path: string) => readFileSync(`test/golden/teleport-18.0.0/${path}`, 'utf8');

/** Every certificate in the recordings of one cluster, by where it is. */
function recorded(suite: string): Readonly<Record<string, string>> {
  const files = readdirSync(`test/golden/teleport-18.0.0/${suite}`).filter((name) =>
    /cert.*\.pub$/.test(name),
  );
  const inFiles = files.map((name) => [name, golden(`${suite}/${name}`)] as const);
  const grpc = ['rsa', 'ec'].map((kind) => `grpc/grpc-hostcerts-${kind}.json`);
  const inJson = grpc.map((name) => [name, JSON.parse(golden(`${suite}/${name}`)).SSH] as const);
  const join = Buffer.from(JSON.parse(golden(`${suite}/join-ok.json`)).ssh, 'base64').toString();
  return Object.fromEntries([...inFiles, ...inJson, ['join-ok.json', join]]);
}

describe('certificates of a real cluster', () => {
  for (const suite of SUITES) {
    for (const [name, line] of Object.entries(recorded(suite))) {
      it(`${suite} ${name}: verifies and says what ssh-keygen says`, () => {
        using scratch = new Scratch();
        const certificate = parseCertificate(line);
        expect(asListed(certificate)).to.deep.equal(scratch.list(line.trim()));
        expect(verifySignature(certificate)).to.equal(true);
        expect(certificate.line).to.equal(line.trim());
      });
    }

    it(`${suite}: the host certificates say what a join asks for`, () => {
      const certificates = recorded(suite);
      const keys = {
        'join-ok.json': 'ed25519',
        'grpc/grpc-hostcerts-rsa.json': 'rsa',
        'grpc/grpc-hostcerts-ec.json': 'ecdsa',
      };
      for (const [name, kind] of Object.entries(keys)) {
        const certificate = parseCertificate(certificates[name] ?? '');
        expect(certificate).to.include({type: 'host', validBefore: FOREVER, keyId: '', serial: 0n});
        expect(formatPublicKey(certificate.authority)).to.equal(golden(`${suite}/ssh-ca.pub`).trim());
        expect(certificate.key).to.deep.equal(parsePublicKey(golden(`${suite}/host-key-${kind}.pub`)).blob);
        expect(certificate.principals).to.include.members(['db1', 'db1.example.com', '10.0.0.5', '::1']);
        expect(certificate.criticalOptions.size).to.equal(0);
        expect([...certificate.extensions.keys()]).to.deep.equal(['x-teleport-authority', 'x-teleport-role']);
        expect(certificate.extensions.get('x-teleport-role')).to.equal('Node');
      }
    });
  }

  it('a user certificate carries who, as what and with which roles', () => {
    const {type, keyId, principals, extensions} = parseCertificate(golden('balanced-v1/user-cert-alice.pub'));
    expect({type, keyId, principals}).to.deep.equal({
      type: 'user',
      keyId: 'alice',
      principals: ['root', 'alice', '-teleport-internal-join'],
    });
    expect(JSON.parse(extensions.get('teleport-roles') ?? '')).to.deep.equal({roles: ['access', 'editor']});
    expect(extensions.get('permit-pty')).to.equal('');
  });
});

describe('certificates that ssh-keygen makes', () => {
  const shapes: Readonly<Record<string, readonly string[]>> = {
    'a host certificate for ever': [
      '-h',
      '-I',
      '',
      '-n',
      'web1,web1.example.com,10.0.0.5,::1',
      '-V',
      'always:forever',
    ],
    'a host certificate with an end': [
      '-h',
      '-I',
      'web1',
      '-n',
      'web1',
      '-V',
      '20200101:20300101',
      '-z',
      '7',
    ],
    'a user certificate with options': [
      ...['-I', 'alice', '-n', 'root,alice', '-V', '20200101:forever', '-z', '18446744073709551615'],
      ...[
        '-O',
        'critical:role@example.com=a=b',
        '-O',
        'force-command=/bin/echo  "a"',
        '-O',
        'source-address=10.0.0.0/8',
      ],
      ...[
        '-O',
        'extension:teleport-roles={"roles":["access"]}',
        '-O',
        'extension:a-flag',
        '-O',
        'no-x11-forwarding',
      ],
    ],
    'a user certificate without anything': ['-I', 'x', '-O', 'clear', '-V', '19700101:20300101'],
  };
  const authorities = Object.keys(KEYS).flatMap((name) =>
    name === 'rsa' ? (['rsa rsa-sha2-256', 'rsa rsa-sha2-512'] as const) : [name],
  );

  let scratch: Scratch;
  before(async () => {
    scratch = new Scratch();
    for (const [name, key] of Object.entries(KEYS)) {
      await scratch.keyFile(`ca-${name}`, key);
      scratch.file(`${name}.pub`, `${formatPublicKey(publicBlob(key))}\n`);
    }
  });
  after(() => scratch[Symbol.dispose]());

  for (const authority of authorities) {
    for (const subject of Object.keys(KEYS)) {
      it(`${subject} key signed by ${authority}: read, verified, listed alike`, () => {
        const [ca, algorithm] = authority.split(' ');
        for (const [what, shape] of Object.entries(shapes)) {
          const how = algorithm === undefined ? [] : ['-t', algorithm];
          scratch.keygen('-q', '-s', `ca-${ca}`, ...how, ...shape, `${subject}.pub`);
          const line = scratch.read(`${subject}-cert.pub`).trim();
          const certificate = parseCertificate(line);
          expect(asListed(certificate), what).to.deep.equal(scratch.list(line));
          expect(verifySignature(certificate), what).to.equal(true);
          expect(certificate.key).to.deep.equal(publicBlob(keyNamed(subject)));
          expect(certificate.line).to.equal(line.split(' ').slice(0, 2).join(' '));
        }
      });
    }
  }
});

describe('strict reading of certificates', () => {
  const option = (name: string, data: Uint8Array) => concatBytes(encodeString(name), encodeString(data));
  const authority = publicBlob(keyNamed('ed25519'));
  const none = new Uint8Array();
  const parts = {
    name: encodeString('ssh-ed25519-cert-v01@openssh.com'),
    nonce: encodeString(randomBytes(32)),
    key: encodeString(authority.slice(-32)),
    serial: encodeUint64(0n),
    type: encodeUint32(2),
    keyId: encodeString('id'),
    principals: encodeString(encodeString('web1')),
    validity: concatBytes(encodeUint64(0n), encodeUint64(FOREVER)),
    critical: encodeString(''),
    extensions: encodeString(concatBytes(option('a', none), option('b', encodeString('v')))),
    reserved: encodeString(''),
    authority: encodeString(authority),
    algorithm: encodeString('ssh-ed25519'),
    afterSignature: none,
    afterAll: none,
  };

  /** A certificate with one part replaced, correctly signed all the same. */
  function forge(changes: Partial<typeof parts>, named = 'ssh-ed25519-cert-v01@openssh.com'): string {
    const {algorithm, afterSignature, afterAll, ...body} = {...parts, ...changes};
    const signed = concatBytes(...Object.values(body));
    const signature = encodeString(sign(null, signed, keyNamed('ed25519')));
    const outer = encodeString(concatBytes(algorithm, signature, afterSignature));
    return `${named} ${Buffer.from(concatBytes(signed, outer, afterAll)).toString('base64')}`;
  }

  it('accepts what the refused ones are made of', () => {
    expect(verifySignature(parseCertificate(forge({})))).to.equal(true);
    expect(parseCertificate(`  ${forge({})} a comment\r\n`).line).to.equal(forge({}));
    const many = encodeString(concatBytes(...Array.from({length: 256}, (_, n) => encodeString(`n${n}`))));
    expect(parseCertificate(forge({principals: many})).principals).to.have.length(256);
    const empty = {extensions: encodeString(option('a', encodeString('')))};
    expect(parseCertificate(forge(empty)).extensions.get('a')).to.equal('');
  });

  const two = (first: string, second: string) =>
    encodeString(concatBytes(option(first, none), option(second, none)));
  const dsa = encodeString(concatBytes(encodeString('ssh-dss'), encodeString('x')));
  const refused: Readonly<Record<string, readonly [message: string, line: string]>> = {
    'a plain key': ['not a certificate', formatPublicKey(authority)],
    'another type in the line': ['another type', forge({}, 'ssh-rsa-cert-v01@openssh.com')],
    'a type without certificates': [
      'not a certificate',
      forge({name: encodeString('ssh-dss-cert-v01@openssh.com')}),
    ],
    'a type that is only a suffix': [
      'not a certificate',
      forge({name: encodeString('-cert-v01@openssh.com')}),
    ],
    'a subject key that is too short': ['not 32 bytes', forge({key: encodeString('short')})],
    'a subject key off its curve': [
      'not a key',
      forge(
        {
          name: encodeString('ecdsa-sha2-nistp256-cert-v01@openssh.com'),
          key: concatBytes(encodeString('nistp256'), encodeString(new Uint8Array(65).fill(1).with(0, 4))),
        },
        'ecdsa-sha2-nistp256-cert-v01@openssh.com',
      ),
    ],
    'the type 0': ['neither a user nor a host', forge({type: encodeUint32(0)})],
    'the type 3': ['neither a user nor a host', forge({type: encodeUint32(3)})],
    'a NUL in the key id': ['NUL', forge({keyId: encodeString('alice\0root')})],
    'a NUL in a principal': ['NUL', forge({principals: encodeString(encodeString('web1\0.evil'))})],
    'a principal cut short': ['too early', forge({principals: encodeString(encodeUint32(9))})],
    '257 principals': [
      '257 principals',
      forge({principals: encodeString(concatBytes(...Array.from({length: 257}, () => encodeString('a'))))}),
    ],
    'extensions out of order': ['not in order', forge({extensions: two('b', 'a')})],
    'extensions that differ in their order by UTF-16 only': [
      'not in order',
      forge({extensions: two('\u{1f600}', '\uffee')}),
    ],
    'an extension twice': ['repeated', forge({extensions: two('a', 'a')})],
    'a critical option twice': ['repeated', forge({critical: two('a', 'a')})],
    'an option with a value that goes on': [
      'goes on',
      forge({critical: encodeString(option('a', concatBytes(encodeString('v'), Uint8Array.of(0))))}),
    ],
    'an option with a bare value': [
      'too early',
      forge({critical: encodeString(option('force-command', encodeUint32(9)))}),
    ],
    'something in the reserved field': ['reserved', forge({reserved: encodeString('x')})],
    'an authority of another kind': ['not a type of key', forge({authority: dsa})],
    'an authority with more after it': [
      'goes on',
      forge({authority: encodeString(concatBytes(authority, Uint8Array.of(0)))}),
    ],
    'an authority that is a certificate': [
      'not a type of key',
      forge({authority: encodeString(Buffer.from(forge({}).split(' ')[1] ?? '', 'base64'))}),
    ],
    'bytes after the signature': ['signature goes on', forge({afterSignature: Uint8Array.of(0)})],
    'bytes after the certificate': ['certificate goes on', forge({afterAll: Uint8Array.of(0)})],
    'a line longer than any certificate': ['too long', forge({keyId: encodeString('x'.repeat(300_000))})],
  };
  for (const [what, [message, line]] of Object.entries(refused)) {
    it(`refuses ${what}`, () => {
      expect(() => parseCertificate(line)).to.throw(SshFormatError, message);
    });
  }
});
