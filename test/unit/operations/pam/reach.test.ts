import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../../src/errors.js';
import type {Glance} from '../../../../src/host/glance.js';
import {LocalHost} from '../../../../src/host/local.js';
import {whatSshdAsks} from '../../../../src/operations/pam/asked.js';
import type {Installed, Shape} from '../../../../src/operations/pam/installed.js';
import {rulesOf} from '../../../../src/operations/pam/rules.js';
import {reachProblems} from '../../../../src/operations/pam/show-checks.js';
import {pamProblem} from '../../../../src/operations/pam/show-problem.js';
import {commandsFor, USUAL} from '../../../../src/operations/status/problem.js';
import {dialectOf, parseEffective} from '../../../../src/ssh/sshd-config/index.js';

const SCRIPT = '/etc/agentless/pam-exec';
const STORED = {shape: 'service', base: 'sshd', required: false, auth: false} as const;
const installed = (shape: Shape): Installed => ({
  shape,
  service: {file: '/etc/pam.d/teleport', state: 'as installed'},
  script: {file: SCRIPT, state: 'as installed'},
});

describe('whether sshd comes by our rules', () => {
  let services: string;
  beforeEach(() => {
    services = mkdtempSync(join(tmpdir(), 'agentless-pam-reach-'));
  });
  afterEach(() => rmSync(services, {recursive: true, force: true}));

  async function problems(
    text: string,
    asked: {usePam?: boolean; service?: string} = {},
    shape: Shape = 'service',
    known: readonly ReturnType<typeof pamProblem>[] = [],
  ): Promise<string[]> {
    writeFileSync(join(services, 'teleport'), text);
    const rules = await rulesOf(new LocalHost(), services, 'teleport', SCRIPT);
    const said = {usePam: true, service: 'teleport', unseen: [], ...asked};
    const found = reachProblems(said, installed(shape), rules, STORED, known, commandsFor(USUAL));
    return found.problems.map(({code, message}) => `${code} ${message.replaceAll(services, '')}`);
  }
  const stack = (account: string, session: string) => `account ${account}\nsession ${session}\n`;
  const call = `optional pam_exec.so quiet ${SCRIPT}\n`;
  const both = (type: string, before = '') => `${before}${type} ${call}${type} required pam_permit.so\n`;

  it('is so where both types call the script, and where a site’s own rules do in one', async () => {
    expect(await problems(both('account') + both('session'))).to.deep.equal([]);
    const one = stack('required pam_permit.so', `optional pam_exec.so ${SCRIPT}`);
    expect(await problems(one, {}, 'by hand')).to.deep.equal([]);
  });

  it('is not where sshd asks for another service, or for none', async () => {
    const text = both('account') + both('session');
    expect(await problems(text, {service: 'sshd'})).to.deep.equal([
      'SERVICE_NOT_ASKED sshd asks PAM for "sshd", and not for "teleport"',
    ]);
    expect((await problems(text, {usePam: false}))[0]).to.match(/^PAM_UNUSED /);
  });

  it('is not where rules end before ours, or never call the script', async () => {
    const early = both('account', 'account sufficient pam_unix.so\n') + both('session');
    expect(await problems(early)).to.deep.equal([
      'NOT_REACHED the account rules of /teleport end before ours: line 1 lets a login in',
    ]);
    const none = stack('required pam_permit.so', 'required pam_permit.so');
    expect(await problems(none)).to.deep.equal([`NOT_REACHED no rule that sshd comes by calls ${SCRIPT}`]);
    const known = [pamProblem('FILE_CHANGED', '/etc/pam.d/teleport was changed', 'f')];
    expect(await problems(none, {}, 'service', known), 'explained').to.deep.equal([]);
  });

  it('is not where PAM refuses every login', async () => {
    expect(await problems(stack('include gone', 'required pam_deny.so'))).to.deep.equal([
      'LOGINS_DENIED PAM refuses every login by the account rules of /teleport: line 1, includes "gone", which cannot be read',
      'LOGINS_DENIED PAM refuses every login by the session rules of /teleport',
    ]);
  });
});

describe('what sshd asks PAM for', () => {
  const daemon = {
    state: 'running',
    process: undefined,
    socket: undefined,
    program: '/usr/sbin/sshd',
    options: [],
    listening: [],
  } as const;
  const probe = {uid: 1000} as Glance['probe'];
  const base: Glance = {probe, config: '/c', dialect: dialectOf([9, 9]), obstacles: []};
  const asked = (more: Partial<Glance>) => whatSshdAsks({...base, daemon, ...more});
  const facts = (text: string) => ({effective: parseEffective(text)}) as NonNullable<Glance['facts']>;
  const tree = (text: string) =>
    ({main: '/c', files: new Map([['/c', Buffer.from(text)]])}) as unknown as NonNullable<Glance['tree']>;

  it('is what sshd says of itself', () => {
    expect(asked({facts: facts('usepam yes\n')})).to.deep.include({usePam: true, service: 'sshd'});
    expect(asked({facts: facts('usepam yes\npamservicename teleport\n')}).service).to.equal('teleport');
    expect(asked({facts: facts('port 22\n')}).usePam, 'built without').to.equal(false);
    expect(
      asked({facts: facts('usepam yes\n'), daemon: {...daemon, program: '/opt/my-sshd'}}).service,
    ).to.equal('my-sshd');
  });

  it('is what its files say, for want of that', () => {
    const closed = new Failure('SSHD_CONFIG_INVALID', 'no', {detail: 'permission denied'});
    const told = asked({tree: tree('UsePAM yes\nPAMServiceName teleport\n'), obstacles: [closed]});
    expect(told).to.deep.equal({
      usePam: true,
      service: 'teleport',
      unseen: ['what sshd makes of its configuration: only root can ask it; this is what its files say'],
    });
    expect(asked({tree: tree('Port 22\n')}).usePam).to.equal(undefined);
    const renamed = {...daemon, program: '/opt/my-sshd'};
    expect(asked({daemon: renamed, version: [9, 7]}).service).to.equal('my-sshd');
    expect(asked({daemon: renamed, version: [9, 8]}).service).to.equal('sshd');
  });

  it('is nothing where there is no sshd', () => {
    expect(whatSshdAsks(base)).to.deep.equal({
      usePam: undefined,
      service: undefined,
      unseen: ['there is no sshd'],
    });
  });
});
