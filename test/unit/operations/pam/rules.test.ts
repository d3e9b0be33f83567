import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../../../src/host/local.js';
import {rulesOf} from '../../../../src/operations/pam/rules.js';

const SCRIPT = '/etc/agentless/pam-exec';

describe('the rules that sshd runs for a login', () => {
  let services: string;
  beforeEach(() => {
    services = mkdtempSync(join(tmpdir(), 'agentless-pam-rules-'));
  });
  afterEach(() => rmSync(services, {recursive: true, force: true}));

  const write = (name: string, ...lines: readonly string[]) =>
    writeFileSync(join(services, name), lines.map((line) => `${line}\n`).join(''));
  const rules = () => rulesOf(new LocalHost(), services, 'sshd-of-a-test', SCRIPT);
  const shown = (found: Awaited<ReturnType<typeof rules>>, type: 'account' | 'session') =>
    found.types[type].rules.map(
      ({line, from = '', control, module = '!', reached, ours}) =>
        `${line} ${from} ${control} ${module}${reached ? '' : ' -'}${ours ? ' *' : ''}`,
    );

  it('are those of its file and of what that includes, in order, ours marked', async () => {
    write(
      'common',
      'account [success=1 default=ignore] pam_unix.so',
      'account requisite pam_deny.so',
      'session optional x.so',
    );
    write(
      'sshd-of-a-test',
      '# c',
      'account required pam_nologin.so',
      '@include common',
      `account optional pam_exec.so quiet ${SCRIPT}`,
      `session required pam_exec.so /other`,
    );
    const found = await rules();
    expect(found.file).to.equal(join(services, 'sshd-of-a-test'));
    expect(shown(found, 'account')).to.deep.equal([
      '2  required pam_nologin.so',
      '3 common [success=1 default=ignore] pam_unix.so',
      '3 common requisite pam_deny.so -',
      '4  optional pam_exec.so *',
    ]);
    expect(shown(found, 'session')).to.deep.equal(['3 common optional x.so', '5  required pam_exec.so']);
    expect([found.types.account.passes, found.types.session.passes]).to.deep.equal([true, true]);
  });

  it('tell what a login never comes by', async () => {
    write('sshd-of-a-test', 'account sufficient pam_unix.so', `account optional pam_exec.so ${SCRIPT}`);
    const found = await rules();
    expect(shown(found, 'account')).to.deep.equal([
      '1  sufficient pam_unix.so',
      '2  optional pam_exec.so - *',
    ]);
  });

  it('are those of "other" for a type that has none, and for a service that has no file', async () => {
    write('other', 'account required pam_deny.so', 'session required pam_permit.so');
    write('sshd-of-a-test', 'account required pam_permit.so');
    const found = await rules();
    expect(shown(found, 'account')).to.deep.equal(['1  required pam_permit.so']);
    expect(shown(found, 'session')).to.deep.equal(['2 other required pam_permit.so']);
    rmSync(join(services, 'sshd-of-a-test'));
    const fallen = await rules();
    expect(fallen.file).to.equal(join(services, 'other'));
    expect(shown(fallen, 'account')).to.deep.equal(['1 other required pam_deny.so']);
    expect(fallen.types.account.passes).to.equal(false);
  });

  it('refuse every login where an included file is missing', async () => {
    write('sshd-of-a-test', 'account include gone', 'session required pam_permit.so');
    const {types} = await rules();
    expect(types.account.passes).to.equal(false);
    expect(types.account.faults).to.deep.equal([{line: 1, problem: 'includes "gone", which cannot be read'}]);
    expect(types.session.passes).to.equal(true);
  });
});
