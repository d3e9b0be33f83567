import {readdirSync} from 'node:fs';
import {expect} from 'chai';
import {COMMANDS} from '../../../src/commands/index.js';
import {schemaNamed, violations} from '../../support/json-schema.js';

const DONE = {version: 1, command: 'x', status: 0, changed: false, result: {}, warnings: []};
const FAILED = {
  version: 1,
  command: 'x',
  status: 4,
  changed: false,
  error: {code: 'TOKEN_REFUSED', message: 'no', restored: false},
  warnings: ['w'],
};
const RESULT = {
  cluster: 'example.com',
  proxy: 'p:443',
  node: {
    id: '0b9c1e0e-0000-4000-8000-000000000000',
    hostname: 'web1',
    address: '10.0.0.5:22',
    labels: {env: 'prod'},
    registered: true,
  },
  identity: 'kept',
  names: ['web1'],
  certificates: [{type: 'rsa', key: '/k', file: '/c', signer: `SHA256:${'A'.repeat(43)}`}],
  userAuthorities: {file: '/u', cluster: [], own: 0},
  config: '/etc/ssh/sshd_config',
};

describe('the schemas of --json', () => {
  it('are there for the envelope and for every command that has --json', () => {
    const names = readdirSync(new URL('../../golden/schemas/', import.meta.url)).sort();
    const commands = Object.entries(COMMANDS).filter(([, command]) => command.enableJsonFlag);
    const expected = ['envelope', ...commands.map(([id]) => id.replaceAll(':', '-'))];
    expect(names).to.deep.equal(expected.map((name) => `${name}.json`).sort());
  });

  it('of the envelope takes a success and a failure, and nothing between', () => {
    const check = (value: unknown) => violations(value, schemaNamed('envelope'));
    expect(check(DONE)).to.deep.equal([]);
    expect(check({...DONE, status: 3})).to.deep.equal([]);
    expect(check(FAILED)).to.deep.equal([]);
    const wrong = [
      {...DONE, status: 4},
      {...FAILED, status: 0},
      {...DONE, error: FAILED.error},
      {...DONE, more: 1},
      {...DONE, warnings: ['']},
      {...DONE, version: 2},
      {...DONE, changed: 'no'},
      {...FAILED, error: {...FAILED.error, code: 'MADE_UP'}},
      {...FAILED, error: {...FAILED.error, message: 'two\nlines'}},
      {...FAILED, error: {code: 'USAGE', message: 'x'}},
      {},
      [],
      'text',
      null,
    ];
    for (const value of wrong) expect(check(value), JSON.stringify(value)).to.not.deep.equal([]);
  });

  it('of a join takes what it should, and names what it does not', () => {
    const check = (value: unknown) => violations(value, schemaNamed('join-openssh'));
    expect(check(RESULT)).to.deep.equal([]);
    expect(check({...RESULT, preview: 'text'})).to.deep.equal([]);
    const {names: _, ...nameless} = RESULT;
    expect(check(nameless)).to.deep.equal(['$.names is missing']);
    expect(check({...RESULT, names: []})).to.deep.equal(['$.names has too few items']);
    expect(check({...RESULT, token: 'x'})).to.deep.equal(['$.token is not known']);
    expect(check({...RESULT, node: {...RESULT.node, labels: {a: 1}}})).to.deep.equal([
      '$.node.labels.a is no string',
    ]);
    expect(check({...RESULT, userAuthorities: {...RESULT.userAuthorities, own: -1}})).to.have.length(1);
    expect(check({...RESULT, proxy: 'no port'})[0]).to.match(/^\$\.proxy does not match/);
  });

  it('of an adoption takes a join with what was taken over, and a second run without', () => {
    const check = (value: unknown) => violations(value, schemaNamed('adopt'));
    const lines = [{file: '/etc/ssh/sshd_config', line: 1, text: 'Include /x'}];
    const adopted = {by: 'teleport', lines, hostKeys: ['/k'], unused: ['/x'], record: 'kept'};
    expect(check(RESULT)).to.deep.equal([]);
    expect(check({...RESULT, adopted})).to.deep.equal([]);
    expect(check({...RESULT, adopted: {...adopted, record: 'lost'}})).to.have.length(1);
    expect(
      check({...RESULT, adopted: {...adopted, lines: [{file: '/a', line: 0, text: 'x'}]}}),
    ).to.have.length(1);
    const {by: _, ...nobody} = adopted;
    expect(check({...RESULT, adopted: nobody})).to.deep.equal(['$.adopted.by is missing']);
  });

  it('of a leave takes one that was joined, one that was not, and nothing between', () => {
    const check = (value: unknown) => violations(value, schemaNamed('leave'));
    const nothing = {restored: [], removed: [], left: []};
    const left = {
      ...nothing,
      cluster: 'example.com',
      since: '2026-11-21T10:00:00.000Z',
      node: {id: RESULT.node.id, hostname: 'web1', removed: false},
      restored: ['/etc/ssh/sshd_config'],
      left: [{path: '/a', reason: 'r', remedy: 'd'}],
    };
    expect(check(nothing)).to.deep.equal([]);
    expect(check(left)).to.deep.equal([]);
    expect(check({...left, preview: 'text'})).to.deep.equal([]);
    expect(check({...left, left: [{path: '/a', reason: 'r'}]})).to.deep.equal([
      '$.left[0].remedy is missing',
    ]);
    expect(check({...left, removed: ['a']})[0]).to.match(/^\$\.removed\[0\] does not match/);
    expect(check({...left, saved: 'x'})).to.deep.equal(['$.saved is not known']);
  });

  it('are read by a validator that passes over no rule', () => {
    expect(() => violations({}, {maximum: 5} as object)).to.throw('maximum');
  });
});
