import {expect} from 'chai';
import fc from 'fast-check';
import {FOREVER, parseCertificate, signCertificate, verifySignature} from '../../../src/ssh/certificate.js';
import {publicBlob} from '../../../src/ssh/key.js';
import {concatBytes, encodeString, SshFormatError} from '../../../src/ssh/wire.js';
import {KEYS, keyNamed} from './keygen.js';

/** Whether anything at all was believed; anything thrown but SshFormatError comes through. */
function believed(line: string): boolean {
  try {
    return verifySignature(parseCertificate(line));
  } catch (error) {
    if (error instanceof SshFormatError) return false;
    throw error;
  }
}

const fields = {
  type: 'host',
  key: publicBlob(keyNamed('p256')),
  keyId: 'id',
  principals: ['web1', 'web1.example.com', '10.0.0.5'],
  validAfter: 1_000n,
  validBefore: FOREVER,
  extensions: {'x-role': 'Node', flag: ''},
  criticalOptions: {a: 'b'},
} as const;
const certificates = Object.values(KEYS).map((by) => signCertificate(fields, by));

/** The line with its bytes changed, base64 made anew. */
function changed(line: string, change: (bytes: Uint8Array) => Uint8Array): string {
  const [type, base64 = ''] = line.split(' ');
  return `${type} ${Buffer.from(change(new Uint8Array(Buffer.from(base64, 'base64')))).toString('base64')}`;
}

describe('no changed certificate is believed', () => {
  it('unchanged ones are', () => {
    for (const line of certificates) expect(believed(changed(line, (bytes) => bytes))).to.equal(true);
  });

  it('with any single bit flipped', () => {
    const [line = ''] = certificates;
    const length = Buffer.from(line.split(' ')[1] ?? '', 'base64').length;
    for (let bit = 0; bit < length * 8; bit += 1) {
      const flipped = changed(line, (bytes) =>
        bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7))),
      );
      expect(believed(flipped), `bit ${bit}`).to.equal(false);
    }
  });

  it('cut off anywhere', () => {
    const [line = ''] = certificates;
    const length = Buffer.from(line.split(' ')[1] ?? '', 'base64').length;
    for (let end = 0; end < length; end += 1) {
      expect(believed(changed(line, (bytes) => bytes.slice(0, end))), `${end} bytes`).to.equal(false);
    }
  });

  it('with bytes flipped, put in, taken out or replaced, whoever signed it', () => {
    const place = fc.nat({max: 2_000});
    const change = fc.oneof(
      fc.tuple(place, fc.nat({max: 7})).map(([at, bit]) => (bytes: Uint8Array) => {
        const index = at % bytes.length;
        return bytes.with(index, (bytes[index] ?? 0) ^ (1 << bit));
      }),
      fc
        .tuple(place, fc.nat({max: 40}), fc.uint8Array({maxLength: 40}))
        .map(([at, out, put]) => (bytes: Uint8Array) => {
          const index = at % (bytes.length + 1);
          return concatBytes(bytes.slice(0, index), put, bytes.slice(index + out));
        }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...certificates), change, (line, mutate) => {
        const mutated = changed(line, mutate);
        fc.pre(mutated !== line);
        expect(believed(mutated)).to.equal(false);
      }),
      {numRuns: 600},
    );
  });

  it('with its text changed, unless that is blanks around the same bytes', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...certificates),
        fc.nat({max: 3_000}),
        fc.string({unit: 'binary', minLength: 1, maxLength: 4}),
        fc.boolean(),
        (line, at, text, replace) => {
          const index = at % line.length;
          const mutated = line.slice(0, index) + text + line.slice(index + (replace ? text.length : 0));
          const same =
            mutated
              .trim()
              .split(/[ \t]+/)
              .slice(0, 2)
              .join(' ') === line;
          expect(believed(mutated)).to.equal(same);
        },
      ),
      {numRuns: 300},
    );
  });

  it('and no other input makes the reader throw anything but its own error', () => {
    const type = fc.constantFrom(
      ...certificates.map((line) => line.split(' ')[0] ?? ''),
      'ssh-rsa-cert-v01@openssh.com',
    );
    const base64 = fc.oneof(
      fc.uint8Array({maxLength: 400}),
      fc.array(fc.uint8Array().map(encodeString)).map((parts) => concatBytes(...parts)),
    );
    const headed = fc
      .tuple(type, base64)
      .map(
        ([name, bytes]) =>
          `${name} ${Buffer.from(concatBytes(encodeString(name), bytes)).toString('base64')}`,
      );
    const bare = fc
      .tuple(type, base64)
      .map(([name, bytes]) => `${name} ${Buffer.from(bytes).toString('base64')}`);
    fc.assert(
      fc.property(fc.oneof(headed, bare, fc.string({unit: 'binary'}), fc.string()), (line) => {
        expect(believed(line)).to.equal(false);
      }),
      {numRuns: 800},
    );
  });

  it('and input made to be slow to read is not', () => {
    const hostile = [
      ' '.repeat(500_000),
      'a '.repeat(250_000),
      `${'a'.repeat(250_000)} ${'\t'.repeat(250_000)}`,
      `x ${'='.repeat(500_000)}`,
    ];
    for (const line of [...hostile, ...hostile.map((text) => `x${text}y`)])
      expect(believed(line)).to.equal(false);
  });
});
