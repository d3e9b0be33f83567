import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import fc from 'fast-check';
import {hclQuoted, quoted, yamlBlock} from '../../../../src/operations/emit/quote.js';
import {shellLine} from '../../../../src/operations/timer/quote.js';
import {evaluateHcl, hasTerraform, hasYaml, parseYaml} from '../../../support/parsers.js';
import {skip} from '../../../support/skip.js';

// Texts of others: whatever is in them, they come out of a real parser as they went in.

const NASTY = [
  '',
  ' ',
  'a: b # c',
  '- x',
  "'",
  '"',
  '\\',
  '\\"',
  '\\n',
  'a\nb\r\n\tc',
  '\u0000\u0001\u001f\u007f\u0085\u009f',
  '\u00a0\u00ad\u2028\u2029\ufeff\ufffe\uffff\u202e',
  '$(x) `y` $HOME ;|&<>*?~!%',
  '$\u007bx}',
  '$$\u007bx}',
  '%\u007b for a in b ~}%%\u007bx}',
  '{{ x }} {% y %} !unsafe &a *b <<: @ | >',
  'null',
  'yes',
  '1e3',
  '0x10',
  '<<EOT\nEOT',
  'naïve 東京 🎌 e\u0301',
];

const text = fc.oneof(
  fc.string({unit: 'binary'}),
  fc.string({unit: 'grapheme'}),
  fc.string({unit: fc.constantFrom(...'"\\\'$%{}\n\r\t #:-!&*`\u0085\u2028')}),
  fc.constantFrom(...NASTY),
);
const samples = (): string[] => [...NASTY, ...fc.sample(text, 400)];

describe('texts of others', () => {
  it('are JSON as it is', () => {
    fc.assert(
      fc.property(text, (one) => {
        expect(JSON.parse(quoted(one))).to.equal(one);
      }),
    );
  });

  it('show no character that nobody sees', () => {
    fc.assert(
      fc.property(text, (one) => {
        for (const written of [quoted(one), hclQuoted(one)])
          expect(written).not.to.match(/\p{Cc}|\u202e|\u2028|\ufeff/u);
      }),
    );
  });

  it('come out of YAML as they went in, as values and as names', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    const texts = samples();
    const documents = parseYaml(texts.map((one) => `a:\n  ${quoted(one)}: ${quoted(one)}\n`));
    for (const [index, one] of texts.entries()) expect(documents[index]).to.deep.equal({a: {[one]: one}});
  });

  it('come out of HCL as they went in, but for the one spelling that it has for a letter', function () {
    if (!hasTerraform()) skip(this, 'no Terraform');
    const texts = samples();
    const values = evaluateHcl(texts.map(hclQuoted));
    for (const [index, one] of texts.entries()) expect(values[index]).to.equal(one.normalize('NFC'));
  });

  it('come out of sh as they went in', function () {
    this.timeout(120_000);
    const words = samples().filter((one) => !one.includes('\0'));
    for (let at = 0; at < words.length; at += 100) {
      const some = words.slice(at, at + 100);
      const out = execFileSync('sh', {input: `printf '%s\\0' ${shellLine(some)}`});
      expect(out.toString().split('\0').slice(0, -1)).to.deep.equal(some);
    }
  });

  it('keep their lines in a block of YAML', function () {
    if (!hasYaml()) skip(this, 'no PyYAML');
    const line = fc.string({unit: fc.constantFrom(...'ab #:-"\'{}$')});
    const blocks = fc
      .sample(fc.array(line, {minLength: 1, maxLength: 6}), 200)
      .map((lines) => `x${lines.join('\n')}\ny\n`);
    const documents = parseYaml(blocks.map((one) => `a:\n  b: |\n${yamlBlock(one, 4)}`));
    expect(documents).to.deep.equal(blocks.map((b) => ({a: {b}})));
  });
});
