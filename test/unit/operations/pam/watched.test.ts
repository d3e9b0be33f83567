import {expect} from 'chai';
import {PAM_PLACES} from '../../../../src/operations/pam/places.js';
import {scriptText} from '../../../../src/operations/pam/script.js';
import {readRecords, watchedScript} from '../../../../src/operations/pam/watched.js';

const FILES = {records: '/run/stage/records', log: '/run/stage/log'};
const SCRIPT = scriptText(PAM_PLACES, '/etc/ssh/agentless/trusted_user_ca_keys');

/** Lines of the one that the other has not. */
const missing = (one: string, other: string) => {
  const lines = new Set(other.split('\n'));
  return one.split('\n').filter((line) => !lines.has(line));
};

describe('a script that is watched', () => {
  it('is the one that is installed, but for where it writes and whom it believes', () => {
    const text = watchedScript(SCRIPT, {...FILES, authorities: '/run/stage/authorities', run: true}) ?? '';
    expect(missing(SCRIPT, text)).to.deep.equal([
      'authorities=/etc/ssh/agentless/trusted_user_ca_keys',
      '      logger = "exec logger -t agentless-pam -p authpriv.info"',
    ]);
    expect(missing(text, SCRIPT)).to.include.members([
      'authorities=/run/stage/authorities',
      '      logger = "exec cat >>/run/stage/log"',
      'watched_run_hook() {',
    ]);
    expect(text).to.include('\n  watched_run_hook "$@"\n');
  });

  it('keeps the authorities of the cluster where no others are given, and may run nothing', () => {
    const text = watchedScript(SCRIPT, {...FILES, run: false}) ?? '';
    expect(text).to.include('\nauthorities=/etc/ssh/agentless/trusted_user_ca_keys\n');
    expect(text).to.not.include('watched_run_hook "$@"');
  });

  it('cannot be made of another text', () => {
    const watch = (text: string) => watchedScript(text, {...FILES, authorities: '/a', run: true});
    expect(watch('#!/bin/sh\nexit 0\n')).to.equal(undefined);
    expect(watch(SCRIPT.replace(/^authorities=.*$/m, ''))).to.equal(undefined);
    expect(watch(`${SCRIPT}\nrun_hook() {\n}\n`)).to.equal(undefined);
  });
});

describe('the records of a script that is watched', () => {
  const words = (...all: readonly string[]) => Buffer.from(all.map((word) => `${word}\0`).join(''));

  it('tell of each hook what it got and what became of it', () => {
    const one = [
      '/h/10-a',
      '/real/a',
      'B=x=y',
      'A=two\nlines',
      '_=/bin/cat',
      '',
      '10.00',
      '10.35',
      '3',
      '10-a: no\n',
    ];
    const other = ['/h/20-b', '/h/20-b', '', '11.00', '11.00', '0', ''];
    expect(readRecords(words(...one, ...other))).to.deep.equal([
      {
        name: '10-a',
        file: '/h/10-a',
        real: '/real/a',
        variables: {A: 'two\nlines', B: 'x=y'},
        status: 3,
        seconds: 0.35,
        log: ['10-a: no'],
      },
      {name: '20-b', file: '/h/20-b', real: '/h/20-b', variables: {}, status: 0, seconds: 0, log: []},
    ]);
    expect(readRecords(words())).to.deep.equal([]);
  });

  it('may end in the middle of one', () => {
    expect(readRecords(words('/h/10-a', '/h/10-a', 'A=1', ''))).to.deep.equal([
      {name: '10-a', file: '/h/10-a', real: '/h/10-a', variables: {A: '1'}, log: []},
    ]);
    expect(readRecords(words('/h/10-a', '/h/10-a', 'A=1'))[0]?.variables).to.deep.equal({A: '1'});
  });
});
