// `pam show` on a host that has joined with PAM, and on one that has not.

import {rmSync, symlinkSync} from 'node:fs';
import {expect} from 'chai';
import {schemaNamed, violations} from '../support/json-schema.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {PamStage} from '../support/pam-stage.js';
import {skip} from '../support/skip.js';
import {sshdIsAtLeast} from '../support/sshd-version.js';
import type {Envelope} from '../support/stage.js';

const SHAPE = sshdIsAtLeast(9, 8) ? 'service' : 'add-on';
const SCRIPT = '/etc/agentless/pam-exec';
const REPAIR = 'sudo agentless renew --repair';

describe('pam show', function () {
  this.timeout(120_000);
  let stage: PamStage;

  before(async function () {
    const started = await PamStage.start();
    if (started === undefined) skip(this, 'needs root and mount namespaces');
    stage = started;
  });
  after(() => stage?.stop());

  async function show(
    prefix: readonly string[] = [],
    words: readonly string[] = [],
  ): Promise<Envelope & {exit: number | null}> {
    const answer = await stage.json(['pam', 'show', ...words], prefix);
    const {stderr: _stderr, exit, ...read} = answer;
    expect(violations(read, schemaNamed('envelope')), JSON.stringify(read)).to.deep.equal([]);
    expect(violations(read.result, schemaNamed('pam-show'))).to.deep.equal([]);
    expect([read.status, read.changed]).to.deep.equal([exit, false]);
    expect(exit).to.equal(read.result.problems.length === 0 ? 0 : 3);
    return answer;
  }

  const problems = ({result}: Envelope): [string, string, string][] =>
    result.problems.map(({code, message, fix}: Record<string, string>) => [code, message, fix]);
  const codes = (answer: Envelope) => problems(answer).map(([code]) => code);
  const ours = ({result}: Envelope) =>
    ['account', 'session'].map((type) => result.rules[type].filter((rule: {ours: boolean}) => rule.ours));

  describe('on a host that has not joined', () => {
    it('tells what sshd runs for a login, and that nothing of ours is there', async () => {
      const answer = await show();
      expect(answer.result).to.deep.include({shape: 'not installed', problems: [], unseen: [], ready: []});
      expect(answer.result.sshd).to.deep.equal({
        config: '/etc/ssh/sshd_config',
        usePam: true,
        service: 'sshd',
        file: '/etc/pam.d/sshd',
      });
      expect(answer.result.rules.session.length).to.be.greaterThan(0);
      expect(ours(answer)).to.deep.equal([[], []]);
      const {stdout, status} = await stage.run(['pam', 'show']);
      expect(status).to.equal(0);
      expect(stdout).to.match(/^\S+ {2}nothing of ours is installed in PAM\n\n {2}sshd +asks PAM for "sshd"/);
      expect(stdout).to.not.include('Hooks');
    });

    it('works without root', async function () {
      skipUnlessNobodyCanRunIt(this);
      const {result} = await show(NOBODY);
      expect(result.shape).to.equal('not installed');
      expect(result.sshd).to.deep.include({usePam: true, service: 'sshd'});
      expect(result.unseen.join('\n')).to.match(/only root can ask it/);
    });

    it('knows a host where a rule of its own calls the script', async () => {
      const before = stage.read('/etc/pam.d/sshd');
      stage.edit('/etc/pam.d/sshd', (text) => `${text}session optional pam_exec.so ${SCRIPT}\n`);
      const answer = await show();
      expect(answer.result.shape).to.equal('by hand');
      expect(problems(answer)).to.deep.equal([['FILE_MISSING', `${SCRIPT} is gone`, REPAIR]]);
      stage.write('/etc/pam.d/sshd', before);
    });
  });

  describe('on a joined host', () => {
    before(() => stage.join('--pam'));
    afterEach(() => stage.restore());

    it('tells that all is in place and reached', async () => {
      const answer = await show();
      expect(problems(answer)).to.deep.equal([]);
      const {result} = answer;
      expect(result).to.deep.include({
        host: 'web1',
        shape: SHAPE,
        settings: {base: 'sshd', control: 'optional', auth: false},
        service: {file: '/etc/pam.d/teleport', state: 'as installed'},
        script: {file: SCRIPT, state: 'as installed'},
        unseen: [],
      });
      expect(result.module).to.match(/\/pam_exec\.so$/);
      for (const rules of ours(answer)) {
        expect(rules).to.have.length(1);
        expect(rules[0]).to.include({control: '[default=ignore]', reached: true});
        expect(rules[0].args.at(-1)).to.equal(SCRIPT);
      }
      expect(
        result.ready.map(({name, linked}: {name: string; linked: unknown}) => [name, linked]),
      ).to.deep.equal([
        ['audit', []],
        ['groups-from-roles', []],
        ['home-directory', []],
        ['motd-by-role', []],
      ]);
      expect(result.hooks.map(({hooks}: {hooks: unknown}) => hooks)).to.deep.equal([[], [], []]);
    });

    it('lists hooks in their order, with those that do not run and why', async () => {
      const phase = '/etc/agentless/pam.d/open_session';
      symlinkSync('../../hooks/audit', stage.space.path(`${phase}/20-audit`));
      stage.hook('open_session', '10-first', 'true');
      stage.hook('open_session', '10-first~', 'true');
      stage.write(stage.hook('open_session', '30-off', 'true'), '#!/bin/sh\n', 0o644);
      const answer = await show();
      const [, {hooks}] = answer.result.hooks;
      expect(hooks.map(({name, verdict}: Record<string, string>) => `${name} ${verdict}`)).to.deep.equal([
        '10-first runs',
        '10-first~ passed over',
        '20-audit runs',
        '30-off left out',
      ]);
      expect(hooks[2]).to.deep.include({target: '../../hooks/audit', real: '/etc/agentless/hooks/audit'});
      expect(answer.result.ready[0].linked).to.deep.equal([`${phase}/20-audit`]);
      expect(problems(answer)).to.deep.equal([
        [
          'HOOK_LEFT_OUT',
          `${phase}/30-off does not run: not executable (mode 0644)`,
          `sudo chmod +x ${phase}/30-off`,
        ],
      ]);
      const {stdout, status} = await stage.run(['pam', 'show']);
      expect(status).to.equal(3);
      expect(stdout).to.match(
        /^web1 {2}PAM runs the hooks of this site at logins\n {2}left out +\S+30-off does not/,
      );
      expect(stdout).to.match(/^ {2}open_session {2}10-first\n +10-first~ +passed over: /m);
      expect(stdout).to.match(/^ +20-audit +-> \/etc\/agentless\/hooks\/audit\n/m);
      expect(stdout).to.match(/^ {2}> \[default=ignore\] +pam_exec\.so quiet \/etc\/agentless\/pam-exec/m);
    });

    it('tells of an edited service, a script that is gone, and one that anybody may change', async () => {
      stage.edit('/etc/pam.d/teleport', (text) => `${text}# mine\n`);
      rmSync(stage.space.path(SCRIPT));
      const gone = await show();
      expect(codes(gone).sort()).to.deep.equal(['FILE_CHANGED', 'FILE_MISSING']);
      expect(gone.result.service.state).to.equal('edited');
      expect(gone.result.script.state).to.equal('missing');
      stage.restore();
      stage.space.run('chmod', '0777', SCRIPT);
      const open = await show();
      expect(problems(open)).to.deep.equal([
        ['FILE_CHANGED', `${SCRIPT} was changed since: its mode, from 0755 to 0777`, REPAIR],
      ]);
    });

    it('tells what PAM makes of a service whose file is gone', async () => {
      rmSync(stage.space.path('/etc/pam.d/teleport'));
      const answer = await show();
      if (SHAPE === 'service') expect(codes(answer)).to.include('FILE_MISSING');
      else expect(codes(answer)).to.include.members(['LOGINS_DENIED', 'FILE_MISSING']);
    });

    it('tells when sshd no longer comes by our rules', async () => {
      if (SHAPE === 'service') {
        stage.space.run('sed', '-i', '/PAMServiceName/d', '/etc/ssh/sshd_config.d/00-agentless.conf');
        expect(codes(await show())).to.include('SERVICE_NOT_ASKED');
        return;
      }
      stage.edit('/etc/pam.d/sshd', (text) => text.replace(/^(account|session) substack teleport.*\n/gm, ''));
      const missing = await show();
      expect(problems(missing)).to.deep.equal([
        ['LINES_MISSING', 'account substack teleport, session substack teleport in /etc/pam.d/sshd', REPAIR],
      ]);
      stage.restore();
      stage.edit('/etc/pam.d/sshd', (text) => text.replace(/^session substack teleport.*\n/m, ''));
      expect(problems(await show())).to.deep.equal([
        ['LINES_MISSING', 'session substack teleport in /etc/pam.d/sshd', REPAIR],
      ]);
      stage.restore();
      stage.edit('/etc/pam.d/sshd', (text) => text.replace(/^session substack teleport/m, '#$&'));
      expect(codes(await show())).to.deep.equal(['LINES_DAMAGED']);
      stage.restore();
      stage.edit('/etc/pam.d/sshd', (text) => `account sufficient pam_permit.so\n${text}`);
      const early = await show();
      expect(codes(early)).to.have.length(1);
      expect(codes(early)[0]).to.match(/^(LINES_MISPLACED|NOT_REACHED)$/);
    });

    it('tells when sshd does not use PAM', async () => {
      const drop = sshdIsAtLeast(8, 4) ? '/etc/ssh/sshd_config.d/01-site.conf' : '/etc/ssh/sshd_config';
      if (sshdIsAtLeast(8, 4)) stage.write(drop, 'UsePAM no\n');
      else stage.edit(drop, (text) => `UsePAM no\n${text}`);
      const answer = await show();
      expect(codes(answer)).to.deep.equal(['PAM_UNUSED']);
      expect(answer.result.sshd.usePam).to.equal(false);
      expect(answer.result.rules).to.equal(undefined);
    });

    it('tells without root what it can see', async function () {
      skipUnlessNobodyCanRunIt(this);
      stage.hook('account', '10-mine', 'true');
      const answer = await show(NOBODY);
      const {result} = answer;
      expect(result.shape).to.equal(SHAPE);
      expect(problems(answer)).to.deep.equal([]);
      expect(result.settings).to.equal(undefined);
      expect(result.script.state).to.equal('as installed');
      expect(result.service.state).to.equal('unknown');
      expect(result.hooks[0].hooks[0]).to.deep.include({name: '10-mine', verdict: 'runs'});
      expect(result.unseen.join('\n')).to.include('/var/lib/agentless cannot be read');
    });
  });
});
