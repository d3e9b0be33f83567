import {PassThrough} from 'node:stream';
import {stripVTControlCharacters} from 'node:util';
import {expect} from 'chai';
import {JsonReporter, TextReporter} from '../../../src/commands/reporter.js';

/** A stream that is a terminal, or is not, and what was written to it. */
function screen(isTTY: boolean): {stream: NodeJS.WriteStream; text: () => string} {
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 100,
    hasColors: () => isTTY,
    getColorDepth: () => 8,
  });
  return {stream: stream as unknown as NodeJS.WriteStream, text: () => stream.read()?.toString() ?? ''};
}

describe('progress', () => {
  function draw(isTTY: boolean): {text: string; warnings: readonly string[]} {
    const {stream, text} = screen(isTTY);
    const reporter = new TextReporter(stream);
    reporter.heading('Joining web1 to example.com');
    reporter.step('look', 'sshd 9.2', 18.4);
    reporter.step('write', 'x'.repeat(80), 1234);
    reporter.step('reload', 'ssh.service');
    reporter.warn('one line');
    reporter.warn('first\nsecond\nthird');
    return {text: text(), warnings: reporter.warnings};
  }

  it('reads the same on a screen and in a log: a line a step, verb first, proof last', () => {
    const {text, warnings} = draw(false);
    expect(text).to.equal(
      [
        'Joining web1 to example.com',
        '',
        `  look       sshd 9.2${' '.repeat(59)}   18 ms`,
        `  write      ${'x'.repeat(80)} 1234 ms`,
        '  reload     ssh.service',
        'warn:  one line',
        'warn:  first',
        '       second',
        '       third',
        '',
      ].join('\n'),
    );
    expect(warnings).to.deep.equal(['one line', 'first\nsecond\nthird']);
  });

  it('has colour only on a terminal, and nothing that is redrawn', () => {
    const {text} = draw(true);
    expect(stripVTControlCharacters(text)).to.equal(draw(false).text);
    expect(text).to.not.include('\r');
  });

  it('is silent under --json, and keeps its warnings', () => {
    const reporter = new JsonReporter();
    reporter.heading();
    reporter.step();
    reporter.warn('a warning');
    expect(reporter.warnings).to.deep.equal(['a warning']);
  });
});
