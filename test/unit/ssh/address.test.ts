import {isIP} from 'node:net';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../src/errors.js';
import {addressKind, canonicalHost, formatAddress, parseAddress} from '../../../src/ssh/address.js';

function refusal(text: string): Failure {
  try {
    parseAddress(text, 22);
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe('addresses', () => {
  const spellings: readonly [text: string, host: string, port: number][] = [
    ['10.0.0.5', '10.0.0.5', 22],
    ['10.0.0.5:22', '10.0.0.5', 22],
    ['10.0.0.5:65535', '10.0.0.5', 65535],
    ['web1', 'web1', 22],
    ['web1:1', 'web1', 1],
    ['web1.example.com:2222', 'web1.example.com', 2222],
    ['WEB1.Example.com', 'web1.example.com', 22],
    ['web_1.example.com', 'web_1.example.com', 22],
    ['3com.example', '3com.example', 22],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', 22],
    ['::1', '::1', 22],
    ['::', '::', 22],
    ['[::1]', '::1', 22],
    ['[::1]:2222', '::1', 2222],
    ['[2001:db8::1]:22', '2001:db8::1', 22],
    ['2001:DB8::1', '2001:db8::1', 22],
    ['2001:0db8:0000:0000:0000:0000:0000:0001', '2001:db8::1', 22],
    ['[2001:db8:0:0:1:0:0:1]', '2001:db8::1:0:0:1', 22],
    ['2001:db8::1:22', '2001:db8::1:22', 22],
    ['fe80::1%eth0', 'fe80::1%eth0', 22],
    ['[FE80::1%Eth0.1]:22', 'fe80::1%Eth0.1', 22],
    ['::ffff:10.0.0.5', '10.0.0.5', 22],
    ['[::FFFF:a00:5]:22', '10.0.0.5', 22],
    ['64:ff9b::10.0.0.5', '64:ff9b::a00:5', 22],
  ];
  for (const [text, host, port] of spellings) {
    it(`${text} is ${host} port ${port}`, () => {
      expect(parseAddress(text, 22)).to.deep.equal({host, port});
      expect(parseAddress(formatAddress({host, port}), 1)).to.deep.equal({host, port});
    });
  }

  it('take the port of sshd when they name none', () => {
    expect(parseAddress('web1', 2022).port).to.equal(2022);
    expect(parseAddress('[::1]', 2022).port).to.equal(2022);
  });

  it('are written with brackets around IPv6 alone', () => {
    expect(formatAddress({host: '2001:db8::1', port: 22})).to.equal('[2001:db8::1]:22');
    expect(formatAddress({host: '10.0.0.5', port: 22})).to.equal('10.0.0.5:22');
    expect(formatAddress({host: 'web1', port: 22})).to.equal('web1:22');
  });

  const refused: Readonly<Record<string, readonly string[]>> = {
    'is empty': [''],
    'has no valid port': [
      ...['web1:0', 'web1:65536', 'web1:99999999999', 'web1:', 'web1:ssh', 'web1:-1', 'web1:+1', 'web1:022'],
      ...['web1:22x', 'web1:0x16', 'web1:2.2', '[::1]:', '[::1]:0', '[::1]:65536', '[::1]:22:22'],
    ],
    'is a URL': ['https://web1:22', 'ssh://root@web1'],
    'names a user': ['root@web1', 'root@[::1]:22'],
    'contains blanks': [
      ' web1',
      'web1 ',
      'web 1',
      'web1\n',
      'web1:22\r\n',
      'web1\t:22',
      'web1\0',
      '\u001b[2J',
      'web\u00a01',
    ],
    'is not ASCII': ['bücher.example', 'wеb1', 'web1:２２', '１０.0.0.5'],
    'is neither a name nor an IP address': [
      ...[
        'a:b:c',
        'web1:22:22',
        '10.0.0.5:22:22',
        ':22',
        ':',
        '[]',
        '[]:22',
        '[web1]',
        '[web1]:22',
        '[10.0.0.5]:22',
      ],
      ...[
        '[::1',
        '::1]',
        '[::1]22',
        '[::1]x:22',
        '[[::1]]',
        'x[::1]',
        ':::',
        '1::2::3',
        '12345::',
        'g::1',
        '::1%eth0',
      ],
      ...[
        'fe80::1%',
        'fe80::1%a%b',
        '2001:db8::1/64',
        '1:2:3:4:5:6:7',
        '1:2:3:4:5:6:7:8:9',
        '::ffff:10.0.0.256',
      ],
      ...[
        '::ffff:010.0.0.5',
        '10.0.0',
        '10.0.0.256',
        '10.0.0.5.6',
        '10.0.0.05',
        '1',
        'web.1',
        '10.0.0.5.',
        '.',
        '.web1',
      ],
      ...[
        'web1.',
        'web..example',
        '-web1',
        'web1-',
        'web1/22',
        'web1,web2',
        'web*',
        'web1;id',
        '$(id)',
        '%eth0',
        `${'a'.repeat(64)}.example`,
      ],
      `${'a.'.repeat(127)}aa`,
    ],
  };
  for (const [why, texts] of Object.entries(refused)) {
    for (const text of texts) {
      it(`${JSON.stringify(text.slice(0, 40))} ${why}`, () => {
        const failure = refusal(text);
        expect(failure.message).to.include(why);
        expect(failure).to.include({code: 'USAGE', exitCode: 2});
        expect(failure.hint).to.be.a('string');
      });
    }
  }

  it('that cannot be used are answered with the way out', () => {
    expect(refusal('bücher.example:22').hint).to.equal('in DNS this name is xn--bcher-kva.example');
    expect(refusal('2001:db8::1::22').hint).to.match(/^put brackets around an IPv6 address that has a port/);
    expect(refusal('https://web1').hint).to.match(/^leave out the scheme/);
    expect(refusal('root@web1').hint).to.match(/^leave out the user/);
    expect(refusal('web1:0').hint).to.match(/^a port is a number from 1 to 65535/);
  });

  it('never put a control character into a message', () => {
    expect(refusal('\u001b[2Jweb1').message).to.equal('the address "\\u001b[2Jweb1" contains blanks');
  });

  it('have one spelling: reading it again changes nothing, and a Failure is the only error', () => {
    const parts = fc.constantFrom(
      ':',
      '::',
      '[',
      ']',
      '.',
      '%',
      '0',
      '1',
      'ff',
      'fe80',
      '10',
      '255',
      'web',
      '-',
      '_',
      'A',
      'é',
      ' ',
    );
    const text = fc.oneof(
      fc.array(parts, {maxLength: 12}).map((list) => list.join('')),
      fc.string({unit: 'binary'}),
    );
    fc.assert(
      fc.property(text, (typed) => {
        let address: ReturnType<typeof parseAddress>;
        try {
          address = parseAddress(typed, 22);
        } catch (error) {
          expect(error).to.be.instanceOf(Failure);
          return;
        }
        expect(parseAddress(formatAddress(address), 1)).to.deep.equal(address);
        expect(canonicalHost(address.host)).to.equal(address.host);
      }),
      {numRuns: 2_000},
    );
  });

  it('are IP addresses exactly when Node says so', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6(), fc.domain()), (host) => {
        const {host: read} = parseAddress(host, 22);
        expect(addressKind(read) === 'name').to.equal(isIP(read) === 0);
        expect(isIP(read) === 0).to.equal(isIP(host) === 0);
      }),
      {numRuns: 500},
    );
  });
});

