import {expect} from 'chai';
import {dialectOf, isBlank, withoutOwnLines} from '../../../src/ssh/sshd-config/index.js';

const NEW = dialectOf([9, 2]);
const OWN = new Set([
  '/etc/ssh/agentless/a-cert.pub',
  '/etc/ssh/agentless/ca',
  '/etc/ssh/agentless/x*.conf',
  'teleport',
]);
const HEADER = '# Managed by agentless';

function without(text: string, dialect = NEW): string {
  const bytes = withoutOwnLines(Buffer.from(text, 'latin1'), dialect, {own: OWN, header: [HEADER]});
  return Buffer.from(bytes).toString('latin1');
}

describe('a file of sshd without our lines', () => {
  it('is what others have written, to the byte', () => {
    const ours = `${HEADER}\nHostCertificate /etc/ssh/agentless/a-cert.pub\nTrustedUserCAKeys "/etc/ssh/agentless/ca"\nPAMServiceName teleport\n`;
    expect(without(ours)).to.equal('');
    expect(without(`# \xff\r\n${ours}MaxSessions 7`)).to.equal('# \xff\r\nMaxSessions 7');
  });

  it('has no block, whatever is in it, and no marker that has lost the other', () => {
    const begin = '# BEGIN agentless (managed; undo with: agentless leave)\r\n';
    expect(without(`a\n${begin}anything\n# END agentless\nb\n`)).to.equal('a\nb\n');
    expect(without(`${begin}Include /etc/ssh/agentless/x\\*.conf\r\nPort 1\n`)).to.equal('Port 1\n');
    expect(without('# END agentless\nPort 1\n')).to.equal('Port 1\n');
  });

  it('keeps every line that names other files, several, or ours by another keyword', () => {
    const theirs = [
      'HostCertificate /etc/ssh/a-cert.pub',
      'Include /etc/ssh/agentless/ca /etc/ssh/site.conf',
      'Include /etc/ssh/sshd_config.d/*.conf',
      'Banner /etc/ssh/agentless/ca',
      'PAMServiceName sshd',
      '# HostCertificate /etc/ssh/agentless/a-cert.pub',
      '# BEGIN agentless, they said',
      'TrustedUserCAKeys',
      '"',
      '',
    ].join('\n');
    expect(without(theirs)).to.equal(theirs);
  });

  it('is blank where nothing but blanks is left', () => {
    expect([' \r\n\t', '', '#', 'x'].map((text) => isBlank(Buffer.from(text)))).to.deep.equal([
      true,
      true,
      false,
      false,
    ]);
  });
});
