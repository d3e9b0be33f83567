// What goes wrong in a renewal once it has begun to change something, or because others are at work at the same time:
// everything comes back to the byte, and sshd serves what it served before.

import {existsSync} from 'node:fs';
import {join} from 'node:path';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {agentless, type CliOptions} from '../support/cli.js';
import {lookAt, type Seen, useReloadStage} from '../support/reload-stage.js';
import {signalled} from '../support/signalled.js';
import {type Envelope, envelope, type Stage} from '../support/stage.js';

const STAGES = ['look', 'cluster', 'identity', 'rehearse', 'write', 'reload', 'prove', 'register'] as const;

describe('a renewal that fails', function () {
  this.timeout(120_000);
  const hooks: Partial<ClusterOptions> = {lag: false, limits: false};
  const started = useReloadStage(false, hooks);
  let stage: Stage;
  let before: Seen;
  let untouched: Awaited<ReturnType<Stage['host']>>;

  beforeEach(async () => {
    ({stage} = started());
    untouched = await stage.host();
    expect((await stage.join()).status).to.equal(0);
    await stage.cluster.rotate('openssh', 'init');
    await stage.cluster.rotate('host', 'init');
    await stage.cluster.rotate('host', 'update_clients');
    for (const {id} of stage.cluster.nodes()) stage.cluster.removeNode(id);
    before = await lookAt(stage);
  });

  const run = (words: readonly string[] = [], options: CliOptions = {}) =>
    agentless(['renew', '--data-dir', stage.dataDir, ...words], options);
  const renew = async (words: readonly string[] = []) => envelope(await run([...words, '--json']));

  async function expectRestored(
    words: readonly string[],
    says: RegExp,
    [exit, code]: readonly [number, string] = [7, 'CHANGE_FAILED'],
  ): Promise<Envelope> {
    const answer = await renew(words);
    const said = JSON.stringify(answer);
    expect({exit: answer.exit, code: answer.error?.code}, said).to.deep.equal({exit, code});
    expect(answer.error?.restored).to.equal(exit === 7);
    expect(answer.error?.message).to.match(says);
    expect(await lookAt(stage), said).to.deep.equal(before);
    expect(stage.cluster.nodes(), said).to.deep.equal([]);
    return answer;
  }

  async function expectRenewed(what = ''): Promise<void> {
    expect((await renew()).exit, what).to.equal(0);
    expect((await renew(['--check'])).exit, what).to.equal(0);
    expect(stage.cluster.nodes(), what).to.have.length(1);
    expect((await stage.loginByCertificate('web1')).stdout, what).to.equal('hello\n');
  }

  it('a restart command that ends sshd: it is brought back with the old certificates, and the next one works', async () => {
    const command = `kill "$(cat ${stage.root}/etc/sshd.pid)"`;
    await expectRestored(['--sshd-restart-command', command], /sshd did not come back/);
    await expectRenewed();
  });

  it('a restart command that fails', async () => {
    await expectRestored(['--sshd-restart-command', 'echo not today >&2; exit 3'], /ended with status 3/);
    await expectRenewed();
  });

  it('a restart command that does nothing: sshd that reads certificates anew by itself has them, another has the old ones', async () => {
    const {exit, error} = await renew(['--sshd-restart-command', 'true']);
    if (exit === 0) return expectRenewed();
    expect([exit, error?.restored], error?.message).to.deep.equal([7, true]);
    expect(error?.message).to.match(/does not serve what was written/);
    expect(await lookAt(stage)).to.deep.equal(before);
  });

  it("the administrator's own check says no", async () => {
    const {error} = await expectRestored(
      ['--sshd-check-command', 'echo policy violation >&2; false'],
      /your own check: .* ended with status 1/,
    );
    expect(error?.detail).to.include('policy violation');
  });

  it("the administrator's own check says no, without a word", async () => {
    const {error} = await expectRestored(['--sshd-check-command', 'false'], /your own check: .* ended with/);
    expect(error).to.not.have.property('detail');
    expect(error?.hint).to.equal(
      `run it by hand to see what it has against the configuration: false ${stage.sshd.config}`,
    );
  });

  it('the cluster does not take the node record, or is gone by then', async () => {
    hooks.testOnlyCall = (name) =>
      name.endsWith('/UpsertNode') ? {code: Code.PermissionDenied, message: 'no more nodes'} : undefined;
    await expectRestored([], /./);
    hooks.testOnlyCall = (name) => (name.endsWith('/UpsertNode') ? 'close' : undefined);
    await expectRestored(['--timeout', '2'], /./);
  });

  it('the cluster is gone while it signs, or right after: nothing has begun', async () => {
    for (const lost of ['/GenerateHostCerts', '/ListResources']) {
      hooks.testOnlyCall = (name) => (name.endsWith(lost) ? 'close' : undefined);
      await expectRestored(['--timeout', '2'], /./, [5, 'CLUSTER_UNREACHABLE']);
    }
    hooks.testOnlyCall = undefined;
    await expectRenewed();
  });

  it('two at once: one renews, the other says so or finds it done', async () => {
    const both = await Promise.all([renew(), renew()]);
    const said = JSON.stringify(both);
    expect(
      both.some(({exit, changed}) => exit === 0 && changed),
      said,
    ).to.equal(true);
    for (const {exit, error} of both) {
      if (exit === 0) continue;
      expect(exit, said).to.equal(6);
      expect(error?.message, said).to.match(/another agentless|was changed by somebody else/);
    }
    await expectRenewed(said);
  });

  it('a renewal and a leave at once: the host is joined or left, wholly', async () => {
    const [again, left] = await Promise.all([renew(), stage.leaveJson()]);
    const said = JSON.stringify([again, left]);
    expect([again.exit, left.exit], said).to.include(0);
    if (existsSync(join(stage.dataDir, 'record.json'))) {
      await expectRenewed(said);
      expect((await stage.leaveJson()).exit, said).to.equal(0);
    }
    expect(existsSync(stage.dataDir), said).to.equal(false);
    expect(await stage.host(), said).to.deep.equal(untouched);
    expect(stage.cluster.nodes(), said).to.deep.equal([]);
  });

  it('a signal at any stage: it is as before, or was done', async () => {
    for (const [index, name] of STAGES.entries()) {
      const signal = index % 2 === 0 ? 'SIGINT' : 'SIGTERM';
      const {status, stdout, stderr} = await signalled((options) => run([], options), signal, name);
      const said = `${signal} after ${name}: ${stdout}${stderr}`;
      // A record that is being written when the signal comes is written: the renewal is done then.
      if (status === 0 || (status === null && stdout.includes('Renewed'))) {
        expect(name, said).to.be.oneOf(['prove', 'register']);
        await expectRenewed(said);
        return;
      }
      expect(status, said).to.equal(130);
      expect(stderr).to.match(/^error: interrupted/m);
      expect(await lookAt(stage), said).to.deep.equal(before);
      expect(stage.cluster.nodes(), said).to.deep.equal([]);
    }
  });
});
