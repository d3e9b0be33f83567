import {expect} from 'chai';
import {type Control, isMisread, readControl} from '../../../src/pam/control.js';
import {controlText} from '../../../src/pam/control-text.js';

const read = (text: string): Control => {
  const control = readControl(text);
  return isMisread(control) ? expect.fail(control.problem) : control;
};

describe('the text of a control', () => {
  it('is the word or the pairs that it was read from', () => {
    const texts = [
      'required',
      'requisite',
      'sufficient',
      'optional',
      '[success=1 default=ignore]',
      '[success=ok new_authtok_reqd=done default=bad]',
      '[default=2]',
    ];
    for (const text of texts) expect(controlText(read(text.replace(/[[\]]/g, '')))).to.equal(text);
  });

  it('means the same when it is read again', () => {
    const odd = read('success=3 default=die ignore=ignore abort=reset');
    expect(read(controlText(odd).slice(1, -1))).to.deep.equal(odd);
  });
});
