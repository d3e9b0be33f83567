import {PassThrough} from 'node:stream';
import {expect} from 'chai';
import {pamText} from '../../../src/commands/pam/show-text.js';
import type {PamReport} from '../../../src/operations/pam/show.js';
import {PAM_PROBLEM_CODES, pamProblem} from '../../../src/operations/pam/show-problem.js';
import {schemaNamed} from '../../support/json-schema.js';

const rule = {line: 3, control: 'required', module: 'pam_unix.so', args: [], reached: true, ours: false};
const WELL: PamReport = {
  host: 'web1',
  shape: 'service',
  settings: {base: 'sshd', control: 'optional', motd: '/etc/motd', auth: true},
  sshd: {config: '/c', usePam: true, service: 'teleport', file: '/etc/pam.d/teleport'},
  module: '/lib/security/pam_exec.so',
  service: {file: '/etc/pam.d/teleport', state: 'as installed'},
  script: {file: '/etc/agentless/pam-exec', state: 'as installed'},
  rules: {
    account: [
      {...rule, from: 'sshd'},
      {...rule, control: 'optional', module: 'pam_exec.so', args: ['quiet', '/x'], ours: true},
    ],
    session: [{...rule, control: '[success=1 default=ignore]', reached: false}],
  },
  hooks: [
    {phase: 'account', directory: '/h/account'},
    {
      phase: 'open_session',
      directory: '/h/open_session',
      hooks: [
        {name: '10-a', file: '/h/open_session/10-a', target: '../a', real: '/a', verdict: 'runs'},
        {
          name: '2\u001b',
          file: '/h/open_session/2\u001b',
          real: '/h/open_session/2\u001b',
          verdict: 'left out',
          reason: 'no',
          fix: 'f',
        },
      ],
    },
    {phase: 'close_session', directory: '/h/close_session', hooks: []},
  ],
  ready: [
    {name: 'audit', file: '/r/audit', linked: ['/h/open_session/10-a']},
    {name: 'motd', file: '/r/motd', linked: []},
  ],
  notes: ['so'],
  unseen: ['that'],
  problems: [],
};
const stream = (isTTY: boolean) =>
  Object.assign(new PassThrough(), {isTTY, getColorDepth: () => 8}) as unknown as NodeJS.WriteStream;
const plain = (report: PamReport) => pamText(report, stream(false));
const first = (more: Partial<PamReport>) => plain({...WELL, ...more}).split('\n')[0];

describe('the text of pam show', () => {
  it('tells how it stands, the facts, the rules and the hooks', () => {
    expect(plain(WELL)).to.equal(`web1  PAM runs the hooks of this site at logins

  sshd          asks PAM for "teleport", /etc/pam.d/teleport
  shape         service; /etc/pam.d/teleport includes "sshd"; control optional; motd /etc/motd; auth rules for Teleport's own service
  service       /etc/pam.d/teleport, as installed
  script        /etc/agentless/pam-exec, as installed
  module        /lib/security/pam_exec.so
  ready         motd: off until linked into a phase
  note          so
  unseen        that

What sshd runs for a login, by /etc/pam.d/teleport; ours marked with >
  account
    required    pam_unix.so (sshd)
  > optional    pam_exec.so quiet /x
  session
    [success=1 default=ignore]  pam_unix.so, passed over

Hooks, in the order in which they run
  account       /h/account can be read by root only
  open_session  10-a      -> /a
                "2\\u001b"  left out: no
  close_session none
`);
  });

  it('has a headline for each way in which it can stand', () => {
    expect(first({shape: 'not installed'})).to.equal('web1  nothing of ours is installed in PAM');
    expect(first({shape: 'left alone'})).to.equal('web1  PAM is left alone, as the join was told');
    expect(first({shape: 'by hand'})).to.match(/rules of this site's own call the script/);
    expect(first({hooks: []})).to.match(/would run the hooks of this site at logins, and there are none$/);
    expect(first({problems: [pamProblem('HOOK_LEFT_OUT', 'm', 'f')]})).to.match(/PAM runs the hooks/);
    expect(first({problems: [pamProblem('NOT_REACHED', 'm', 'f')]})).to.match(/PAM does not run the hooks/);
  });

  it('tells what is wrong first, then each way out once', () => {
    const problems = ['a', 'b'].map((message) => pamProblem('FILE_MISSING', message, 'mend it'));
    expect(plain({...WELL, problems}).split('\n\n')[0]).to.equal(
      `web1  PAM does not run the hooks of this site as it was installed to
  missing       a
  missing       b
  repair        mend it`,
    );
  });

  it('tells what nobody could tell', () => {
    const sshd = (said: Partial<PamReport['sshd']>) =>
      /^ {2}sshd +(.*)$/m.exec(plain({...WELL, sshd: {config: '/c', ...said}}))?.[1];
    expect(sshd({})).to.equal('nobody can tell which service of PAM it asks for');
    expect(sshd({usePam: false, service: 'sshd'})).to.equal('UsePAM no in /c: asks PAM for nothing');
    expect(sshd({service: 'sshd'})).to.equal('would ask PAM for "sshd", which has no file');
  });

  it('has a code in the schema for every problem', () => {
    expect(schemaNamed('pam-show').properties?.['problems']?.items?.properties?.['code']?.enum).to.deep.equal(
      PAM_PROBLEM_CODES,
    );
  });
});
