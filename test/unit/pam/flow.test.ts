import {expect} from 'chai';
import {chain} from '../../../src/pam/chain.js';
import type {Result} from '../../../src/pam/control.js';
import {run} from '../../../src/pam/flow.js';
import {parseStack} from '../../../src/pam/stack.js';

/** Rules as `control name=result`, one a line; what is called, and PAM's answer. */
function flow(text: string, includes: Readonly<Record<string, string>> = {}): string {
  const full = (short: string) =>
    short
      .split('\n')
      .map((line) => (/^[@#]/.test(line) ? line : `account ${line}`))
      .join('\n');
  const files = new Map(Object.entries(includes).map(([name, short]) => [name, full(short)]));
  const all = chain(parseStack(full(text)), 'account', files);
  const {reached, verdict} = run(all, ({module}) => module.slice(module.indexOf('=') + 1) as Result);
  const names = reached.map(({what}) => (typeof what === 'object' ? what.module.replace(/=.*/, '') : '?'));
  return `${names.join('')} ${verdict}`;
}

describe('the way through a stack', () => {
  const ways: readonly [why: string, flow: string, expected: string][] = [
    ['goes on after a failure', flow('required a=auth_err\nrequired b=success'), 'ab auth_err'],
    ['tells the first failure', flow('required a=auth_err\nrequired b=abort'), 'ab auth_err'],
    ['ends at a requisite that fails', flow('requisite a=auth_err\nrequired b=success'), 'a auth_err'],
    ['ends at a sufficient that succeeds', flow('sufficient a=success\nrequired b=abort'), 'a success'],
    [
      'goes on at a sufficient after a failure',
      flow('required a=abort\nsufficient b=success\nrequired c=success'),
      'abc abort',
    ],
    ['is denied where no rule speaks for it', flow('required a=ignore\noptional b=abort'), 'ab perm_denied'],
    [
      'keeps the wish for a new password',
      flow('required a=new_authtok_reqd\nrequired b=success'),
      'ab new_authtok_reqd',
    ],
    ['never answers with ignore', flow('[ignore=bad] a=ignore'), 'a perm_denied'],
    ['jumps', flow('[success=1] a=success\nrequired b=abort\nrequired c=success'), 'ac success'],
    ['jumps to the end', flow('required z=success\n[success=1] a=success\nrequired b=abort'), 'za success'],
    [
      'is denied by a jump past the end',
      flow('required z=success\n[success=2] a=success\nrequired b=abort'),
      'za perm_denied',
    ],
    [
      'forgets at a reset',
      flow('required a=abort\n[default=reset] b=abort\nrequired c=success'),
      'abc success',
    ],
    ['is denied in an empty stack', flow('@include none', {none: '#'}), ' perm_denied'],
    [
      'goes through an include',
      flow('include x\nrequired c=success', {x: 'sufficient a=success\nrequired b=abort'}),
      'a success',
    ],
    [
      'comes back from a substack that ends',
      flow('substack x\nrequired c=success', {x: 'sufficient a=success\nrequired b=abort'}),
      'ac success',
    ],
    [
      'keeps what a substack has come to',
      flow('substack x\nrequired c=success', {x: 'requisite a=abort\nrequired b=success'}),
      'ac abort',
    ],
    [
      'resets to where a substack began',
      flow('required a=success\nsubstack x', {x: 'required b=abort\n[default=reset] c=abort'}),
      'abc success',
    ],
    [
      'counts a substack once in a jump',
      flow('[success=1] a=success\nsubstack x\nrequired c=success', {
        x: 'required b=abort\nrequired d=abort',
      }),
      'ac success',
    ],
    [
      'counts each rule of an include in a jump',
      flow('[success=1] a=success\ninclude x\nrequired c=success', {x: 'required b=abort\nrequired d=abort'}),
      'adc abort',
    ],
    [
      'does not jump out of a substack',
      flow('substack x\nrequired c=success', {x: '[success=1] a=success'}),
      'ac perm_denied',
    ],
  ];
  for (const [why, way, expected] of ways) {
    it(why, () => {
      expect(way).to.equal(expected);
    });
  }

  const files = new Map([
    ['x', 'account include x'],
    ['y', 'account'],
    ['z', 'bogus optional pam_x.so'],
  ]);

  const faults: readonly [text: string, problem: string][] = [
    ['account include none', 'includes "none", which cannot be read'],
    ['@include none', 'includes "none", which cannot be read'],
    ['account include x', 'in "x", "x" includes itself'],
    ['account include y', 'in "y", no control'],
    ['account substack z', 'in "z", "bogus" is no type of rule'],
  ];
  for (const [text, problem] of faults) {
    it(`is not one of success where ${text}: ${problem}`, () => {
      const all = chain(parseStack(`session required pam_x.so\n${text}`), 'account', files);
      expect(all.faults).to.deep.equal([{line: 2, problem}]);
      expect(run(all, () => 'success').verdict).to.equal('perm_denied');
    });
  }

  it('goes no deeper than PAM does', () => {
    const deep = new Map(Array.from({length: 20}, (_, i) => [`${i}`, `account include ${i + 1}`] as const));
    expect(chain(parseStack('account include 0'), 'account', deep).faults).to.deep.equal([
      {line: 1, problem: 'in "14", includes go deeper than pam follows'},
    ]);
  });

  it('takes a line without a type for auth in the main file, and for the type asked for in an included one', () => {
    const stack = parseStack('bogus\n@include z\n');
    expect(chain(stack, 'account', files).links).to.deep.equal([]);
    expect(chain(stack, 'auth', files).faults.map(({line}) => line)).to.deep.equal([1, 2]);
  });
});
