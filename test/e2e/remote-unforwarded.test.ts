// Hosts whose sshd forwards nothing, as hardened ones do: joined through a relay there, or refused before anything changes.

import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {agentless} from '../support/cli.js';
import {type Relay, withOnly} from '../support/relays.js';
import {type RemoteStage, startRemoteStage} from '../support/remote-stage.js';
import {skip} from '../support/skip.js';
import {envelope, type Stage} from '../support/stage.js';

describe('a host whose sshd forwards nothing', function () {
  this.timeout(120_000);
  let remote: RemoteStage | undefined;
  let stage: Stage;
  let tools: string;

  beforeEach(() => {
    tools = mkdtempSync('/tmp/agentless-relays-');
  });
  afterEach(async () => {
    await remote?.stop();
    remote = undefined;
    rmSync(tools, {recursive: true, force: true});
  });

  async function start(context: Mocha.Context, line: string, relay: Relay | undefined): Promise<void> {
    const forced = withOnly(relay, join(tools, 'bin'));
    if (forced === undefined) skip(context, `no ${relay} here`);
    remote = await startRemoteStage([line, forced]);
    ({stage} = remote);
  }

  const there = () => remote?.there ?? [];
  const run = async (...words: readonly string[]) =>
    envelope(await agentless([...words, '--data-dir', stage.dataDir, ...there(), '--json']));
  const joining = async (...words: readonly string[]) =>
    envelope(
      await agentless([...stage.words, ...there(), '--token', '-', '--json', ...words], {
        input: stage.cluster.token,
      }),
    );
  async function identity(): Promise<readonly string[]> {
    const file = join(tools, 'admin');
    const made = await agentless(['cluster', 'identity', '--dir', stage.cluster.dir, '--out', file]);
    expect(made.status, made.stderr).to.equal(0);
    return ['--identity', file, '--ca-file', stage.cluster.caFile];
  }

  const hosts = {
    'AllowTcpForwarding no': 'perl',
    'DisableForwarding yes': 'bash',
    'PermitOpen none': 'nc',
  } as const;
  for (const [line, relay] of Object.entries(hosts)) {
    it(`by ${line} is joined, seen, renewed and left with no more than ${relay}`, async function () {
      await start(this, line, relay);
      const before = await stage.host();
      const joined = await joining();
      expect(joined.exit, JSON.stringify(joined)).to.equal(0);
      expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
      const status = await run('status');
      expect([status.exit, status.result.sshd.served], JSON.stringify(status.result)).to.deep.equal([
        0,
        true,
      ]);
      const doctor = await run('doctor', '--login', stage.login, '--ca-file', stage.cluster.caFile);
      expect(doctor.exit, JSON.stringify(doctor.result)).to.equal(0);
      const renewed = await run('renew', ...(await identity()));
      expect([renewed.exit, renewed.changed], JSON.stringify(renewed)).to.deep.equal([0, false]);
      const left = await run('leave');
      expect(left.exit, JSON.stringify(left)).to.equal(0);
      expect(await stage.host()).to.deep.equal(before);
    });
  }

  it('and that has no relay is refused at the first look, with what to do', async function () {
    await start(this, 'AllowTcpForwarding no', undefined);
    const before = await stage.host();
    for (const words of [[], ['--dry-run']]) {
      const refused = await joining(...words);
      expect(refused.exit, JSON.stringify(refused)).to.equal(6);
      const {code, message, detail, hint} = refused.error ?? {};
      expect(code).to.equal('HOST_UNSUITABLE');
      expect(message).to.equal('sshd on web1 forbids forwarding, so that it cannot be asked what it serves');
      expect(detail).to.include('administratively prohibited');
      expect(hint)
        .to.include('AllowTcpForwarding local')
        .and.to.include('perl')
        .and.to.include('on web1 itself');
    }
    expect(await stage.host()).to.deep.equal(before);
    expect(readFileSync(stage.sshd.log, 'utf8')).not.to.match(/SIGHUP/);
    // Who knows better may leave sshd alone.
    const unasked = await joining('--no-restart-sshd');
    expect(unasked.exit, JSON.stringify(unasked)).to.equal(0);
  });

  it('and where sshd does not answer either is refused at the first look', async function () {
    await start(this, 'AllowTcpForwarding no', undefined);
    writeFileSync(join(tools, 'bin/nc'), '#!/bin/sh\necho "filtered away" >&2\nexit 1\n');
    const before = await stage.host();
    const refused = await joining();
    expect([refused.exit, refused.error?.code], JSON.stringify(refused)).to.deep.equal([
      6,
      'HOST_UNSUITABLE',
    ]);
    expect(refused.error?.message).to.match(
      /^sshd does not answer at 127\.0\.0\.1 port \d+, as seen from the host$/,
    );
    expect(refused.error?.detail).to.equal('filtered away');
    expect(await stage.host()).to.deep.equal(before);
  });

  it('and that has no relay any more is neither left nor renewed, and status says what it cannot see', async function () {
    await start(this, 'AllowTcpForwarding no', undefined);
    const joined = await stage.joinJson(['--discard-identity']);
    expect(joined.exit, JSON.stringify(joined)).to.equal(0);
    const before = await stage.host();
    const left = await run('leave');
    expect([left.exit, left.error?.code], JSON.stringify(left)).to.deep.equal([6, 'HOST_UNSUITABLE']);
    expect(left.error?.hint).to.include('--no-restart-sshd');
    const renewed = await run('renew', ...(await identity()));
    expect([renewed.exit, renewed.error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
    const status = await run('status');
    expect(status.exit).to.equal(3);
    expect(status.result.problems.map(({code}: {code: string}) => code)).to.deep.equal(['SERVED_UNSEEN']);
    expect(status.result.sshd).not.to.have.property('served');
    const doctor = await run('doctor', '--login', stage.login, '--ca-file', stage.cluster.caFile);
    const skipped = doctor.result.findings.filter(({status}: {status: string}) => status === 'skip');
    expect(skipped.map(({check}: {check: string}) => check)).to.include.members(['served', 'address']);
    expect(await stage.host()).to.deep.equal(before);
  });
});
