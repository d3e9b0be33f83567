import {expect} from 'chai';
import {directives, installedDirectory, layoutIn} from '../../../src/operations/layout.js';
import {dialectOf} from '../../../src/ssh/sshd-config/index.js';

describe('where the files of a join lie', () => {
  it('is beside the configuration they serve', () => {
    expect(installedDirectory('/etc/ssh/sshd_config')).to.equal('/etc/ssh/agentless');
    expect(installedDirectory('/home/me/x/conf')).to.equal('/home/me/x/agentless');
  });

  it('is named after the keys, as ssh-keygen does it', () => {
    const {certificates, userAuthorities, directory} = layoutIn('/d', ['/etc/ssh/ssh_host_rsa_key', '/k/x']);
    expect([...certificates]).to.deep.equal([
      ['/etc/ssh/ssh_host_rsa_key', '/d/ssh_host_rsa_key-cert.pub'],
      ['/k/x', '/d/x-cert.pub'],
    ]);
    expect([directory, userAuthorities]).to.deep.equal(['/d', '/d/trusted_user_ca_keys']);
  });

  it('tells apart keys of one name, and never uses a name twice', () => {
    const files = ['/a/key', '/b/key', '/c/key', '/d/key-2'];
    const names = [...layoutIn('/d', files).certificates.values()];
    expect(names.slice(0, 3)).to.deep.equal(['/d/key-cert.pub', '/d/key-2-cert.pub', '/d/key-3-cert.pub']);
    expect(new Set(names).size).to.equal(4);
  });

  it('is told to sshd by two keywords, quoted where the path asks for it', () => {
    const dialect = dialectOf([9, 2]);
    expect(directives(layoutIn('/d', ['/k/a', '/k/b']), dialect)).to.deep.equal([
      'HostCertificate /d/a-cert.pub',
      'HostCertificate /d/b-cert.pub',
      'TrustedUserCAKeys /d/trusted_user_ca_keys',
    ]);
    expect(directives(layoutIn('/my etc', ['/k/a']), dialect)).to.deep.equal([
      'HostCertificate "/my etc/a-cert.pub"',
      'TrustedUserCAKeys "/my etc/trusted_user_ca_keys"',
    ]);
  });
});
