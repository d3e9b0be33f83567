import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../../src/errors.js';
import {parseDestination, wordsFor} from '../../../../src/host/remote/destination.js';

describe('the destination of ssh', () => {
  const READ = {
    web1: {host: 'web1'},
    'web1.example.com:22': {host: 'web1.example.com', port: 22},
    'root@web1': {user: 'root', host: 'web1'},
    'deploy@10.0.0.5:2222': {user: 'deploy', host: '10.0.0.5', port: 2222},
    '[2001:db8::7]': {host: '2001:db8::7'},
    'admin@[2001:db8::7]:65535': {user: 'admin', host: '2001:db8::7', port: 65_535},
    '[fe80::1%eth0]:1': {host: 'fe80::1%eth0', port: 1},
    'CORP\\alice@web1': {user: 'CORP\\alice', host: 'web1'},
    'alice@corp.example.com@web1': {user: 'alice@corp.example.com', host: 'web1'},
    'first.last+x@alias_of-config': {user: 'first.last+x', host: 'alias_of-config'},
  };
  for (const [text, destination] of Object.entries(READ)) {
    it(`is read: ${text}`, () => {
      expect(parseDestination(text)).to.deep.equal(destination);
    });
  }

  const REFUSED = [
    '',
    '@web1',
    'root@',
    'root@@web1',
    'a@b@',
    'web1:',
    'web1:0',
    'web1:65536',
    'web1:100000',
    'web1:22x',
    'web1:-1',
    '2001:db8::7',
    '[2001:db8::7',
    '2001:db8::7]',
    '[]',
    '[web1]x',
    'web 1',
    ' web1',
    'web1\n',
    'web1\0',
    '-oProxyCommand=id',
    '-web1',
    '-F@web1',
    'root@-F',
    '[-1]',
    'ssh://web1',
    '$(id)',
    '`id`',
    "a'b",
    'a"b',
    'a;b',
    'a|b',
    'a&b',
    'a>b',
    'a<b',
    '{a,b}',
    'a\\b',
    '$(id)@web1',
    'a;b@web1',
    'web1\x1b[31m',
  ];
  for (const text of REFUSED) {
    it(`is refused: ${JSON.stringify(text)}`, () => {
      expect(() => parseDestination(text))
        .to.throw(Failure, `--host ${JSON.stringify(text)} is no address of a host`)
        .with.property('code', 'USAGE');
    });
  }

  const user = fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,30}$/);
  const host = fc.oneof(fc.domain(), fc.ipV4(), fc.ipV6());
  const port = fc.integer({min: 1, max: 65_535});

  it('is told to ssh in words of which none can be an option', () => {
    fc.assert(
      fc.property(fc.option(user), host, fc.option(port), (login, name, number) => {
        const where = name.includes(':') ? `[${name}]` : name;
        const text = `${login === null ? '' : `${login}@`}${where}${number === null ? '' : `:${number}`}`;
        expect(wordsFor(parseDestination(text))).to.deep.equal([
          ...(login === null ? [] : ['-l', login]),
          ...(number === null ? [] : ['-p', String(number)]),
          '--',
          name,
        ]);
      }),
    );
  });

  it('is refused, or has neither blanks nor anything that a shell reads, whatever is given', () => {
    const any = fc.oneof(fc.string({unit: 'binary'}), fc.string({unit: 'grapheme-ascii'}));
    fc.assert(
      fc.property(any, (text) => {
        try {
          const {user: login = 'x', host: name} = parseDestination(text);
          for (const word of [login, name]) expect(word).to.match(/^(?!-)[^\s'"`$;&<>|(){}]+$/);
          expect(name).not.to.match(/[@\\]/);
        } catch (error) {
          expect((error as Failure).code).to.equal('USAGE');
        }
      }),
      {numRuns: 2000},
    );
  });
});
