import {execFileSync} from 'node:child_process';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../../src/errors.js';
import {cronLine, execLine, shellLine, unitWord} from '../../../../src/operations/timer/quote.js';

/** What nobody is allowed to have in a path. */
const isControl = (text: string) => /[\p{Cc}\p{Cs}]/u.test(text);
const word = fc
  .oneof(
    fc.string({unit: 'binary'}),
    fc
      .array(
        fc.constantFrom('%', '\\', '"', "'", '$', ' ', ';', '#', '-', '/', 'a', '{', '}', 'ü', '`', '!'),
        {maxLength: 12},
      )
      .map((parts) => parts.join('')),
  )
  .filter((text) => !isControl(text));
const words = fc.array(word, {maxLength: 5});
const program = word.filter((text) => !text.includes('$')).map((text) => `/${text}`);

/** Reads a line as systemd does: systemd.syntax(7), QUOTING, then specifiers, then variables (of ExecStart= only). */
function unitWords(line: string, isExec: boolean): string[] {
  const found: string[] = [];
  const space = /[ \t\n\r]/;
  for (let at = 0; at < line.length; ) {
    if (space.test(line[at] ?? '')) {
      at += 1;
      continue;
    }
    let text = '';
    let quote: string | undefined;
    for (; at < line.length && (quote !== undefined || !space.test(line[at] ?? '')); at += 1) {
      const here = line[at] ?? '';
      if (here === quote) quote = undefined;
      else if (quote === undefined && (here === '"' || here === "'")) quote = here;
      else if (here === '\\') {
        at += 1;
        // Of the escapes we use these two only; any other means something else than its letter.
        expect(line[at], line).to.be.oneOf(['"', '\\']);
        text += line[at];
      } else text += here;
    }
    expect(quote, `unbalanced: ${line}`).to.equal(undefined);
    text = text.replace(/%(.?)/g, (_, next: string) => {
      expect(next, `a specifier in ${line}`).to.equal('%');
      return '%';
    });
    if (isExec && found.length > 0) {
      text = text.replace(/\$(.?)/g, (_, next: string) => {
        expect(next, `a variable in ${line}`).to.equal('$');
        return '$';
      });
    }
    found.push(text);
  }
  return found;
}

/** What cron hands to the shell: Vixie's child_process() takes `pairs` of backslashes for one, others do not. */
function commandOf(line: string, pairs: boolean): string {
  let text = '';
  let escaped = false;
  for (const here of line) {
    if (escaped) {
      const one = here === '%' || (pairs && here === '\\');
      text = one ? text.slice(0, -1) + here : text + here;
      escaped = false;
      continue;
    }
    if (here === '%') return text;
    escaped = here === '\\';
    text += here;
  }
  return text;
}

const shell = (line: string) =>
  execFileSync('/bin/sh', ['-c', `for word in ${line}; do printf '%s\\0' "$word"; done`], {encoding: 'utf8'})
    .split('\0')
    .slice(0, -1);

describe('words of a command', () => {
  it('come out of a unit as they went in', () => {
    fc.assert(
      fc.property(program, words, (first, rest) => {
        const line = execLine([first, ...rest]);
        expect(line).to.not.match(/\n|\r/);
        expect(unitWords(line, true)).to.deep.equal([first, ...rest]);
      }),
      {numRuns: 1000},
    );
  });

  it('come out of a list of paths as they went in', () => {
    fc.assert(
      fc.property(words, (list) => {
        expect(unitWords(list.map(unitWord).join(' '), false)).to.deep.equal(list);
      }),
      {numRuns: 1000},
    );
  });

  it('come out of a crontab and its shell as they went in', () => {
    fc.assert(
      fc.property(words, (list) => {
        const line = cronLine(list);
        expect(line).to.not.match(/\n/);
        for (const pairs of [true, false]) expect(shell(commandOf(line, pairs))).to.deep.equal(list);
      }),
      {numRuns: 150},
    );
  });

  it('come out of a shell as they went in', () => {
    fc.assert(
      fc.property(words, (list) => {
        expect(shell(shellLine(list))).to.deep.equal(list);
      }),
      {numRuns: 50},
    );
  });

  it('stay readable where nothing has to be quoted', () => {
    const plain = ['/usr/bin/node', '/usr/local/bin/agentless', 'renew', '--data-dir', '/var/lib/agentless'];
    for (const line of [execLine(plain), cronLine(plain), shellLine(plain)])
      expect(line).to.equal(plain.join(' '));
    expect(execLine(['/a b', '100%', '$HOME', '"', '\\'])).to.equal(`"/a b" "100%%" "$$HOME" "\\"" "\\\\"`);
    // A lone semicolon would begin another command.
    expect(execLine(['/a', ';', ''])).to.equal('/a ";" ""');
    expect(cronLine(["it's", '100%', '\\%'])).to.equal(`'it'\\''s' '100\\%' '\\''\\%'`);
  });

  it('are refused with a newline or another control character, and shown harmlessly', () => {
    for (const control of ['\n', '\r', '\0', '\t', '\x1b', '\x7f', '\x85', '\ud800']) {
      for (const quote of [
        unitWord,
        (text: string) => execLine(['/x', text]),
        (text: string) => cronLine([text]),
      ]) {
        expect(() => quote(`a${control}b`), JSON.stringify(control))
          .to.throw(Failure)
          .with.property('code', 'HOST_UNSUITABLE');
        expect(() => quote(`a${control}b`)).to.throw(/^[^\p{Cc}\p{Cs}]*$/u);
      }
    }
  });

  it('are refused where systemd or cron has no way to say them', () => {
    expect(() => execLine(['/opt/$x/node'])).to.throw(Failure, 'there is a $ in its path');
    expect(() => cronLine([`/${'x'.repeat(900)}`])).to.throw(Failure, 'too long for cron');
  });
});
