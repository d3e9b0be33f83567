import {stripVTControlCharacters} from 'node:util';
import {expect} from 'chai';
import {errorEnvelope, successEnvelope} from '../../../src/commands/envelope.js';
import {asFailure, failureText as colouredText, showFailure} from '../../../src/commands/show-failure.js';
import {EXIT, Failure, type FailureCode, Secret} from '../../../src/errors.js';
import {captured} from '../../support/in-process.js';
import {schemaNamed, violations} from '../../support/json-schema.js';

/** Without the colours of a terminal, where the tests run on one. */
const failureText = (failure: Failure) => stripVTControlCharacters(colouredText(failure));

/** An error as oclif throws it for wrong usage. */
const oclif = (message: string) => Object.assign(new Error(message), {oclif: {exit: 2}});

const shown = (error: unknown, json = false) =>
  captured(async () => showFailure(error, {json, command: 'join openssh', warnings: ['careful']}));

describe('a failure', () => {
  const FULL = new Failure('SSHD_CONFIG_INVALID', 'sshd refuses its own configuration', {
    detail: '/etc/ssh/sshd_config line 37: Bad option\r\nterminating\r\n',
    hint: 'fix that line\nand join again',
  });

  it('is shown to people in aligned lines: the error, the words of others, the hint', () => {
    expect(failureText(FULL)).to.equal(
      [
        'error: sshd refuses its own configuration',
        '       /etc/ssh/sshd_config line 37: Bad option',
        '       terminating',
        'hint:  fix that line',
        '       and join again',
        '',
      ].join('\n'),
    );
    expect(failureText(new Failure('USAGE', 'no'))).to.equal('error: no\n');
    expect(failureText(new Failure('USAGE', 'no', {hint: 'yes'}))).to.equal('error: no\nhint:  yes\n');
  });

  it('goes to standard error as text, to standard output as JSON, with the same exit code', async () => {
    const text = await shown(FULL);
    expect(text).to.deep.equal({value: EXIT.unsuitable, stdout: '', stderr: failureText(FULL)});
    const {value, stdout, stderr} = await shown(FULL, true);
    expect([value, stderr]).to.deep.equal([EXIT.unsuitable, '']);
    expect(stdout).to.equal(`${JSON.stringify(errorEnvelope('join openssh', FULL, ['careful']))}\n`);
  });

  it('has the exit code of its kind', () => {
    const kinds = {
      USAGE: 2,
      NOT_JOINED: 3,
      TOKEN_REFUSED: 4,
      ROLE_REFUSED: 4,
      REQUEST_REFUSED: 4,
      VERSION_UNSUPPORTED: 4,
      NODE_EXISTS: 4,
      CLUSTER_UNREACHABLE: 5,
      CLUSTER_BUSY: 5,
      CLUSTER_UNTRUSTED: 5,
      CLUSTER_REPLY_INVALID: 5,
      HOST_UNSUITABLE: 6,
      HOST_LOCKED: 6,
      HOST_UNREACHABLE: 6,
      SSHD_CONFIG_INVALID: 6,
      REHEARSAL_FAILED: 6,
      CHANGE_FAILED: 7,
      RESTORE_INCOMPLETE: 8,
      INTERRUPTED: 130,
    } as const satisfies Record<FailureCode, number>;
    for (const [code, exit] of Object.entries(kinds)) {
      const failure = new Failure(code as keyof typeof kinds, 'x');
      expect(failure, code).to.deep.include({exitCode: exit, oclif: {exit}});
      const envelope = JSON.parse(JSON.stringify(errorEnvelope('x', failure)));
      expect(violations(envelope, schemaNamed('envelope')), code).to.deep.equal([]);
    }
  });
});

