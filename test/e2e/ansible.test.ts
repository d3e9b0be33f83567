// The role of the collection in ansible/, played over hosts that are reached through ssh.

import {spawnSync} from 'node:child_process';
import {readdirSync, readFileSync, writeFileSync} from 'node:fs';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {ansibleProgram, type Played, WITHOUT_ANSIBLE} from '../support/ansible.js';
import {agentless} from '../support/cli.js';
import {Fleet} from '../support/fleet.js';
import {skip} from '../support/skip.js';
import {envelope} from '../support/stage.js';

describe('the role of Ansible', function () {
  this.timeout(300_000);
  let fleet: Fleet;
  before(function () {
    if (ansibleProgram('ansible-playbook') === undefined) skip(this, WITHOUT_ANSIBLE);
  });
  afterEach(() => fleet?.stop());

  /** That many hosts have changed, and none has failed. */
  function expectChanged(played: Played, hosts: readonly string[]): void {
    expect(played.status, played.output).to.equal(0);
    const changed = [...played.hosts].filter(([, tally]) => tally.changed > 0).map(([name]) => name);
    expect(changed.sort(), played.output).to.deep.equal([...hosts].sort());
  }

  it('joins hosts, changes nothing the second time, and has them as they were', async () => {
    fleet = await Fleet.start(3);
    const names = ['web1', 'web2', 'web3'];
    const before = await fleet.trees();
    const wish = {agentless_identity: fleet.identity, agentless_labels: {env: 'prod', note: 'a, b=c'}};

    const checked = await fleet.play(wish, {words: ['--check', '--diff']});
    expectChanged(checked, names);
    expect(checked.output)
      .to.match(/^\+ HostCertificate .*web2\/etc\/agentless/m)
      .and.to.match(/^\+ # BEGIN agentless/m)
      .and.to.match(/^register +node web3, 127\.0\.0\.1:\d+, labels env=prod,note=a, b=c$/m);
    expect(await fleet.trees()).to.deep.equal(before);
    expect(fleet.nodes).to.deep.equal([]);

    expectChanged(await fleet.play(wish), names);
    expect(fleet.nodes.sort()).to.deep.equal(names);
    expect(fleet.cluster.nodes()[0]?.labels).to.deep.equal({env: 'prod', note: 'a, b=c'});
    expect(fleet.joins, 'nobody has asked at the endpoint for tokens').to.equal(0);
    const joined = await fleet.trees();
    expectChanged(await fleet.play(wish), []);
    expect(await fleet.trees()).to.deep.equal(joined);

    // As a role that owns sshd_config does.
    const [first] = fleet.hosts;
    const config = first?.sshd.config ?? '';
    writeFileSync(
      config,
      readFileSync(config, 'utf8').replace(/^# BEGIN agentless[\s\S]*?# END agentless\n/m, ''),
    );
    const renewing = {agentless_identity: fleet.identity, agentless_state: 'renewed'};
    const due = await fleet.play(renewing, {words: ['--check', '--diff']});
    expectChanged(due, ['web1']);
    expect(due.output).to.include(`${config} lacks our lines`);
    expectChanged(await fleet.play(renewing), ['web1']);
    expect((await fleet.trees())['web2']).to.deep.equal(joined['web2']);

    const leaving = {agentless_identity: fleet.identity, agentless_state: 'absent'};
    const left = await fleet.play(leaving, {words: ['--diff']});
    expectChanged(left, names);
    expect(left.output)
      .to.match(/^- HostCertificate /m)
      .and.to.not.include('Nothing has been changed');
    const after = await fleet.trees();
    expect({...after, web1: undefined}).to.deep.equal({...before, web1: undefined});
    // Somebody has written its sshd_config since, so that its time is not that of before.
    const content = (tree: typeof before) =>
      Object.entries(tree['web1'] ?? {}).map(([path, leaf]) => [path, leaf.content, leaf.mode, leaf.owner]);
    expect(content(after)).to.deep.equal(content(before));
    expect(fleet.nodes).to.deep.equal([]);
  });

  it('ends the wave at a host that fails: that one and those to come are untouched', async () => {
    fleet = await Fleet.start(3);
    const broken = fleet.hosts[1]?.sshd.config ?? '';
    writeFileSync(broken, `HostKeyAlgorithms ssh-ed25519\n${readFileSync(broken, 'utf8')}`);
    const before = await fleet.trees();
    const wish = {agentless_identity: fleet.identity};
    const played = await fleet.play(wish, {keys: {serial: [1, 1, 1], max_fail_percentage: 0}});
    expect(played.status).to.equal(2);
    expect(played.output)
      .to.match(/HostKeyAlgorithms allows no certificate/)
      .and.to.match(/hint: /);
    expect(played.hosts.get('web1')).to.include({changed: 1, failed: 0});
    expect(played.hosts.get('web2')).to.include({changed: 0, failed: 1});
    expect(played.hosts.has('web3')).to.equal(false);
    const {web1, ...others} = await fleet.trees();
    const {web1: old, ...untouched} = before;
    expect(web1).to.not.deep.equal(old);
    expect(others).to.deep.equal(untouched);
    expect(fleet.nodes).to.deep.equal(['web1']);
  });

  it('joins with one token for the play, and spends none on hosts that are joined', async () => {
    const seen: string[] = [];
    const hooks: Partial<ClusterOptions> = {
      testOnlyHttp: ({method}) => {
        if (method === 'POST') seen.push(...processes());
        return undefined;
      },
    };
    fleet = await Fleet.start(2, hooks);
    const {token} = fleet.cluster;
    const wish = {agentless_token: token, agentless_labels: {env: 'prod'}};
    const verbose = await fleet.play(wish, {words: ['-vvv']});
    expectChanged(verbose, ['web1', 'web2']);
    expect(fleet.joins).to.equal(2);
    expect(verbose.output).to.not.include(token);
    expect(
      seen.some((text) => text.includes('join\0openssh')),
      'the program itself was seen',
    ).to.equal(true);
    expect(seen.filter((text) => text.includes(token))).to.deep.equal([]);
    const there = Object.values(await fleet.trees()).flatMap((tree) => Object.values(tree));
    expect(there.map(({content}) => content ?? '').join('\n')).to.not.include(token);

    const joined = await fleet.trees();
    expectChanged(await fleet.play(wish), []);
    expectChanged(await fleet.play({agentless_labels: {env: 'prod'}}), []);
    expect({joins: fleet.joins, trees: await fleet.trees()}).to.deep.equal({joins: 2, trees: joined});

    const other = {...wish, agentless_labels: {env: 'test'}};
    const checked = await fleet.play(other, {words: ['--check', '--diff']});
    expectChanged(checked, ['web1', 'web2']);
    expect(checked.output).to.include('labels: env=test, not env=prod');
    const unable = await fleet.play({agentless_labels: {env: 'test'}}, {words: ['--limit', 'web1']});
    expect(unable.status).to.equal(2);
    expect(unable.output).to.include('this host keeps no credential').and.to.include('agentless_identity');
    expect(fleet.joins).to.equal(2);
    expectChanged(await fleet.play(other, {words: ['--limit', 'web1']}), ['web1']);
    expect(fleet.joins).to.equal(3);
    const labels = fleet.cluster.nodes().map((node) => [node.hostname, node.labels['env']]);
    expect(Object.fromEntries(labels)).to.deep.equal({web1: 'test', web2: 'prod'});
  });

  it('runs the program on the host when asked, with a token of its own that is gone afterwards', async () => {
    fleet = await Fleet.start(1);
    const before = await fleet.trees();
    const wish = {agentless_run_on: 'host', agentless_identity: fleet.identity};
    const address = {agentless_address: `127.0.0.1:${fleet.hosts[0]?.sshd.port}`};
    expectChanged(await fleet.play({...wish, ...address}, {words: ['--check']}), ['web1']);
    expect(await fleet.trees()).to.deep.equal(before);
    expectChanged(await fleet.play({...wish, ...address}), ['web1']);
    expect(fleet.joins).to.equal(1);
    const place = ['--proxy-server', fleet.cluster.proxy, '--ca-file', fleet.cluster.caFile];
    const listed = envelope(
      await agentless(['tokens', 'ls', ...place, '--identity', fleet.identity, '--json']),
    );
    expect(listed.result.tokens, JSON.stringify(listed)).to.have.length(1);
    expectChanged(await fleet.play({...wish, ...address}), []);
    expectChanged(await fleet.play({...wish, agentless_state: 'renewed'}), []);
    expectChanged(await fleet.play({...wish, agentless_state: 'absent'}), ['web1']);
    expect(await fleet.trees()).to.deep.equal(before);
    expect(fleet.nodes).to.deep.equal([]);
  });

  it('says why a host cannot be reached as it is wished', async () => {
    fleet = await Fleet.start(1);
    const before = await fleet.trees();
    const cases = [
      [
        {ansible_ssh_common_args: '-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes'},
        /Host key verification failed/,
      ],
      [{ansible_ssh_extra_args: '--nonsense'}, /is not an option of ssh|has no line/],
      [{ansible_password: 'secret-word'}, /without a password/],
      [{ansible_become: true, ansible_become_method: 'su', ansible_user: 'nobody'}, /becomes root by sudo/],
      [{agentless_command: ['/nonexistent/agentless']}, /cannot be run on the controller/],
      [{agentless_state: 'renewed'}, /this host is not joined/],
      [{agentless_state: 'gone'}, /must be one of/],
      [{agentless_labels: {'a"b': 'c'}}, /double quote/],
    ] as const;
    for (const [vars, says] of cases) {
      const played = await fleet.play({agentless_identity: fleet.identity, ...vars});
      // 4: Ansible's own word for a host that is not reached.
      const unreachable = played.hosts.get('web1')?.unreachable === 1;
      expect(unreachable, played.output).to.equal(/verification/.test(says.source));
      expect(played.status, played.output).to.equal(unreachable ? 4 : 2);
      expect(played.output).to.match(says).and.to.not.include('secret-word').and.to.not.include('Traceback');
    }
    expect(await fleet.trees()).to.deep.equal(before);
  });

  it('takes become for sudo, unless root logs in', async () => {
    fleet = await Fleet.start(1);
    // Whoever that is: it is not said to be root.
    const wish = {agentless_identity: fleet.identity, ansible_become: true, ansible_user: ''};
    const played = await fleet.play(wish, {words: ['--check']});
    const sudo = spawnSync('sudo', ['-n', 'true']).status === 0;
    expect(played.status, played.output).to.equal(sudo ? 0 : 4);
    if (!sudo) expect(played.output).to.match(/sudo/);
    if (process.getuid?.() !== 0) return;
    expectChanged(await fleet.play({...wish, ansible_user: 'root'}, {words: ['--check']}), ['web1']);
  });
});

/** Arguments and environment of every process that may be looked at, but for this one. */
function processes(): string[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return pids.flatMap((pid) =>
    ['cmdline', 'environ'].map((file) => {
      try {
        return readFileSync(`/proc/${pid}/${file}`, 'latin1');
      } catch {
        // It is gone, or somebody else's.
        return '';
      }
    }),
  );
}
