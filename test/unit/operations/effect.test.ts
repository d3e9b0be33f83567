import {expect} from 'chai';
import {differences, differencesOfLeaving} from '../../../src/operations/effect.js';
import {layoutIn} from '../../../src/operations/layout.js';
import {parseEffective} from '../../../src/ssh/sshd-config/index.js';

const LAYOUT = layoutIn('/etc/ssh/agentless', ['/k/one', '/k/two']);
const [ONE, TWO] = ['/etc/ssh/agentless/one-cert.pub', '/etc/ssh/agentless/two-cert.pub'];
const BEFORE = 'port 22\nusepam yes\ntrustedusercakeys none\nhostkey /k/one\nhostkey /k/two\n';
const AFTER = `port 22\nusepam yes\ntrustedusercakeys /etc/ssh/agentless/trusted_user_ca_keys
hostkey /k/one\nhostkey /k/two\nhostcertificate ${ONE}\nhostcertificate ${TWO}\n`;

const between = (before: string, after: string, previous: readonly string[] = []) =>
  differences(parseEffective(before), parseEffective(after), LAYOUT, previous);

describe('the effect of a change, as sshd -T tells it', () => {
  it('is as meant when only our keywords have our values', () => {
    expect(between(BEFORE, AFTER)).to.deep.equal([]);
    expect(between(AFTER, AFTER)).to.deep.equal([]);
  });

  it('is as meant in the capitals of 10.4 and without the word for nothing in 7.x', () => {
    const capitals = AFTER.replace('usepam', 'UsePAM').replace('trustedusercakeys', 'TrustedUserCAKeys');
    expect(between(BEFORE, capitals)).to.deep.equal([]);
    expect(between(BEFORE.replace('trustedusercakeys none\n', ''), AFTER)).to.deep.equal([]);
  });

  it('names a keyword of others that would change, come or go', () => {
    expect(between(BEFORE, AFTER.replace('usepam yes', 'usepam no'))).to.deep.equal([
      'usepam would change from "yes" to "no"',
    ]);
    expect(between(BEFORE, AFTER.replace('hostkey /k/two\n', ''))).to.deep.equal([
      'hostkey would change from "/k/one /k/two" to "/k/one"',
    ]);
    expect(between(BEFORE, `${AFTER}banner /etc/motd\n`)).to.deep.equal([
      'banner would change from "" to "/etc/motd"',
    ]);
    expect(between(`${BEFORE}banner x\n`, AFTER)).to.deep.equal(['banner would change from "x" to ""']);
  });

  it('names a keyword whose values change their order, for the first one counts', () => {
    const moved = AFTER.replace('hostkey /k/one\nhostkey /k/two', 'hostkey /k/two\nhostkey /k/one');
    expect(between(BEFORE, moved)).to.have.length(1);
  });

  it('misses a certificate of ours', () => {
    expect(between(BEFORE, AFTER.replace(`hostcertificate ${TWO}\n`, ''))).to.deep.equal([
      `HostCertificate ${TWO} is not in effect`,
    ]);
  });

  it('misses our authorities, whoever has won', () => {
    const [ours, file] = ['/etc/ssh/agentless/trusted_user_ca_keys', '/etc/ssh/ca.pub'];
    expect(between(BEFORE, AFTER.replace(ours, file))).to.deep.equal([
      `TrustedUserCAKeys is ${file} instead of ${ours}`,
    ]);
    expect(between(BEFORE, AFTER.replace(`trustedusercakeys ${ours}\n`, ''))).to.deep.equal([
      `TrustedUserCAKeys is not set instead of ${ours}`,
    ]);
  });

  it("keeps the certificates of others, and lets go of an earlier join's own", () => {
    const other = '/etc/ssh/site-cert.pub';
    const had = `${BEFORE}hostcertificate ${other}\n`;
    expect(between(had, `${AFTER}hostcertificate ${other}\n`)).to.deep.equal([]);
    expect(between(had, AFTER)).to.deep.equal([`HostCertificate ${other} would no longer be in effect`]);
    expect(between(had, AFTER, [other])).to.deep.equal([]);
    expect(between(`${BEFORE}hostcertificate none\n`, AFTER)).to.deep.equal([]);
  });
});

describe('what leaving does, through sshd -T', () => {
  const [one, ca] = ['/etc/ssh/agentless/one-cert.pub', '/etc/ssh/agentless/trusted_user_ca_keys'];
  const joined = `port 22\nhostcertificate ${one}\nhostcertificate /site-cert.pub\ntrustedusercakeys ${ca}\n`;
  const left = (after: string, trusted = 'none') =>
    differencesOfLeaving(parseEffective(joined), parseEffective(after), {gone: new Set([one]), trusted});

  it('is as meant: ours are gone, those of the site are in effect', () => {
    expect(left('port 22\nhostcertificate /site-cert.pub\ntrustedusercakeys none\n')).to.deep.equal([]);
    const site = 'port 22\nhostcertificate none\nhostcertificate /site-cert.pub\ntrustedusercakeys /ca\n';
    expect(left(site, '/ca')).to.deep.equal([]);
  });

  it('tells what is still ours, what of others is not in effect, and everything else that has changed', () => {
    expect(left(joined)).to.deep.equal([
      `hostcertificate is "${one} /site-cert.pub" instead of "/site-cert.pub"`,
      `trustedusercakeys is "${ca}" instead of "none"`,
    ]);
    expect(left('port 23\nhostcertificate none\nbanner /x\n', '/ca')).to.deep.equal([
      'port is "23" instead of "22"',
      'hostcertificate is "" instead of "/site-cert.pub"',
      'trustedusercakeys is "" instead of "/ca"',
      'banner is "/x" instead of ""',
    ]);
  });
});