describe('the kind of an address', () => {
  const kinds: Readonly<Record<string, readonly string[]>> = {
    loopback: ['127.0.0.1', '127.255.255.255', '::1', 'localhost', 'web1.localhost'],
    unspecified: ['0.0.0.0', '::'],
    'link-local': ['169.254.0.1', '169.254.255.255', 'fe80::1', 'febf::1', 'fe80::1%eth0'],
    container: ['172.17.0.2', '172.17.255.255', '10.88.0.1'],
    private: [
      '10.0.0.5',
      '10.89.0.1',
      '172.16.0.1',
      '172.18.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '100.127.0.1',
      'fd00::1',
      'fc00::1',
    ],
    public: [
      '203.0.113.7',
      '0.0.0.1',
      '11.0.0.1',
      '100.63.0.1',
      '100.128.0.1',
      '126.255.255.255',
      '128.0.0.1',
      '169.253.0.1',
      '172.15.0.1',
      '172.32.0.1',
      '192.167.0.1',
      '255.255.255.255',
      '2001:db8::1',
      'fec0::1',
      'fe00::1',
      'fc::1',
      'ff02::1',
    ],
    name: ['web1', 'localhost.example.com', 'fd00', 'notlocalhost', '10.example.com'],
  };
  for (const [kind, hosts] of Object.entries(kinds)) {
    for (const host of hosts) {
      it(`${host} is ${kind}`, () => expect(addressKind(host)).to.equal(kind));
    }
  }
});
