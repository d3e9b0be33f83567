import {readdirSync, readFileSync, statSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {expect} from 'chai';
import fc from 'fast-check';
import {fill, render} from '../../src/templates.js';

const DIRECTORY = fileURLToPath(new URL('../../templates', import.meta.url));

describe('templates', () => {
  it('put a value where its name is, every time', () => {
    expect(fill('{{a}} and {{b}}, {{a}}', {a: '1', b: '2'})).to.equal('1 and 2, 1');
    expect(fill('nothing', {})).to.equal('nothing');
  });

  it('take values as they are, names and dollars in them included', () => {
    fc.assert(
      fc.property(
        fc.string({unit: 'binary'}),
        fc.constantFrom('{{b}}', '$&', '$1', '{{a}}', '%'),
        (text, odd) => {
          expect(fill('<{{a}}|{{b}}>', {a: text + odd, b: odd + text})).to.equal(
            `<${text}${odd}|${odd}${text}>`,
          );
        },
      ),
    );
  });

  it('want a value for each name, and a name for each value', () => {
    expect(() => fill('{{a}} {{b}} {{c}}', {b: ''}, 'x')).to.throw(TypeError, 'x wants a, c');
    expect(() => fill('{{a}}', {a: '', b: '', c: ''}, 'x')).to.throw(TypeError, 'x has no place for b, c');
    expect(() => fill('{{constructor}}', {})).to.throw(TypeError, 'wants constructor');
    expect(() => render('systemd/no-limits', {a: ''})).to.throw('systemd/no-limits has no place for a');
  });

  it('say in the first line of what is installed whose it is and how to undo it', () => {
    const files = readdirSync(DIRECTORY, {recursive: true, encoding: 'utf8'}).filter(
      (name) => statSync(join(DIRECTORY, name)).isFile() && name.includes('agentless'),
    );
    expect(files).to.have.length.greaterThan(2);
    for (const name of files) {
      const [first] = readFileSync(join(DIRECTORY, name), 'utf8').split('\n');
      expect(first, name).to.equal('# Managed by agentless; undo with: sudo agentless renew --remove-timer');
    }
  });
});
