import {expect} from 'chai';
import fc from 'fast-check';
import {
  concatBytes,
  encodeMpint,
  encodeString,
  encodeUint32,
  encodeUint64,
  SshFormatError,
  sameBytes,
  WireReader,
} from '../../../src/ssh/wire.js';

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const hex = (value: Uint8Array) => Buffer.from(value).toString('hex');

describe('wire encoding', () => {
  // The examples that RFC 4251 section 5 gives for its data types.
  it('agrees with the examples of RFC 4251', () => {
    expect(hex(encodeUint32(699921578))).to.equal('29b7f4aa');
    expect(hex(encodeString('testing'))).to.equal('0000000774657374696e67');
    expect(hex(encodeMpint(bytes('09a378f9b2e332a7')))).to.equal('0000000809a378f9b2e332a7');
    expect(hex(encodeMpint(bytes('80')))).to.equal('000000020080');
    expect(hex(encodeMpint(bytes('00')))).to.equal('00000000');
  });

  it('reads back what it writes', () => {
    const text = fc.string({unit: 'binary'}).filter((value) => !value.includes('\0'));
    const number = fc.uint8Array({minLength: 1}).filter((value) => value[0] !== 0);
    const uint64 = fc.bigInt({min: 0n, max: 2n ** 64n - 1n});
    const uint32 = fc.nat({max: 2 ** 32 - 1});
    fc.assert(
      fc.property(uint32, uint64, text, number, fc.uint8Array(), (small, large, words, magnitude, string) => {
        const reader = new WireReader(
          concatBytes(
            encodeUint32(small),
            encodeUint64(large),
            encodeString(words),
            encodeMpint(magnitude),
            encodeString(string),
          ),
        );
        expect(reader.uint32()).to.equal(small);
        expect(reader.uint64()).to.equal(large);
        expect(reader.text()).to.equal(words);
        expect(hex(reader.mpint())).to.equal(hex(magnitude));
        expect(hex(reader.string())).to.equal(hex(string));
        expect(reader.atEnd).to.equal(true);
        reader.end('test');
      }),
    );
  });

  it('writes integers in their shortest form whatever zeros lead them', () => {
    expect(hex(encodeMpint(bytes('0000 007f')))).to.equal('000000017f');
  });

  it('reads integers on both sides of the sign bit', () => {
    for (const [written, magnitude] of Object.entries({
      '000000017f': '7f',
      '000000020080': '80',
      '0000000200ff': 'ff',
    })) {
      expect(hex(new WireReader(bytes(written)).mpint())).to.equal(magnitude);
    }
  });

  it('copies what it reads', () => {
    const source = encodeString(bytes('01'));
    const read = new WireReader(source).string();
    source.fill(9);
    expect(hex(read)).to.equal('01');
  });

  const malformed: readonly [what: string, input: string, read: (reader: WireReader) => unknown][] = [
    ['a number cut short', '000000', (reader) => reader.uint32()],
    ['a long number cut short', '00000000000000', (reader) => reader.uint64()],
    ['a string longer than the input', '00000002 01', (reader) => reader.string()],
    ['a length near 2^32', 'ffffffff 01', (reader) => reader.string()],
    ['text with a NUL', '00000001 00', (reader) => reader.text()],
    ['text that is not UTF-8', '00000001 ff', (reader) => reader.text()],
    ['an over-long UTF-8 form', '00000002 c0af', (reader) => reader.text()],
    ['a zero integer', '00000000', (reader) => reader.mpint()],
    ['a zero integer with a byte', '00000001 00', (reader) => reader.mpint()],
    ['a negative integer', '00000001 80', (reader) => reader.mpint()],
    ['an integer with a needless zero', '00000002 007f', (reader) => reader.mpint()],
    ['something left over', '00', (reader) => reader.end('test')],
  ];
  for (const [what, input, read] of malformed) {
    it(`refuses ${what}`, () => {
      expect(() => read(new WireReader(bytes(input)))).to.throw(SshFormatError);
    });
  }

  it('compares by content', () => {
    expect(sameBytes(bytes('0102'), Buffer.from('0102', 'hex'))).to.equal(true);
    expect(sameBytes(bytes('0102'), bytes('0103'))).to.equal(false);
    expect(sameBytes(bytes('0102'), bytes('01'))).to.equal(false);
  });
});
