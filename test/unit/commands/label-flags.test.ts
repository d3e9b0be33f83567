import {expect} from 'chai';
import fc from 'fast-check';
import {labelSourcesFrom} from '../../../src/commands/join/label-flags.js';
import {splitWords} from '../../../src/commands/words.js';
import {shellLine} from '../../../src/operations/timer/quote.js';

const sources = (...given: string[]) => labelSourcesFrom({'labels-from': given});

describe('--labels-from', () => {
  it('names sources in their order; absent: as before; none: no longer', () => {
    expect(labelSourcesFrom({'labels-from': undefined})).to.equal(undefined);
    expect(sources('none')).to.deep.equal([]);
    expect(sources('cloud', 'file:/etc/l', 'command:/bin/l "a b" $(x)')).to.deep.equal([
      {from: 'cloud'},
      {from: 'file', path: '/etc/l'},
      {from: 'command', argv: ['/bin/l', 'a b', '$(x)']},
    ]);
  });

  it('keeps whole paths, for it is read elsewhere too; a name without one is looked for on PATH', () => {
    expect(sources('file:l')).to.deep.equal([{from: 'file', path: `${process.cwd()}/l`}]);
    expect(sources('command:./l')).to.deep.equal([{from: 'command', argv: [`${process.cwd()}/l`]}]);
    expect(sources('command:l ./x')).to.deep.equal([{from: 'command', argv: ['l', './x']}]);
  });

  for (const text of [
    '',
    'aws',
    'file:',
    'command:',
    'command: ',
    'Cloud',
    'cloud:',
    'url:http://x',
    '/etc/l',
    'command:"x',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => sources(text))
        .to.throw()
        .with.property('code', 'USAGE');
    });
  }

  it('refuses none beside others', () => {
    expect(() => sources('none', 'cloud'))
      .to.throw('goes with no other')
      .with.property('code', 'USAGE');
  });
});

describe('words of a command', () => {
  const read: readonly (readonly [string, readonly string[]])[] = [
    ['', []],
    [' a  b\tc ', ['a', 'b', 'c']],
    ['"a b" \'c "d"\'', ['a b', 'c "d"']],
    ['a"b c"d', ['ab cd']],
    ['""', ['']],
    ['a\\ b', ['a\\', 'b']],
    ['$(x) `y` ;|&>*', ['$(x)', '`y`', ';|&>*']],
  ];
  for (const [text, words] of read) {
    it(`${JSON.stringify(text)} is ${JSON.stringify(words)}`, () => {
      expect(splitWords(text, '--x')).to.deep.equal(words);
    });
  }

  it('are read back from how they are shown, but for single quotes within', () => {
    const word = fc.string({unit: 'binary', minLength: 1}).filter((text) => !text.includes("'"));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        expect(splitWords(shellLine(words), '--x')).to.deep.equal(words);
      }),
    );
  });
});