describe("oclif's words for wrong usage", () => {
  const words = (text: string) => {
    const {message, detail, code} = asFailure(oclif(text)) ?? {};
    expect(code).to.equal('USAGE');
    return detail === undefined ? message : [message, detail];
  };

  it('become ours: lower case, one line, the rest under it', () => {
    expect(words('Nonexistent flag: --foo\nSee more help with --help')).to.equal('nonexistent flag: --foo');
    expect(words('The following error occurred:\n  Missing required flag login\nSee more help')).to.equal(
      'missing required flag login',
    );
    expect(words('The following errors occurred:\n  Missing a\n  Missing b\n')).to.deep.equal([
      '2 flags are wrong or missing',
      'missing a\nmissing b',
    ]);
    expect(words('Parsing --timeout \n\tExpected an integer but received: x')).to.equal(
      '--timeout: expected an integer but received: x',
    );
    expect(words('\u001b[2mMissing required flag login\u001b[22m')).to.equal('missing required flag login');
    expect(words('Something\n\nelse')).to.deep.equal(['something', 'else']);
    expect(words('')).to.equal('wrong usage');
  });

  it('never repeat the value of a flag that does not exist: it may be a mistyped --token', () => {
    expect(words('Nonexistent flag: --tokn=S3CRET')).to.equal('nonexistent flag: --tokn');
    expect(words('Nonexistent flags: --tokn=S3CRET, --x=S3CRET')).to.not.include('S3CRET');
  });
});

describe('what is no failure', () => {
  it('is a bug, which says so with its stack and ends with 1', async () => {
    const bug = new TypeError('x is not a function');
    const text = await shown(bug);
    expect([text.value, text.stdout]).to.deep.equal([1, '']);
    expect(text.stderr).to.match(/^error: this is a bug in agentless; please report it/);
    expect(text.stderr).to.include(bug.stack);
    const json = await shown(bug, true);
    expect(json.value).to.equal(1);
    expect(json.stderr).to.include(bug.stack);
    expect(JSON.parse(json.stdout)).to.deep.include({status: 1, changed: false});
    expect(JSON.parse(json.stdout).error).to.deep.equal({
      code: 'BUG',
      message: 'x is not a function',
      restored: false,
    });
    expect((await shown('only a text')).stderr).to.contain('only a text');
    const bare = Object.assign(new Error('without a stack'), {stack: undefined});
    expect((await shown(bare)).stderr).to.contain('without a stack');
  });

  it("may be oclif's way to stop, as after help", async () => {
    const stop = Object.assign(new Error('EEXIT: 0'), {code: 'EEXIT', oclif: {exit: 0}});
    expect(await shown(stop)).to.deep.equal({value: 0, stdout: '', stderr: ''});
  });
});

describe('the envelope', () => {
  it('of a success says what has changed', () => {
    expect(successEnvelope('x y', {changed: true, result: {a: 1}}, ['w'])).to.deep.equal({
      version: 1,
      command: 'x y',
      status: 0,
      changed: true,
      result: {a: 1},
      warnings: ['w'],
    });
    expect(successEnvelope('x', {changed: false, result: {}, status: 3})).to.deep.include({
      status: 3,
      warnings: [],
    });
  });

  it('of a failure says whether the host is what it was', () => {
    const of = (failure: Failure) => errorEnvelope('x', failure) as {changed: boolean; error: object};
    const restored = of(
      new Failure('CHANGE_FAILED', 'm', {restored: true, hint: 'h', detail: 'd', cause: 5}),
    );
    expect(restored.changed).to.equal(false);
    expect(restored.error).to.deep.equal({
      code: 'CHANGE_FAILED',
      message: 'm',
      hint: 'h',
      detail: 'd',
      restored: true,
    });
    expect(of(new Failure('RESTORE_INCOMPLETE', 'm')).changed).to.equal(true);
    expect(of(new Failure('USAGE', 'm')).error).to.deep.equal({code: 'USAGE', message: 'm', restored: false});
  });

  it('shows no secret that somebody has put into it', () => {
    const result = {token: new Secret('S3CRET'), list: [new Secret('S3CRET')]};
    const text = JSON.stringify(successEnvelope('x', {changed: false, result}));
    expect(text).to.not.include('S3CRET');
    expect(text).to.include('[secret]');
  });
});
