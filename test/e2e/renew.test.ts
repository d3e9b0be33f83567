// Life after the join: certificates, authorities and the node record are renewed with the host's own identity, in every
// phase of a rotation, on a real sshd with real logins after each step.

import {readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {agentless, type CliOptions} from '../support/cli.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {type Envelope, envelope, Stage} from '../support/stage.js';

const PHASES: readonly RotationPhase[] = ['init', 'update_clients', 'update_servers', 'standby'];

describe('renew', () => {
  const hooks: Partial<ClusterOptions> = {};
  let stage: Stage;

  beforeEach(async () => {
    stage = await Stage.quick({cluster: {limits: false, lag: false, ...hooks}});
    const {exit} = await stage.joinJson();
    expect(exit).to.equal(0);
  });
  afterEach(() => stage.stop());

  const run = async (command: string, words: readonly string[] = [], options: CliOptions = {}) => {
    const place = ['--data-dir', stage.dataDir, '--json'];
    const answer = envelope(await agentless([command, ...place, ...words], options));
    expect(answer.exit, JSON.stringify(answer)).to.equal(answer.status);
    return answer;
  };
  const renew = async (words: readonly string[] = []): Promise<Envelope & {exit: number | null}> => {
    const answer = await run('renew', words);
    if (answer.error === undefined)
      expect(violations(answer.result, schemaNamed('renew')), JSON.stringify(answer)).to.deep.equal([]);
    return answer;
  };
  const logIn = async (what: string) => {
    const {stdout, stderr} = await stage.loginByCertificate('web1');
    expect(stdout, `${what}: ${stderr}`).to.equal('hello\n');
  };
  const reloads = () =>
    readFileSync(join(stage.root, 'etc/sshd.log'), 'latin1').match(/Received SIGHUP/g)?.length ?? 0;
  const own = (name: string) => join(stage.root, 'etc/agentless', name);
  const trusted = () =>
    readFileSync(own('trusted_user_ca_keys'), 'latin1')
      .split('\n')
      .filter((line) => /^(ssh|ecdsa)-/.test(line));

  it('does nothing, and writes and reloads nothing, when nothing is due', async () => {
    const [host, data] = [await stage.host(), readFileSync(join(stage.dataDir, 'record.json'), 'utf8')];
    const seen = reloads();
    const {exit, changed, result} = await renew();
    expect({exit, changed, due: result.due, drift: result.drift}).to.deep.equal({
      exit: 0,
      changed: false,
      due: [],
      drift: [],
    });
    expect(await stage.host()).to.deep.equal(host);
    expect(readFileSync(join(stage.dataDir, 'record.json'), 'utf8')).to.equal(data);
    expect(reloads()).to.equal(seen);
    expect((await renew(['--check'])).exit).to.equal(0);
  });

  for (const type of ['host', 'openssh'] as const) {
    it(`lives through a rotation of the ${type} authority, with status and real logins in every phase, and leaves`, async () => {
      for (const phase of PHASES) {
        await stage.cluster.rotate(type, phase);
        const check = await renew(['--check']);
        const other = type === 'host' ? 'openssh' : 'host';
        expect(check.result.rotation[type].phase).to.equal(phase);
        expect(check.result.rotation[other].phase).to.equal('standby');
        const {exit, changed} = await renew();
        expect(exit, phase).to.equal(0);
        expect(changed, `${phase}: what --check says is what is done`).to.equal(check.exit === 3);
        expect((await renew(['--check'])).exit, `${phase}: nothing is left to do`).to.equal(0);
        await logIn(phase);
        const words = ['--online', '--ca-file', stage.cluster.caFile, '--openssh-config', stage.sshd.config];
        const status = await run('status', words);
        expect(status.exit, `${phase}: ${JSON.stringify(status.result.problems)}`).to.equal(0);
      }
      const left = await run('leave');
      expect(left.exit, JSON.stringify(left)).to.equal(0);
      expect(stage.cluster.nodes()).to.deep.equal([]);
    });
  }

  it('reloads for certificates, not for the user CA, which sshd reads at every login', async () => {
    const seen = reloads();
    await stage.cluster.rotate('openssh', 'init');
    expect((await renew()).changed).to.equal(true);
    expect(trusted()).to.have.length(2);
    expect(reloads()).to.equal(seen);
    await stage.cluster.rotate('host', 'init');
    await stage.cluster.rotate('host', 'update_clients');
    const {result} = await renew();
    expect(result.due.slice(0, -1).join('\n')).to.match(
      /^(\w+: it is signed by SHA256:\S+, which the cluster signs with no more\n?){2}$/,
    );
    expect(result.due.at(-1)).to.match(
      /own certificate: it is signed by a key that the cluster signs with no more/,
    );
    expect(reloads()).to.equal(seen + 1);
  });

  it('keeps certificates that are right while its own needs to be replaced', async () => {
    const files = ['ed25519', 'ecdsa'].map((type) => own(`ssh_host_${type}_key-cert.pub`));
    const before = files.map((file) => readFileSync(file, 'latin1'));
    const [seen, pem] = [reloads(), join(stage.dataDir, 'identity/cert.pem')];
    await stage.cluster.rotate('host', 'init');
    await renew();
    expect(files.map((file) => readFileSync(file, 'latin1'))).to.deep.equal(before);
    expect(reloads()).to.equal(seen);
    expect(readFileSync(pem, 'latin1')).to.match(/BEGIN CERTIFICATE/);
  });

  it('was silent since before init, cannot verify Auth any more, and finds its way back under the web certificate', async () => {
    for (const phase of ['init', 'update_clients', 'update_servers'] as const)
      await stage.cluster.rotate('host', phase);
    const {exit, changed} = await renew();
    expect({exit, changed}).to.deep.equal({exit: 0, changed: true});
    await stage.cluster.rotate('host', 'standby');
    expect((await renew()).exit).to.equal(0);
    await logIn('after standby');
  });

  it('says exactly what helps when the identity is finished: a token', async () => {
    for (const phase of PHASES) await stage.cluster.rotate('host', phase);
    const before = await stage.host();
    const {exit, error} = await renew();
    expect(exit, JSON.stringify(error)).to.be.oneOf([4, 5]);
    expect(error?.hint).to.include('join again with a token');
    expect(await stage.host()).to.deep.equal(before);
  });

  it('certifies a host key that was added or replaced', async () => {
    const {execFileSync} = await import('node:child_process');
    const key = join(stage.root, 'etc/ssh_host_ed25519_key');
    for (const file of [key, `${key}.pub`]) rmSync(file);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    process.kill(Number(readFileSync(join(stage.root, 'etc/sshd.pid'), 'latin1')), 'SIGHUP');
    await new Promise((resolve) => setTimeout(resolve, 300));
    const {changed, result} = await renew();
    expect(changed).to.equal(true);
    expect(result.due.join()).to.match(/ed25519: it is for the key/);
    await logIn('with the new key');
  });

  it('tells our lines are missing, renews the rest, and puts them back with --repair only', async () => {
    const joined = stage.config;
    writeFileSync(
      stage.sshd.config,
      joined.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, ''),
      'latin1',
    );
    const bare = stage.config;
    expect(bare).to.not.equal(joined);
    await stage.cluster.rotate('openssh', 'init');
    const {exit, changed, result, warnings} = await renew();
    expect({exit, changed, drift: result.drift}).to.deep.equal({
      exit: 3,
      changed: true,
      drift: [stage.sshd.config],
    });
    expect(warnings.join()).to.include('lacks our lines');
    expect(trusted(), 'the user CA is up to date all the same').to.have.length(2);
    expect(stage.config).to.equal(bare);
    const again = await renew(['--check']);
    expect({exit: again.exit, drift: again.result.drift}).to.deep.equal({
      exit: 3,
      drift: [stage.sshd.config],
    });
    const repaired = await renew(['--repair']);
    expect({exit: repaired.exit, changed: repaired.changed}).to.deep.equal({exit: 0, changed: true});
    expect(stage.config).to.equal(joined);
    await logIn('after the repair');
  });

  it('refuses a certificate with fewer names, unless told', async () => {
    // A cluster that no longer adds NAME.CLUSTER by itself, as some have done.
    const settings = join(stage.dataDir, 'record.json');
    const record = JSON.parse(readFileSync(settings, 'utf8'));
    record.settings.hostname = 'web2';
    writeFileSync(settings, JSON.stringify(record));
    const before = await stage.host();
    const {exit, error} = await renew();
    expect({exit, code: error?.code}, JSON.stringify(error)).to.deep.equal({
      exit: 4,
      code: 'REQUEST_REFUSED',
    });
    expect(error?.message).to.match(/no longer be for .*web1/);
    expect(error?.hint).to.include('--allow-fewer-names');
    expect(await stage.host()).to.deep.equal(before);
    expect((await renew(['--allow-fewer-names'])).changed).to.equal(true);
  });

  it('writes the node record again when an admin has deleted it', async () => {
    const [node] = stage.cluster.nodes();
    stage.cluster.removeNode(node?.id ?? '');
    expect((await renew(['--check'])).exit).to.equal(3);
    expect((await renew()).changed).to.equal(true);
    expect(stage.cluster.nodes().map(({id}) => id)).to.deep.equal([node?.id]);
  });

  it('refreshes a record that ends, well before it does, and no sooner', async () => {
    expect((await stage.joinJson(['--expires', '1h'])).exit).to.equal(0);
    const end = () => stage.cluster.nodes()[0]?.expires?.getTime() ?? 0;
    const first = end();
    expect(first).to.be.within(Date.now() + 3_500_000, Date.now() + 3_700_000);
    expect((await renew()).changed).to.equal(false);
    expect(end()).to.equal(first);
    expect((await stage.joinJson(['--expires', '10m'])).changed).to.equal(true);
    expect(end()).to.be.below(first);
    expect((await stage.joinJson(['--expires', 'never'])).changed).to.equal(true);
    expect(stage.cluster.nodes()[0]?.expires).to.equal(undefined);
  });

  it('is refused on a host that is not joined, with exit 3', async () => {
    await run('leave');
    const {exit, error} = await renew();
    expect({exit, code: error?.code}).to.deep.equal({exit: 3, code: 'NOT_JOINED'});
    expect(error?.hint).to.include('join openssh');
  });
});
