import {readFileSync} from 'node:fs';
import {expect} from 'chai';
import {BORDER} from '../../../src/operations/layout.js';

describe('the exec script', () => {
  it('knows where the keys of the cluster end in the file of authorities', () => {
    const script = readFileSync(new URL('../../../templates/exec/pam-exec', import.meta.url), 'utf8');
    expect(script).to.include(`/^${BORDER}/`);
  });
});
