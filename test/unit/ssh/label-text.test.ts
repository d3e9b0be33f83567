import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../src/errors.js';
import {readLabelText} from '../../../src/ssh/label-text.js';

const read = (text: string) => Object.fromEntries(readLabelText(text, 'the file /l'));
const refusal = (text: string): Failure => {
  try {
    readLabelText(text, 'the file /l');
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it was taken');
};

describe('the text of labels', () => {
  const texts: readonly (readonly [text: string, labels: Record<string, string>])[] = [
    ['', {}],
    ['# nothing\n\n', {}],
    ['env=prod\n', {env: 'prod'}],
    ['env=prod\r\nteam = a b \r\n', {env: 'prod', team: 'a b'}],
    ['  # of this host\n  env=prod', {env: 'prod'}],
    ['\uFEFFenv=prod', {env: 'prod'}],
    ['a=b=c', {a: 'b=c'}],
    ['a=', {a: ''}],
    ['a=x # y', {a: 'x # y'}],
    ['ID="debian"\nA=" kept "', {ID: 'debian', A: ' kept '}],
    ['a="b', {a: '"b'}],
    ["a='b'", {a: "'b'"}],
    ['a=1\na=2', {a: '2'}],
    ['a=$(reboot)`x`;$HOME\\', {a: '$(reboot)`x`;$HOME\\'}],
    ['{"a": "b", "n": 1, "t": true}', {a: 'b', n: '1', t: 'true'}],
    ['\n {"a": "x\\"y"}\n', {a: 'x"y'}],
    ['{}', {}],
  ];
  for (const [text, labels] of texts) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(labels)}`, () => {
      expect(read(text)).to.deep.equal(labels);
    });
  }

  it('may have the one name that JavaScript treats specially', () => {
    for (const text of ['__proto__=x', '{"__proto__": "x"}']) {
      expect(readLabelText(text, 'it')).to.deep.equal([['__proto__', 'x']]);
      expect(Object.entries(read(text))).to.deep.equal([['__proto__', 'x']]);
    }
  });

  const refused: readonly (readonly [text: string, message: RegExp])[] = [
    ['env=prod\nsecret', /^the file \/l is no list of labels: line 2 is not name=value$/],
    ['a b=c', /line 1: the cluster refuses the name of a label/],
    ['=c', /line 1: a label has no name/],
    ['ä=c', /line 1: the cluster refuses/],
    ['a=b\u0000', /line 1: a value has a control character/],
    ['a=b\u001b[31m', /control character/],
    ['a=x\u009by', /control character/],
    ['a=x\ry', /control character/],
    [`a=${'x'.repeat(1025)}`, /longer than 1024 characters/],
    [`${'x'.repeat(257)}=a`, /a name is longer than 256/],
    [`#${'x'.repeat(65536)}`, /^the file \/l is longer than 64 KiB/],
    ['{"a": "b"', /^the file \/l is no JSON object/],
    ['{"a": {"b": "c"}}', /entry 1 is neither text nor number/],
    ['{"a": null}', /entry 1 is neither/],
    ['{"a": "x\\ny"}', /entry 1: a value has a control character/],
    ['{"a": "\\ud800"}', /entry 1: a value has a control character/],
    ['{"a b": "x"}', /entry 1: the cluster refuses/],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 40))}`, () => {
      const error = refusal(text);
      expect(error).to.include({code: 'USAGE'});
      expect(error.message).to.match(message);
      expect(error.hint).to.contain('name=value');
    });
  }

  it('is never repeated in an error: the wrong file may be a secret one', () => {
    for (const text of [
      'hunter2',
      'hun ter2=x',
      'x=\u0001hunter2',
      '{"hunter2": []}',
      '{hunter2',
      'a=1\nhunter2',
    ])
      expect(JSON.stringify(refusal(text))).not.to.match(/hun.?ter2/);
  });

  it('is data: whatever a value holds comes out of a JSON object as it went in', () => {
    const value = fc
      .string({unit: 'grapheme', maxLength: 200})
      .filter((text) => !/[\p{Cc}\p{Cs}]/u.test(text));
    const name = fc.stringMatching(/^[a-zA-Z0-9/._:*-]{1,40}$/);
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(name, value), {selector: ([key]) => key}), (pairs) => {
        const text = `{${pairs.map(([key, one]) => `${JSON.stringify(key)}:${JSON.stringify(one)}`).join()}}`;
        // Names that are numbers are in another order.
        expect([...readLabelText(text, 'it')].sort()).to.deep.equal([...pairs].sort());
      }),
    );
  });

  it('ends in labels or in words, never in a bug', () => {
    fc.assert(
      fc.property(fc.string({unit: 'binary', maxLength: 300}), (text) => {
        try {
          readLabelText(text, 'it');
        } catch (error) {
          expect(error).to.be.instanceOf(Failure);
        }
      }),
    );
  });
});
