import {PassThrough} from 'node:stream';
import {expect} from 'chai';
import {failed, testText} from '../../../src/commands/pam/run-test.js';
import type {Trial, TriedPhase} from '../../../src/operations/pam/trial.js';

const out = Object.assign(new PassThrough(), {isTTY: false}) as unknown as NodeJS.WriteStream;
const hook = {name: '10-a', file: '/h/10-a', real: '/h/10-a', variables: {}, log: []};
const phase: TriedPhase = {phase: 'account', status: 0, hooks: [], leftOut: [], shown: '', log: []};
const trial = (...phases: readonly Partial<TriedPhase>[]): Trial => ({
  login: 'root',
  exists: true,
  service: 'sshd',
  certificate: {user: 'alice', roles: []},
  required: true,
  phases: phases.map((one) => ({...phase, ...one})),
});
const lines = (...phases: readonly Partial<TriedPhase>[]) =>
  testText(trial(...phases), false, out)
    .split('\n')
    .slice(2, -1);

describe('the text of pam test', () => {
  it('says who logs in, and whether hooks ran', () => {
    const head = (dryRun: boolean, certificate: Trial['certificate']) =>
      testText({...trial({}), certificate}, dryRun, out).split('\n')[0];
    expect(head(false, {user: 'alice', roles: []})).to.equal(
      'A login as root by alice without roles, with a throw-away certificate. Hooks ran for real.',
    );
    expect(head(true, {file: '/c', user: 'a\u001b'})).to.equal(
      'A login as root by "a\\u001b", with /c. No hook was run.',
    );
    expect(head(true, {file: '/c'})).to.match(/^A login as root by somebody, with \/c\./);
  });

  it('says that PAM minds a hook that fails, where it does', () => {
    const status = 3;
    expect(lines({status, hooks: [{...hook, status, seconds: 0.5}]})).to.deep.equal([
      'account  exit status 3, so PAM would refuse the login',
      '  fail      10-a  exit status 3, 0.50 s',
    ]);
    expect(lines({status, phase: 'close_session'})[0]).to.equal('close_session  exit status 3');
    expect(failed(trial({}, {status}))).to.equal(true);
    expect(failed(trial({}))).to.equal(false);
  });

  it('tells a hook that is out of time from a script that was cut off', () => {
    expect(lines({status: 124, hooks: [{...hook, status: 124, seconds: 10}]})[1]).to.equal(
      '  fail      10-a  out of time (124), 10.00 s',
    );
    const {status: _status, ...cutOff} = phase;
    const text = testText({...trial(), phases: [{...cutOff, hooks: [hook]}]}, false, out);
    expect(text).to.match(/^account {2}took too long/m);
    expect(text).to.match(/^ {2}fail {6}10-a {2}cut off$/m);
  });

  it('cuts long values and long output', () => {
    const variables = {TELEPORT_TRAITS: 'x'.repeat(250), PAM_USER: 'a\nb', PATH: '/bin'};
    const log = Array.from({length: 25}, (_, index) => `10-a: ${index}`);
    const told = lines({hooks: [{...hook, status: 0, variables, log}]});
    expect(told[1]).to.equal(`    TELEPORT_TRAITS=${'x'.repeat(200)}… and 50 characters more`);
    expect(told[2]).to.equal('    PAM_USER="a\\nb"');
    expect(told.slice(-2)).to.deep.equal(['            | 19', '            | … and 5 lines more']);
    expect(told.join('\n')).to.not.include('PATH');
  });

  it('says why nothing ran', () => {
    expect(lines({})).to.deep.equal(['account  exit status 0', '  no hook']);
    expect(lines({note: 'so'})).to.deep.equal(['account  exit status 0', '  note      so']);
  });
});
