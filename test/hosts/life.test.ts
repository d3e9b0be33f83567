// Whole lives of hosts that are really others, through ssh and the built program: what Debian ships, as it ships it.

import {expect} from 'chai';
import {FarHost, RELEASES, type Release, type Unit, whyNoFarHosts} from '../support/far-host.js';
import {until} from '../support/far-space.js';
import {type Answer, FarStage} from '../support/far-stage.js';
import {skip} from '../support/skip.js';
import {together} from '../support/together.js';
import {differences} from '../support/tree.js';

const BOTH: readonly Unit[] = ['ssh.service', 'ssh.socket'];
/**
 * The socket of Debian 11 starts an sshd for each connection, and the first that ends takes /run/sshd away from all others
 * (RuntimeDirectory in its ssh@.service): of two connections at a time, one may be refused there by itself.
 */
const UNITS: Record<Release, readonly Unit[]> = {
  bullseye: ['ssh.service'],
  bookworm: BOTH,
  trixie: BOTH,
  sid: BOTH,
};

describe('a host of its own, through ssh', function () {
  this.timeout(300_000);
  let stage: FarStage;
  const hosts: FarHost[] = [];

  before(async function () {
    const reason = whyNoFarHosts();
    if (reason !== undefined) skip(this, reason);
    stage = await FarStage.start();
  });
  after(() => stage?.stop());
  afterEach(async () => {
    await together(hosts.splice(0).map((host) => host.stop()));
  });

  async function start(release: Release, unit?: Unit): Promise<FarHost> {
    const host = await FarHost.start(release, unit);
    hosts.push(host);
    return host;
  }

  it('is joined and left, and is as it was: one of each release at once', async () => {
    const started = await together(RELEASES.map((release) => start(release)));
    await together(started.map((host) => expectLife(stage, host)));
    expect(stage.cluster.nodes()).to.deep.equal([]);
  });

  for (const release of RELEASES) {
    for (const unit of UNITS[release]) {
      it(`is joined and left, and is as it was: ${release}, booted with ${unit}`, async () => {
        const host = await start(release, unit);
        await expectLife(stage, host);
        expect(host.run('systemctl', 'is-active', unit)).to.equal('active');
      });
    }
  }

  it('is given a timer, which calls the agentless that is there, and gives it back when it leaves', async () => {
    const host = await start('bookworm', 'ssh.service');
    const before = await host.tree();
    const joined = await stage.join(host, '--no-discard-identity');
    expect([joined.exit, joined.result.identity], JSON.stringify(joined)).to.deep.equal([0, 'kept']);
    const refused = await stage.at(host, 'renew', '--install-timer');
    expect(refused.error?.message).to.equal(`there is no agentless on ${host.name} for a timer to call`);

    host.installProgram();
    const installed = await stage.at(host, 'renew', '--install-timer');
    expect([installed.exit, installed.changed], JSON.stringify(installed)).to.deep.equal([0, true]);
    expect(host.run('systemctl', 'is-active', 'agentless-renew.timer')).to.equal('active');
    const program = '/usr/local/bin/node /usr/local/bin/agentless renew';
    expect(host.run('systemctl', 'show', '--property=ExecStart', 'agentless-renew.service')).to.include(
      program,
    );
    expect((await stage.at(host, 'renew', '--install-timer')).changed).to.equal(false);

    const left = await stage.leave(host);
    expect(left.exit, JSON.stringify(left)).to.equal(0);
    const after = await host.tree();
    expect(differences(before, after).filter((line) => !line.includes('usr/local/'))).to.deep.equal([]);
  });
});

/** All that is done to a host from its first join on until it is as before. */
async function expectLife(stage: FarStage, host: FarHost): Promise<void> {
  const {name, link} = host;
  const before = await host.tree();
  const joined = await stage.join(host);
  expect(joined.exit, `${name}: ${JSON.stringify(joined)}`).to.equal(0);
  expect([joined.changed, unforeseen(joined)], name).to.deep.equal([true, []]);
  expect(joined.result.node).to.include({hostname: name, address: `${link.address}:22`});

  for (const dialled of [name, link.address]) {
    const {stdout, stderr} = await stage.login(host, dialled);
    expect(stdout, `${name}: ${stderr}`).to.equal('hello\n');
  }
  expect((await host.login()).stdout, name).to.equal('hello\n');

  const by = ['--identity', stage.identity, '--ca-file', stage.cluster.caFile];
  const after = await host.tree();
  for (const words of [
    ['status'],
    ['doctor', '--login', 'root', '--ca-file', stage.cluster.caFile],
    ['renew', ...by],
    ['join', 'openssh', ...by],
  ]) {
    const said = await stage.at(host, ...words);
    const what = `${name}: ${words[0]}: ${JSON.stringify(said)}`;
    expect([said.exit, said.changed, unforeseen(said)], what).to.deep.equal([0, false, []]);
  }
  expect(differences(after, await host.tree()), name).to.deep.equal([]);

  const left = await stage.leave(host);
  expect(left.exit, `${name}: ${JSON.stringify(left)}`).to.equal(0);
  expect(differences(before, await host.tree()), name).to.deep.equal([]);
  expect((await host.login()).stdout, name).to.equal('hello\n');
  expect((await stage.login(host)).stderr, name).to.include('Host key verification failed');
  await until(() => host.shells === 0 || undefined);
}

/** Warnings but for the one that sid deserves: no cluster certifies its post-quantum key. */
function unforeseen({warnings}: Answer): readonly string[] {
  return warnings.filter(
    (text) => !text.includes('(ssh-mldsa44-ed25519) is of no kind that a cluster certifies'),
  );
}
