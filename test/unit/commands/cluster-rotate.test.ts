import {mkdtempSync, readdirSync, readFileSync, rmSync, statSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {login, rotate, startCluster} from '../../../src/devcluster/index.js';
import {parseCertificate} from '../../../src/ssh/certificate.js';
import {fingerprint, parsePublicKey} from '../../../src/ssh/key.js';
import {clientOf, joined} from '../../support/cluster-client.js';
import {inProcess} from '../../support/in-process.js';
import {schemaNamed, violations} from '../../support/json-schema.js';

describe('cluster rotate', () => {
  let dir: string;
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'agentless-rotate-'));
    await (await start()).close();
  });
  afterEach(() => rmSync(dir, {recursive: true, force: true}));

  const start = () => startCluster({dir, lag: false, limits: false});
  const run = (type: string, phase: string, ...words: string[]) =>
    inProcess(['cluster', 'rotate', '--dir', dir, '--type', type, '--phase', phase, ...words]);
  const result = async (type: string, phase: string) => {
    const {stdout, stderr, status} = await run(type, phase, '--json');
    const envelope = JSON.parse(stdout);
    expect({status, stderr, violations: violations(envelope, schemaNamed('envelope'))}).to.deep.equal({
      status: 0,
      stderr: '',
      violations: [],
    });
    expect(envelope).to.deep.include({command: 'cluster rotate', changed: true});
    expect(violations(envelope.result, schemaNamed('cluster-rotate'))).to.deep.equal([]);
    return envelope.result;
  };

  it('goes through a rotation of a cluster that does not run', async () => {
    const init = await result('openssh', 'init');
    const [[old], [fresh]] = [init.active, init.additional];
    expect(init).to.deep.include({cluster: 'dev.example', type: 'openssh', phase: 'init'});
    const signer = async () => {
      const {certificate} = await login(dir, {logins: ['root'], user: 'root', roles: [], ttlSeconds: 60});
      return fingerprint(parseCertificate(certificate.trim()).authority);
    };
    expect(await signer()).to.equal(old);
    const {currentId} = init;
    expect(await result('openssh', 'update_clients')).to.deep.equal({
      ...init,
      phase: 'update_clients',
      active: [fresh],
      additional: [old],
    });
    expect(await signer()).to.equal(fresh);
    const servers = await run('openssh', 'update_servers');
    expect(servers).to.deep.equal({
      status: 0,
      stderr: '',
      stdout: `openssh authority of dev.example: update_servers; signs with ${fresh}, trusts ${old} too\n`,
    });
    const {stdout} = await run('openssh', 'standby');
    expect(stdout).to.equal(`openssh authority of dev.example: standby; signs with ${fresh}\n`);
    expect((await result('openssh', 'init')).currentId).to.not.equal(currentId);
    for (const name of readdirSync(dir)) {
      expect(statSync(join(dir, name)).mode & 0o777, name).to.equal(0o600);
      expect(name).to.not.match(/^\./);
    }
  });

  it('is noticed by a cluster that runs, at its next answer', async () => {
    const cluster = await start();
    try {
      const {identity} = await joined(cluster);
      await using client = clientOf(cluster);
      const session = client.as(identity);
      for (const phase of ['init', 'update_clients', 'rollback', 'standby']) {
        const {active, additional, currentId} = await result('host', phase);
        const told = await session.authority('host');
        const prints = (lines: readonly string[]) =>
          lines.map((line) => fingerprint(parsePublicKey(line).blob));
        expect(prints(told.active), phase).to.deep.equal(active);
        expect(prints(told.additional), phase).to.deep.equal(additional);
        expect(told.rotation).to.include({phase, id: currentId});
      }
    } finally {
      await cluster.close();
    }
  });

  it('keeps what each has done, of any number who rotate at once', async () => {
    const cluster = await start();
    try {
      // Two authorities, two processes' worth of rotating each: one of a pair is refused, nothing is lost.
      const all = await Promise.allSettled([
        rotate(dir, 'host', 'init'),
        cluster.rotate('openssh', 'init'),
        rotate(dir, 'openssh', 'init'),
        cluster.rotate('host', 'init'),
        rotate(dir, 'user', 'init'),
      ]);
      const done = all.flatMap((one) => (one.status === 'fulfilled' ? [one.value.type] : []));
      expect(done.sort()).to.deep.equal(['host', 'openssh', 'user']);
      for (const one of all) {
        if (one.status === 'rejected') expect(one.reason).to.include({code: 'USAGE'});
      }
      for (const type of ['host', 'openssh', 'user']) {
        const next = await rotate(dir, type, 'update_clients');
        expect(next).to.include({phase: 'update_clients'});
        const first = all.find((one) => one.status === 'fulfilled' && one.value.type === type);
        expect(first).to.have.nested.property('value.currentId', next.currentId);
      }
    } finally {
      await cluster.close();
    }
  });

  it("is refused in the cluster's own words, with the phases that are allowed", async () => {
    const cases = [
      ['update_clients', 'can only switch to phase update_clients from init, current phase is ', 'init'],
      ['rollback', 'can not transition to phase "rollback" from "" phase.', 'init'],
    ] as const;
    for (const [phase, detail, allowed] of cases) {
      const {status, stdout} = await run('host', phase, '--json');
      const envelope = JSON.parse(stdout);
      expect(violations(envelope, schemaNamed('envelope'))).to.deep.equal([]);
      expect({status, changed: envelope.changed}).to.deep.equal({status: 2, changed: false});
      expect(envelope.error).to.deep.include({
        code: 'USAGE',
        message: `the host authority is at standby; it cannot go to "${phase}"`,
        detail,
        hint: `from standby it goes to ${allowed}`,
      });
    }
    await rotate(dir, 'host', 'init');
    const {status, stderr} = await run('host', 'init');
    expect(status).to.equal(2);
    expect(stderr).to.equal(
      'error: the host authority is at init; it cannot go to "init"\n' +
        '       can not initiate rotation while another is in progress\n' +
        'hint:  from init it goes to update_clients or rollback\n',
    );
    // A refusal leaves nothing behind.
    expect((await rotate(dir, 'host', 'update_clients')).phase).to.equal('update_clients');
  });

  it('refuses types and phases that there are none of, and a directory without a cluster', async () => {
    for (const [type, phase] of [
      ['user', 'init'],
      ['db', 'init'],
      ['host', 'bogus'],
      ['host', ''],
    ] as const) {
      expect((await run(type, phase)).status, `${type} ${phase}`).to.equal(2);
    }
    const unknown = await rotate(dir, 'nosuch', 'init').catch((error: unknown) => error);
    expect(unknown).to.include({code: 'USAGE', detail: '"nosuch" authority type is not supported'});
    const gone = await inProcess([
      'cluster',
      'rotate',
      '--dir',
      join(dir, 'gone'),
      '--type',
      'host',
      '--phase',
      'init',
    ]);
    expect(gone.status).to.equal(2);
    expect(gone.stderr).to.match(/^error: no development cluster in \S+\nhint: {2}start one first: /);
  });

  it('reads a state of before there were rotations', async () => {
    expect(readFileSync(join(dir, 'cluster.json'), 'utf8')).to.not.include('"rotation"');
    expect((await result('host', 'init')).additional).to.have.length(1);
    const cluster = await start();
    expect(cluster.pins()).to.have.length(2).and.include(cluster.caPin);
    await cluster.close();
  });
});
