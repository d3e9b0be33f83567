import {expect} from 'chai';
import fc from 'fast-check';
import {readOptions, splitWords} from '../../../src/host/getopt.js';

function spelled(...words: readonly string[]): string {
  return readOptions(['/usr/sbin/sshd', ...words])
    .map(({letter, value}) => (value === '' ? letter : `${letter}=${value}`))
    .join(' ');
}

describe('options of sshd', () => {
  it('are single letters, which may share a word', () => {
    expect(spelled('-D')).to.equal('D');
    expect(spelled('-46D', '-e')).to.equal('4 6 D e');
    expect(spelled()).to.equal('');
  });

  it('take their value attached or as the next word', () => {
    expect(spelled('-f', '/etc/x', '-p22')).to.equal('f=/etc/x p=22');
    expect(spelled('-Df', '/etc/x')).to.equal('D f=/etc/x');
    expect(spelled('-De', '-oPort=2222', '-o', 'ListenAddress ::1')).to.equal(
      'D e o=Port=2222 o=ListenAddress ::1',
    );
  });

  it('take a value that looks like an option', () => {
    expect(spelled('-o', '-D', '-E', '-')).to.equal('o=-D E=-');
    expect(spelled('-oGSSAPIKexAlgorithms=x', '-oTCPKeepAlive=no')).to.equal(
      'o=GSSAPIKexAlgorithms=x o=TCPKeepAlive=no',
    );
  });

  it('end at the first word that is none', () => {
    expect(spelled('-D', 'x', '-f', '/y')).to.equal('D');
    expect(spelled('-D', '--', '-f', '/y')).to.equal('D');
    expect(spelled('-D', '-', '-f', '/y')).to.equal('D');
    expect(spelled('-f')).to.equal('f');
  });
});

describe('a command line that was joined by blanks', () => {
  it('falls into the words it was made of', () => {
    const line = '/usr/sbin/sshd -D -f /etc/ssh/sshd_config -o Port=22 -46';
    expect(splitWords(line)).to.deep.equal(line.split(' '));
  });

  it('keeps a value with blanks in one word, for sshd takes no bare word', () => {
    expect(splitWords('/usr/sbin/sshd -o AllowUsers a b -f /my files/x -oDenyUsers c d -D')).to.deep.equal([
      '/usr/sbin/sshd',
      '-o',
      'AllowUsers a b',
      '-f',
      '/my files/x',
      '-oDenyUsers c d',
      '-D',
    ]);
    expect(splitWords('/opt/my ssh/sshd -D')).to.deep.equal(['/opt/my ssh/sshd', '-D']);
  });

  it('is read back whatever the values were, unless a part of one starts with a dash', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9=/,.+][A-Za-z0-9=/,.+-]{0,8}$/);
    const value = fc.array(part, {minLength: 1, maxLength: 3}).map((parts) => parts.join(' '));
    const option = fc.oneof(
      fc.constantFrom(['-D'], ['-4'], ['-eD']),
      fc.tuple(fc.constantFrom('-o', '-f', '-h', '-Dp'), value),
      fc.tuple(fc.constantFrom('-o', '-f', '-4h'), value).map((pair) => [pair.join('')]),
    );
    fc.assert(
      fc.property(fc.array(option, {maxLength: 6}), (options) => {
        const argv = ['/usr/sbin/sshd', ...options.flat()];
        expect(splitWords(argv.join(' '))).to.deep.equal(argv);
      }),
    );
  });
});
