// What users of Teleport's agentless OpenSSH ask for: leaving, status, drift. A scenario each, by the numbers of
// docs/demands.md; those that other tests are already are named there.

import {readFileSync, writeFileSync} from 'node:fs';
import {expect} from 'chai';
import {inProcess} from '../../support/in-process.js';
import {JoinedStage} from '../../support/joined-stage.js';

describe('demands: status and diagnosis', function () {
  this.timeout(60_000);
  this.slow(8000);
  let host: JoinedStage;
  before(async () => {
    host = await JoinedStage.start();
  });
  afterEach(() => host.restore());
  after(() => host.stop());

  const withoutLines = () => {
    const text = readFileSync(host.stage.sshd.config, 'latin1');
    const bare = text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, '');
    expect(bare).to.not.equal(text);
    writeFileSync(host.stage.sshd.config, bare, 'latin1');
  };

  it('75: registered, reachable, certificate and user CA are told apart, each by itself', async () => {
    const words = ['--ca-file', host.stage.cluster.caFile, '--timeout', '3'];
    const told = async () => {
      const {findings} = await host.doctor(words);
      const of = (check: string) => findings.find((one) => one.check === check)?.status;
      return [of('node'), of('address'), of('served'), of('user CA')];
    };
    expect(await told()).to.deep.equal(['ok', 'ok', 'ok', 'ok']);
    writeFileSync(`${host.ours}/trusted_user_ca_keys`, '');
    expect(await told()).to.deep.equal(['ok', 'ok', 'ok', 'fail']);
    host.restore();
    host.stage.cluster.removeNode((await host.status()).node?.id ?? '');
    expect(await told()).to.deep.equal(['fail', 'ok', 'ok', 'ok']);
  });

  it('77: a connection that fails is told by its address, port and what to look at, and of no agent', async () => {
    const old = readFileSync(host.record, 'utf8');
    writeFileSync(host.record, old.replaceAll(`127.0.0.1:${host.stage.sshd.port}`, '127.0.0.1:1'));
    const words = ['doctor', ...host.place, '--ca-file', host.stage.cluster.caFile, '--timeout', '3'];
    const {stdout, status} = await inProcess(words);
    expect(status).to.equal(3);
    const [, told = ''] = /^ {2}fail {2}address +(.*(?:\n {19}.*)*)/m.exec(stdout) ?? [];
    expect(told).to.match(/^nobody answers as an SSH server at 127\.0\.0\.1:1 /);
    expect(told).to.match(/ECONNREFUSED[\s\S]*fix: .*firewalls/);
    expect(told).to.not.match(/\bagent\b/);
  });

  it('78: each host tells its state in one line of JSON, for an inventory of many', async () => {
    const told = async () => {
      const {stdout} = await inProcess(['status', '--json', ...host.place]);
      expect(stdout).to.match(/^\{.*\}\n$/);
      const {result} = JSON.parse(stdout);
      return {state: result.state, name: result.node.hostname, problems: result.problems.length > 0};
    };
    expect(await told()).to.deep.equal({state: 'joined', name: 'web1', problems: false});
    withoutLines();
    expect(await told()).to.deep.equal({state: 'joined', name: 'web1', problems: true});
  });

  // The last one, for the cluster is gone then.
  it('76: a monitor learns by exit code and JSON whether a host is rightly joined, without a network', async () => {
    await host.stage.cluster.close();
    expect((await host.status()).exit).to.equal(0);
    withoutLines();
    const {exit, problems} = await host.status();
    expect(exit).to.equal(3);
    expect(problems.map(({code}) => code)).to.include('LINES_MISSING');
  });
});
