// `renew --check` tells everything and does nothing; clocks that are wrong; what a join was told of trust; names.

import {chmodSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import type {RotationPhase} from '../../src/cluster/cluster.js';
import {agentless} from '../support/cli.js';
import {inProcess} from '../support/in-process.js';
import {NOBODY, skipUnlessNobodyCanRunIt} from '../support/nobody.js';
import {type Envelope, envelope, Stage} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

type Answer = Envelope & {readonly exit: number | null};

const SIGNING = /GenerateHostCert|UpsertNode|DeleteNode|host\/credentials/;

describe('renew --check', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.quick({cluster: {lag: false, limits: false}});
    expect((await run(stage.words, ['--token', '-'])).exit).to.equal(0);
  });
  afterEach(() => stage.stop());

  async function run(argv: readonly string[], words: readonly string[] = []): Promise<Answer> {
    return envelope(await agentless([...argv, ...words, '--json'], {input: `${stage.cluster.token}\n`}));
  }
  async function renew(...words: string[]): Promise<Answer> {
    const {status, stdout} = await inProcess(['renew', '--data-dir', stage.dataDir, '--json', ...words]);
    return {...(JSON.parse(stdout) as Envelope), exit: status};
  }
  const look = async () => ({etc: await stage.host(), data: await snapshot(stage.dataDir)});
  const own = (name: string) => join(stage.root, 'etc/agentless', name);
  const changes = () => Object.entries(stage.cluster.stats.requests).filter(([name]) => SIGNING.test(name));
  const rotate = async (type: 'host' | 'openssh', ...phases: RotationPhase[]) => {
    for (const phase of phases) await stage.cluster.rotate(type, phase);
  };
  const edit = (path: string, change: (text: string) => string) =>
    writeFileSync(path, change(readFileSync(path, 'latin1')), 'latin1');

  it('changes nothing and has nothing signed, whatever is due, and what it tells is then done', async () => {
    const dues: readonly (readonly [string, () => unknown, RegExp])[] = [
      ['nothing', () => undefined, /^$/],
      [
        'an authority to be known',
        () => rotate('host', 'init'),
        /authorities\.pem is not as the cluster has it/,
      ],
      ['users to be trusted', () => rotate('openssh', 'init'), /trusted_user_ca_keys is not as/],
      [
        'another signer',
        () => rotate('host', 'update_clients'),
        /ecdsa: it is signed by a key that is not active any more.*own certificate/s,
      ],
      [
        'a certificate',
        () => rmSync(own('ssh_host_ed25519_key-cert.pub')),
        /ed25519: there is no certificate yet/,
      ],
      [
        'the record',
        () => stage.cluster.nodes().map(({id}) => stage.cluster.removeNode(id)),
        /node record is missing/,
      ],
      [
        'our lines',
        () =>
          edit(stage.sshd.config, (text) => text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, '')),
        /^$/,
      ],
    ];
    for (const [what, spoil, says] of dues) {
      await spoil();
      const [before, asked] = [await look(), changes()];
      const check = await renew('--check');
      expect(check.result.due.join('\n'), what).to.match(says);
      expect(await look(), what).to.deep.equal(before);
      expect(changes(), what).to.deep.equal(asked);
      expect(check.changed).to.equal(false);
      expect(check.exit, what).to.equal(what === 'nothing' ? 0 : 3);
      const {changed, result} = await renew('--repair');
      expect(changed, what).to.equal(check.exit === 3);
      if (what !== 'our lines') expect(result.due, what).to.deep.equal(check.result.due);
      expect((await renew('--check')).exit, `${what}: nothing is left`).to.equal(0);
    }
  });

  it('leaves an expiring record as it is, too', async () => {
    expect((await run(stage.words, ['--expires', '1h'])).exit).to.equal(0);
    edit(join(stage.dataDir, 'record.json'), (text) => text.replace('"expires": 3600', '"expires": 36000'));
    const [end] = stage.cluster.nodes().map(({expires}) => expires?.getTime());
    expect((await renew('--check')).exit).to.equal(3);
    expect(stage.cluster.nodes()[0]?.expires?.getTime()).to.equal(end);
    expect((await renew()).changed).to.equal(true);
    expect(stage.cluster.nodes()[0]?.expires?.getTime()).to.be.greaterThan((end ?? 0) + 3_600_000);
  });

  it('keeps to the pins of the join on the way back of a host that was silent: a wrong one refuses', async () => {
    edit(join(stage.dataDir, 'record.json'), (text) =>
      text.replace('"caPins": []', `"caPins": ["sha256:${'0'.repeat(64)}"]`),
    );
    expect((await renew()).exit, 'the pins are for authorities that are new').to.equal(0);
    await rotate('host', 'init', 'update_clients', 'update_servers');
    const before = await look();
    for (const answer of [await renew('--check'), await renew(), await run(stage.words)]) {
      expect([answer.exit, answer.error?.code], JSON.stringify(answer)).to.deep.equal([
        5,
        'CLUSTER_UNTRUSTED',
      ]);
      expect(answer.error?.detail).to.match(/pin/);
      expect(await look()).to.deep.equal(before);
    }
    const pin = stage.cluster.pins()[0] ?? '';
    expect((await renew('--ca-pin', pin)).changed).to.equal(true);
  });

  it('knows the web authority from the join; without it, the way back is refused', async () => {
    await rotate('host', 'init', 'update_clients', 'update_servers');
    const record = join(stage.dataDir, 'record.json');
    const whole = readFileSync(record, 'latin1');
    edit(record, (text) => text.replace(/"webAuthorities": \[[^\]]*\]/, '"webAuthorities": []'));
    const {exit, error} = await renew();
    expect([exit, error?.code]).to.deep.equal([5, 'CLUSTER_UNTRUSTED']);
    expect(error?.detail).to.match(/could not be fetched again/);
    writeFileSync(record, whole);
    expect((await renew()).changed).to.equal(true);
  });

  for (const [what, shift] of [
    ['behind', -86_400_000],
    ['ahead', 86_400_000],
  ] as const)
    it(`with a clock that is a day ${what}: nothing is lost, and nothing is torn`, async () => {
      const clock = `data:text/javascript,${encodeURIComponent(shiftedClock(shift))}`;
      const late = (...words: string[]) =>
        agentless(['renew', '--data-dir', stage.dataDir, '--json', ...words], {
          env: {NODE_OPTIONS: `--import ${clock}`},
        });
      const before = await look();
      for (const words of [['--check'], []]) {
        const {status, stdout} = await late(...words);
        const {error} = JSON.parse(stdout) as Envelope;
        // A day is nothing in ten years; before its own beginning no certificate holds.
        expect(status, stdout).to.equal(shift > 0 ? 0 : 5);
        if (shift < 0)
          expect([`${error?.message} ${error?.detail}`, error?.hint].join('\n')).to.match(
            /not valid before .*this host's clock says.*\ncompare the clocks/,
          );
        expect(await look(), stdout).to.deep.equal(before);
      }
      if (shift < 0) {
        const online = ['--data-dir', stage.dataDir, '--online', '--json'];
        const {stdout} = await agentless(['status', ...online], {env: {NODE_OPTIONS: `--import ${clock}`}});
        const fixes = (JSON.parse(stdout) as Envelope).result.problems.map((one: {fix: string}) => one.fix);
        expect(fixes.join('\n'))
          .to.match(/^compare the clocks/m)
          .and.not.match(/authorities were rotated/);
      }
      expect((await renew('--check')).exit).to.equal(0);
      expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
    });

  it('ends in words that fit what was done', async () => {
    const said = async (...words: string[]) => {
      const {stdout} = await inProcess(['renew', '--data-dir', stage.dataDir, ...words]);
      return stdout.trim();
    };
    const again = `sudo agentless renew --repair --data-dir ${stage.dataDir}`;
    expect(await said()).to.equal('web1 is up to date; nothing to renew.');
    edit(stage.sshd.config, (text) => text.replace(/# BEGIN agentless[\s\S]*# END agentless\n/, ''));
    const lost = `Nothing is due on web1, but sshd does not read all of our lines:
  ${stage.sshd.config} lacks our lines, or has others; put them back with: ${again}`;
    expect(await said()).to.equal(lost);
    expect(await said('--check')).to.equal(lost);
    expect(await said('--repair')).to.equal(
      `Repaired web1. What was wrong:\n  ${stage.sshd.config} has our lines again`,
    );
    await rotate('host', 'init');
    const [due, list, ...under] = (await said('--check')).split('\n');
    expect([due, list]).to.deep.equal([
      'Due on web1:',
      `  ${stage.dataDir}/identity/authorities.pem is not as the cluster has it now`,
    ]);
    expect(under).to.deep.equal([
      'Under way: the host authority is being rotated (init): renew after update_clients and before standby',
    ]);
    expect(await said()).to.match(
      /^Renewed web1\. What was due:\n {2}\S+authorities\.pem .*\nUnder way: the host/,
    );
    expect(await said()).to.match(/^web1 is up to date; nothing to renew\.\nUnder way: the host/);
  });

  it('says which of three things is wrong with the node record', async () => {
    const record = async () => (await renew('--check')).result.due;
    stage.cluster.nodes().map(({id}) => stage.cluster.removeNode(id));
    expect(await record()).to.deep.equal(['the node record is missing']);
    expect((await renew()).changed).to.equal(true);
    edit(join(stage.dataDir, 'record.json'), (text) => text.replace('"labels": {', '"labels": {"a": "b"'));
    expect(await record()).to.deep.equal(['the node record has other labels than it should']);
    expect((await renew()).changed).to.equal(true);
    expect((await run(stage.words, ['--expires', '1h'])).exit).to.equal(0);
    edit(join(stage.dataDir, 'record.json'), (text) => text.replace('"expires": 3600', '"expires": 36000'));
    expect((await record())[0]).to.match(/^the node record ends on \d{4}-\S+Z$/);
  });

  it('of an ordinary user: it is for root, which is said before anything else', async function () {
    skipUnlessNobodyCanRunIt(this);
    chmodSync(stage.root, 0o755);
    const {status, stderr} = await agentless(['renew', '--data-dir', stage.dataDir], {prefix: NOBODY});
    expect([status, stderr]).to.deep.equal([
      6,
      `error: ${stage.dataDir} is for root only\nhint:  run this as root, with sudo\n`,
    ]);
  });

  it('refuses an interval that nothing can keep before it asks anybody', async () => {
    const before = stage.cluster.stats.connections;
    const {exit, error} = await renew('--install-timer', '--every', '7x');
    expect([exit, error?.code]).to.deep.equal([2, 'USAGE']);
    expect(stage.cluster.stats.connections).to.equal(before);
  });

  it('is right for names in capitals, and for a name that a second join changes', async () => {
    const named = ['--hostname', 'WEB2', '--additional-principals', 'Db.Example.COM'];
    const words = stage.words.filter((word, index, all) => ![word, all[index - 1]].includes('--hostname'));
    expect((await run(words, named)).changed).to.equal(true);
    expect(stage.cluster.nodes().map(({hostname}) => hostname)).to.deep.equal(['WEB2']);
    expect((await run(words, named)).changed).to.equal(false);
    expect((await renew('--check')).exit).to.equal(0);
    for (const name of ['WEB2', 'web2', 'Db.Example.COM', 'db.example.com']) {
      const {stdout, stderr} = await stage.loginByCertificate(name);
      expect(stdout, `${name}: ${stderr}`).to.equal('hello\n');
    }
    expect((await run(stage.words, [])).changed, 'and back').to.equal(true);
    expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
  });
});

/** What node calls the time, without the rest of the machine. */
function shiftedClock(milliseconds: number): string {
  return `const Real = Date; const now = () => Real.now() + ${milliseconds};
globalThis.Date = class Date extends Real {
  constructor(...parts) { if (parts.length === 0) super(now()); else super(...parts); }
  static now() { return now(); }
};`;
}
