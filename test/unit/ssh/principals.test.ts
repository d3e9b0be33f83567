import {expect} from 'chai';
import fc from 'fast-check';
import {Failure} from '../../../src/errors.js';
import {checkNodeName, dialledNames} from '../../../src/ssh/principals.js';

const ID = '0b9c1e0e-5f3a-4c55-9b1e-6a2f6f3f7b11';
const node = {nodeId: ID, cluster: 'example.com', hostname: 'web1', address: '10.0.0.5', extras: []};

describe('the names that are dialled', () => {
  it('are hostname, address and id, alone and below the cluster', () => {
    expect(dialledNames(node)).to.deep.equal({
      names: ['web1', 'web1.example.com', '10.0.0.5', ID, `${ID}.example.com`],
      additional: ['10.0.0.5'],
      warnings: [],
    });
  });

  it('have the lower-case form of a hostname too, which is what ssh makes of it', () => {
    const {names, additional, warnings} = dialledNames({...node, hostname: 'WEB1'});
    expect(names.slice(0, 4)).to.deep.equal(['WEB1', 'web1', 'WEB1.example.com', 'web1.example.com']);
    expect(additional).to.deep.equal(['web1', 'web1.example.com', '10.0.0.5']);
    expect(warnings).to.deep.equal([]);
  });

  it('have the further names after them, each once', () => {
    const extras = ['db.example.com', '10.0.0.5', 'web1', 'db.example.com', '2001:db8::1', ID];
    const {names, additional, warnings} = dialledNames({...node, extras});
    expect(names.slice(5)).to.deep.equal(['db.example.com', '2001:db8::1']);
    expect(additional).to.deep.equal(['10.0.0.5', 'db.example.com', '2001:db8::1']);
    expect(warnings).to.deep.equal([]);
  });

  it('that Auth adds by itself are not asked for', () => {
    const extras = ['localhost', '127.0.0.1', '::1', `${ID}.example.com`];
    const {names, additional} = dialledNames({...node, extras});
    expect(names).to.include.members(extras);
    expect(additional).to.deep.equal(['10.0.0.5']);
  });

  it('lack the address while nobody knows it', () => {
    for (const address of [undefined, '0.0.0.0', '::']) {
      expect(dialledNames({...node, address}).additional, address).to.deep.equal([]);
    }
  });

  const odd: readonly [typed: string, names: readonly string[], warning: string][] = [
    ['', [], 'principal "" is empty; it is left out'],
    ['  ', [], 'principal "  " is empty; it is left out'],
    ['*.corp', ['*.corp'], 'is a pattern, which clients before OpenSSH 10.3 refuse; list exact names'],
    ['web?', ['web?'], 'is a pattern'],
    [
      'DB1',
      ['DB1', 'db1'],
      'principal "DB1" has capitals, which ssh lowers before it compares; db1 is added',
    ],
    ['db1:22', ['db1'], 'principal "db1:22" is compared as db1, so that is requested'],
    ['DB1:22', ['db1'], 'is compared as db1'],
    ['10.0.0.6:22', ['10.0.0.6'], 'is compared as 10.0.0.6'],
    ['[db1]:22', [], 'is not a name that a client can dial; it is left out'],
    ['[2001:db8::2]:22', ['2001:db8::2'], 'is compared as 2001:db8::2'],
    ['[2001:db8::2]', ['2001:db8::2'], 'is compared as 2001:db8::2'],
    ['2001:DB8::2', ['2001:db8::2'], 'is compared as 2001:db8::2'],
    ['::ffff:10.0.0.6', ['10.0.0.6'], 'is compared as 10.0.0.6'],
    ['0.0.0.0', [], 'is no address that a client can dial; it is left out'],
    ['10.0.0.256', [], 'is not a name that a client can dial'],
    ['bücher', [], 'is not a name that a client can dial'],
    ['two words', [], 'is not a name that a client can dial'],
    ['root@db1', [], 'is not a name that a client can dial'],
    ['\u001b[2J', [], 'principal "\\u001b[2J" is not a name that a client can dial'],
    ['db1,db2', [], 'is not a name that a client can dial'],
  ];
  for (const [typed, expected, warning] of odd) {
    it(`asked for as ${JSON.stringify(typed)}: ${expected.join(' and ') || 'nothing'}, and a warning`, () => {
      const {names, additional, warnings} = dialledNames({...node, extras: [typed]});
      expect(names.slice(5)).to.deep.equal(expected);
      expect(additional.slice(1)).to.deep.equal(expected);
      expect(warnings).to.have.length(1);
      expect(warnings[0]).to.include(warning);
    });
  }

  it('fit into a certificate, or the request is refused', () => {
    const many = (count: number) => Array.from({length: count}, (_, index) => `n${index}.example.com`);
    expect(dialledNames({...node, extras: many(248)}).additional).to.have.length(249);
    expect(() => dialledNames({...node, extras: many(249)}))
      .to.throw(Failure, '250 additional principals are too many')
      .that.includes({code: 'USAGE', exitCode: 2});
  });

  it('are unique, and what is asked for is among them, whatever was typed', () => {
    const typed = fc.oneof(
      fc.string({unit: 'binary'}),
      fc.domain(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('WEB1', 'web1:22'),
    );
    fc.assert(
      fc.property(fc.array(typed, {maxLength: 20}), (extras) => {
        const {names, additional} = dialledNames({...node, extras});
        expect(new Set(names).size).to.equal(names.length);
        expect(names).to.include.members([...additional]);
        expect(names.join('')).to.match(/^[\x21-\x7e]*$/);
      }),
    );
  });
});

describe('the name of a node', () => {
  for (const name of ['web1', 'WEB1', '1', 'web1.example.com', 'a-', 'a.', 'a'.repeat(256), '10.0.0.5']) {
    it(`may be ${name.slice(0, 20)}`, () => expect(checkNodeName(name)).to.equal(undefined));
  }

  const rule = 'only letters, digits, dots and hyphens are allowed, a letter or digit first';
  const bad: readonly [name: string, problem: string][] = [
    ['web_1', `the cluster would rename "web_1": ${rule}; web-1 would do`],
    ['_web', `the cluster would rename "_web": ${rule}; web would do`],
    ['-web-', `the cluster would rename "-web-": ${rule}; web would do`],
    ['.web', `the cluster would rename ".web": ${rule}; web would do`],
    ['web 1', `the cluster would rename "web 1": ${rule}; web-1 would do`],
    ['büro', `the cluster would rename "büro": ${rule}; buro would do`],
    ['web1\n', `the cluster would rename "web1\\n": ${rule}; web1 would do`],
    ['', `the cluster would rename "": ${rule}`],
    ['___', `the cluster would rename "___": ${rule}`],
    ['日本', `the cluster would rename "日本": ${rule}`],
  ];
  for (const [name, problem] of bad) {
    it(`may not be ${JSON.stringify(name)}`, () => expect(checkNodeName(name)).to.equal(problem));
  }

  it('may not be longer than 256 characters', () => {
    const problem = checkNodeName('a'.repeat(257));
    expect(problem).to.match(/: it is longer than 256 characters; a{64} would do$/);
  });

  it('that is suggested is one that the cluster keeps', () => {
    fc.assert(
      fc.property(fc.string({unit: 'grapheme'}), (name) => {
        const suggestion = /; (\S+) would do$/.exec(checkNodeName(name) ?? '')?.[1];
        if (suggestion !== undefined) expect(checkNodeName(suggestion)).to.equal(undefined);
      }),
    );
  });
});
