import {expect} from 'chai';
import {type Account, accountNotes} from '../../../../src/operations/doctor/account.js';
import {bad, CHECKS, findingOf, findingsOf, ok} from '../../../../src/operations/doctor/finding.js';
import {remedyFor} from '../../../../src/operations/doctor/remedy.js';
import {judgePolicy} from '../../../../src/operations/doctor/settings.js';
import {EffectiveConfig} from '../../../../src/ssh/sshd-config/index.js';

describe('findings', () => {
  it('come from problems: what is due is a warning, what has drifted a failure', () => {
    const due = findingOf('signer', {code: 'SIGNER_INACTIVE', message: 'm', fix: 'f'});
    expect(due).to.deep.equal({
      check: 'signer',
      status: 'warn',
      text: 'm',
      fix: 'f',
      code: 'SIGNER_INACTIVE',
    });
    const drift = findingOf('config', {code: 'LINES_MISSING', message: 'Include', detail: 'd', fix: 'f'});
    expect(drift).to.deep.include({status: 'fail', text: 'missing: Include', proof: 'd'});
  });

  it('are one when all is well, or none', () => {
    expect(findingsOf('tcp', [], ok('tcp', 'fine'))).to.deep.equal([
      {check: 'tcp', status: 'ok', text: 'fine'},
    ]);
    expect(findingsOf('tcp', [], undefined)).to.deep.equal([]);
    expect(bad('fail', 'tcp', 't', {proof: '', fix: 'f'})).to.deep.equal({
      check: 'tcp',
      status: 'fail',
      text: 't',
      fix: 'f',
    });
  });

  it('have checks with short names, each once', () => {
    expect(new Set(CHECKS).size).to.equal(CHECKS.length);
    for (const check of CHECKS) expect(check.length).to.be.at.most(10);
  });
});

describe('a policy of the system', () => {
  const types = ['ssh-ed25519', 'ssh-rsa'];
  it('is told, and is nothing where there is none', () => {
    expect(judgePolicy(undefined, undefined, types)).to.deep.include({
      status: 'ok',
      text: 'no system-wide crypto policy, FIPS off',
    });
    expect(judgePolicy('0\n', '# comment\nDEFAULT\n', types)).to.deep.include({
      status: 'ok',
      text: 'crypto policy DEFAULT, FIPS off',
    });
  });

  it('allows no ed25519 under FIPS', () => {
    for (const [fips, policy] of [
      ['1\n', undefined],
      ['0', 'FIPS:OSPP\n'],
    ] as const) {
      expect(judgePolicy(fips, policy, types), String(policy)).to.have.property('status', 'warn');
      expect(judgePolicy(fips, policy, ['ssh-rsa'])).to.have.property('status', 'ok');
    }
  });
});

describe('an account', () => {
  const usual: Account = {login: 'a', shell: '/bin/sh', shellState: 'program', listed: true, locked: false};
  const notes = (changes: Partial<Account>, pam = 'yes') =>
    accountNotes({...usual, ...changes}, {effective: new EffectiveConfig([['usepam', [pam]]])}).map(
      ({text}) => text,
    );

  it('is fine', () => expect(notes({})).to.deep.equal([]));

  it('may have no shell to speak of', () => {
    expect(notes({shellState: 'missing'})[0]).to.equal('the shell /bin/sh does not exist');
    expect(notes({shellState: 'not executable'})[0]).to.equal('the shell /bin/sh is no program');
    expect(notes({shell: '/usr/sbin/nologin', listed: false})).to.deep.equal([
      'the shell /usr/sbin/nologin ends every session at once',
    ]);
    expect(notes({listed: false})[0]).to.include('not listed in /etc/shells');
  });

  it('may be locked, which PAM does not mind', () => {
    expect(notes({locked: true})).to.deep.equal([]);
    expect(notes({locked: true}, 'no')[0]).to.include('the account is locked');
  });

  it('may be kept out by nologin, unless it is root', () => {
    expect(notes({nologin: 'back at noon'})[0]).to.include('back at noon');
    expect(notes({nologin: 'x', login: 'root'})).to.deep.equal([]);
  });

  it('may not be there', () => {
    const {shell: _, ...nobody} = usual;
    const found = accountNotes({...nobody, shellState: 'missing'}, {effective: new EffectiveConfig()});
    expect(found[0]?.text).to.include('there is no account a');
  });
});

describe('a remedy', () => {
  it('names the line at fault', () => {
    const lines = [{file: '/etc/ssh/sshd_config', line: 12, raw: 'AllowUsers root'}];
    expect(
      remedyFor('deploy', 'User deploy from x not allowed because not listed in AllowUsers', lines),
    ).to.equal('add deploy to AllowUsers in /etc/ssh/sshd_config line 12');
  });

  it('is known for every reason that sshd is known to give', () => {
    const reasons = [
      'User a from x not allowed because listed in DenyUsers',
      'User a from x not allowed because a group is listed in DenyGroups',
      "User a from x not allowed because none of user's groups are listed in AllowGroups",
      'ROOT LOGIN REFUSED FROM x',
      'error: Certificate does not contain an authorized principal',
      'userauth_pubkey: certificate signature algorithm ssh-ed25519: signature algorithm not supported',
      'userauth_pubkey: certificate signature algorithm not in CASignatureAlgorithm: signature algorithm not supported',
      'userauth_pubkey: key type ssh-ed25519-cert-v01@openssh.com not in PubkeyAcceptedAlgorithms',
      'Invalid user a from x',
      'Error checking authentication key ED25519 SHA256:x in revoked keys file /r',
      'User a not allowed because account is locked',
      'User a not allowed because shell /x does not exist',
      'Access denied for user a by PAM account configuration',
      'Partial publickey for a from x',
    ];
    for (const reason of reasons) expect(remedyFor('a', reason, []), reason).to.be.a('string');
    expect(remedyFor('a', 'something new', [])).to.equal(undefined);
  });

  it('names the keyword that is at fault, as it is written there', () => {
    const fix = (reason: string, raw: string) => remedyFor('a', reason, [{file: '/c', line: 3, raw}]);
    const algorithm = 'userauth_pubkey: signature algorithm ssh-ed25519-cert-v01@openssh.com not in';
    for (const keyword of ['PubkeyAcceptedAlgorithms', 'PubkeyAcceptedKeyTypes'])
      expect(fix(`${algorithm} PubkeyAcceptedAlgorithms`, `${keyword} ssh-ed25519`)).to.match(
        new RegExp(`^add ssh-ed25519-cert-v01@openssh.com and .* to ${keyword} in /c line 3$`),
      );
    expect(remedyFor('a', `${algorithm} PubkeyAcceptedKeyTypes`, [])).to.match(/ to PubkeyAcceptedKeyTypes$/);
    const authority = 'certificate signature algorithm ssh-ed25519: signature algorithm not supported';
    expect(fix(authority, 'CASignatureAlgorithms rsa-sha2-512')).to.equal(
      'add ssh-ed25519 to CASignatureAlgorithms in /c line 3',
    );
    expect(
      fix(
        'certificate signature algorithm not in CASignatureAlgorithm: signature algorithm not supported',
        'x',
      ),
    ).to.match(/^add the algorithm of the cluster's authority to CASignatureAlgorithms in \/c line 3: /);
    const denied = 'a@rehearsal: Permission denied (password).';
    expect(fix(denied, 'PubkeyAuthentication no')).to.match(/^set PubkeyAuthentication yes in \/c line 3;/);
    expect(fix(denied, 'AuthenticationMethods password')).to.match(/to AuthenticationMethods in \/c line 3$/);
  });
});
