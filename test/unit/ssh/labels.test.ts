import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../src/errors.js';
import {parseLabels} from '../../../src/ssh/labels.js';

describe('labels', () => {
  const read: readonly [text: string, labels: Readonly<Record<string, string>>][] = [
    ['', {}],
    ['  ', {}],
    ['env=prod', {env: 'prod'}],
    ['env=prod,k2="v 2"', {env: 'prod', k2: 'v 2'}],
    ['env=prod;team=a', {env: 'prod', team: 'a'}],
    [' env = prod , team = a b ', {env: 'prod', team: 'a b'}],
    ['a="x,y;z=1"', {a: 'x,y;z=1'}],
    ['a=" kept "', {a: ' kept '}],
    ['a= "b" ,c=d', {a: 'b', c: 'd'}],
    ['"a"=b', {a: 'b'}],
    ['a=,b=""', {a: '', b: ''}],
    ['teleport.dev/x_y:z-*=1', {'teleport.dev/x_y:z-*': '1'}],
    ['*=*', {'*': '*'}],
    ['city=Zürich', {city: 'Zürich'}],
    ["a='b'", {a: "'b'"}],
    ['a=C:\\x', {a: 'C:\\x'}],
    ['a=1,a=2', {a: '2'}],
    ['constructor=x', {constructor: 'x'}],
  ];
  for (const [text, labels] of read) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(labels)}`, () => {
      expect(parseLabels(text)).to.deep.equal(labels);
    });
  }

  it('may have the one name that JavaScript treats specially', () => {
    expect(Object.entries(parseLabels('__proto__=x,a=b'))).to.deep.equal([
      ['__proto__', 'x'],
      ['a', 'b'],
    ]);
  });

  const refused: readonly [text: string, message: string][] = [
    ['env', 'the label "env" is not name=value'],
    ['env=prod,team', 'the label "team" is not name=value'],
    ['a=b=c', 'the label "a=b=c" is not name=value'],
    ['a="b', 'the label "a=\\"b" is not name=value'],
    ['a=b"c"', 'the label "a=b\\"c\\"" is not name=value'],
    ['a="b"c', 'the label "a=\\"b\\"c" is not name=value'],
    [',', 'the label "," is not name=value'],
    ['a=b,,c=d', 'the label ",c=d" is not name=value'],
    ['a=b,', 'the labels end with a separator'],
    ['a=b; ', 'the labels end with a separator'],
    ['=b', 'a label has no name'],
    ['""=b', 'a label has no name'],
    ['a b=c', 'the cluster refuses the label name "a b"'],
    ['ä=c', 'the cluster refuses the label name "ä"'],
    ['"a,b"=c', 'the cluster refuses the label name "a,b"'],
    ['\u001b=c', 'the cluster refuses the label name "\\u001b"'],
  ];
  for (const [text, message] of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseLabels(text))
        .to.throw(Failure, message)
        .that.includes({code: 'USAGE', exitCode: 2});
      expect(() => parseLabels(text))
        .to.throw(Failure)
        .with.property('hint')
        .that.is.a('string');
    });
  }

  it('come back as they were written', () => {
    const name = fc.stringMatching(/^[a-zA-Z0-9/._:*-]+$/);
    const value = fc.string({unit: 'binary'}).map((text) => text.replaceAll('"', ''));
    fc.assert(
      fc.property(
        fc.dictionary(name, value, {minKeys: 1}),
        fc.constantFrom(',', ';'),
        (labels, separator) => {
          const text = Object.entries(labels).map(([key, word]) => `${key}="${word}"`);
          expect(Object.entries(parseLabels(text.join(separator)))).to.deep.equal(Object.entries(labels));
        },
      ),
    );
  });

  it('end in a Failure or in labels, and soon, whatever was typed', () => {
    const piece = fc.constantFrom('"', '=', ',', ';', ' ', 'a', '\n');
    fc.assert(
      fc.property(
        fc.array(piece).map((pieces) => pieces.join('')),
        (text) => {
          try {
            parseLabels(text);
          } catch (error) {
            expect(error).to.be.instanceOf(Failure);
          }
        },
      ),
      {numRuns: 1_000},
    );
    for (const piece of [' ', '"', '=', '""', 'a ', '" "']) {
      expect(() => parseLabels(`a${piece.repeat(50_000)}`)).to.throw(Failure);
    }
  });
});
