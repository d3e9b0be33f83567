import {PassThrough} from 'node:stream';
import {expect} from 'chai';
import {statusText} from '../../../src/commands/status-text.js';
import type {Status} from '../../../src/operations/status/report.js';

const SIGNER = `SHA256:${'k'.repeat(43)}`;
const WELL: Status = {
  host: 'web1',
  state: 'joined',
  cluster: 'example.com',
  proxy: 'p:443',
  since: '2026-11-21T10:00:00.000Z',
  node: {id: '0b9c1e0e', hostname: 'web1', address: '10.0.0.5:22', labels: {env: 'prod'}, registered: true},
  names: ['web1', 'web1.example.com', '10.0.0.5', 'a', 'b', 'c'],
  certificates: ['ed25519', 'rsa'].map((type) => ({type, file: '/f', signer: SIGNER, principals: []})),
  userAuthorities: {file: '/u', cluster: ['x'], own: ['y', 'z']},
  sshd: {config: '/c', version: '9.2', state: 'running', pid: 812, unit: 'ssh.service', served: true},
  rivals: [{keyword: 'TrustedUserCAKeys', value: '/site', file: '/c', line: 3, wins: false}],
  unseen: [],
  problems: [],
};
const stream = (isTTY: boolean) =>
  Object.assign(new PassThrough(), {isTTY, getColorDepth: () => 8}) as unknown as NodeJS.WriteStream;
const plain = (report: Status) => statusText(report, stream(false));
const first = (report: Status) => plain(report).split('\n')[0];

describe('the text of a status', () => {
  it('is calm and aligned', () => {
    expect(plain(WELL)).to.equal(
      `web1  joined to example.com since 2026-11-21, node 0b9c1e0e
  names         web1, web1.example.com, 10.0.0.5, a and 2 more names
  address       10.0.0.5:22, labels env=prod
  certificates  ed25519, rsa, signed by ${SIGNER}, no end date
  user CA       1 key of the cluster, 2 of your own
  sshd          9.2 (pid 812, ssh.service) serves what was written
  also set      TrustedUserCAKeys /site in /c line 3
  renewal       nothing due
`,
    );
  });

  it('says who can renew a host that keeps no credential, and until when one holds that is kept', () => {
    expect(plain({...WELL, identity: 'discarded'})).to.match(
      /^ {2}renewal +nothing due; renewing needs a token or --identity$/m,
    );
    const identity = {validAfter: '2026-11-21T10:00:00.000Z', validBefore: '2036-11-19T10:00:00.000Z'};
    expect(plain({...WELL, identity})).to.match(
      /^ {2}renewal +nothing due; identity valid until 2036-11-19$/m,
    );
  });

  it('tells what is wrong first, then each way out once', () => {
    const problem = (message: string) =>
      ({code: 'LINES_MISSING', message, detail: 'said\nso', fix: 'mend it'}) as const;
    const text = plain({...WELL, problems: [problem('one'), problem('two')]});
    expect(
      text.slice(0, text.indexOf('\n\n')),
    ).to.equal(`web1  joined to example.com, but sshd will not serve it once it is reloaded
  missing       one
                said
                so
  missing       two
                said
                so
  repair        mend it`);
  });

  it('has a headline for every kind of trouble', () => {
    const with_ = (code: Status['problems'][number]['code'], more: Partial<Status> = {}) =>
      first({...WELL, ...more, problems: [{code, message: 'm', fix: 'f'}]});
    expect(with_('NOT_JOINED', {state: 'not joined'})).to.equal('web1  not joined to a cluster');
    expect(with_('UNREADABLE')).to.include('whether all is well only root can see');
    expect(with_('RECORD_DAMAGED', {state: 'unknown'})).to.equal(
      'web1  nobody can tell from here whether it is joined',
    );
    expect(with_('SERVED_UNSEEN')).to.equal(
      'web1  joined to example.com; what sshd serves nobody can see from here',
    );
    expect(with_('INTERRUPTED')).to.equal(
      'web1  joined to example.com, and a run of agentless is not finished',
    );
    expect(with_('FILE_CHANGED')).to.equal(
      'web1  joined to example.com, but this host is not as it was joined',
    );
    expect(with_('AUTHORITY_MISSING')).to.equal('web1  joined to example.com, but logins through it fail');
    const told = {sshd: {...WELL.sshd, served: false}};
    for (const code of ['LINES_MISSING', 'OVERRIDDEN', 'NOT_SERVED'] as const)
      expect(with_(code, told)).to.equal('web1  joined to example.com, but sshd no longer serves it');
    for (const code of ['OVERRIDDEN', 'NOT_IN_EFFECT'] as const)
      expect(with_(code)).to.equal(
        'web1  joined to example.com, but sshd does not take all of our lines as they are meant',
      );
    expect(with_('NODE_MISSING')).to.equal('web1  joined to example.com, but not as the cluster sees it');
    expect(with_('NAMES_MISSING')).to.equal('web1  joined to example.com; a renewal is due');
  });

  it('calls no renewal undue that is overdue', () => {
    for (const code of ['CERTIFICATE_ENDING', 'CERTIFICATE_EXPIRED', 'AUTHORITY_MISSING'] as const)
      expect(plain({...WELL, problems: [{code, message: 'm', fix: 'f'}]}), code).to.match(
        /^ {2}renewal +due, see above$/m,
      );
    expect(plain({...WELL, problems: [{code: 'FILE_CHANGED', message: 'm', fix: 'f'}]})).to.match(
      /^ {2}renewal +nothing due$/m,
    );
  });

  it('tells how sshd is run, and what nobody could see', () => {
    const sshd = (change: Partial<Status['sshd']>) =>
      /^ {2}sshd +(.*)$/m.exec(plain({...WELL, sshd: {config: '/c', ...change}}))?.[1];
    expect(sshd({})).to.equal('not found, for /c');
    expect(sshd({version: '9.2', state: 'stopped'})).to.equal('9.2, not running');
    expect(sshd({version: '9.2', state: 'socket', unit: 'ssh.socket'})).to.equal(
      '9.2 (ssh.socket), started for each connection',
    );
    expect(sshd({version: '9.2', state: 'running', pid: 1})).to.equal('9.2 (pid 1), running');
    expect(plain({...WELL, unseen: ['that']})).to.match(/^ {2}unseen +that$/m);
  });

  it('tells what the cluster says', () => {
    const online = {proxy: 'p:443', accepted: true, hostSigners: [], userSigners: []};
    expect(plain({...WELL, online: {...online, version: '18.0.0', node: 'right'}})).to.match(
      /^ {2}cluster +accepts this identity through p:443, Teleport 18\.0\.0; node record as it should be$/m,
    );
    expect(plain({...WELL, online: {...online, accepted: false}})).to.match(
      /^ {2}cluster +asked through p:443, see above$/m,
    );
  });

  it('has colour on a terminal only', () => {
    const problems = [{code: 'FILE_CHANGED', message: 'm', fix: 'f'}] as const;
    expect(statusText({...WELL, problems}, stream(true))).to.include('\u001b[31m');
    expect(plain({...WELL, problems})).to.not.include('\u001b');
  });
});
