// A host that others have joined is taken over: the same node, the same keys, and from then on ours to leave.

import {spawn} from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {Code} from '@connectrpc/connect';
import {expect} from 'chai';
import type {ClusterOptions} from '../../src/devcluster/index.js';
import {signCertificate} from '../../src/ssh/certificate.js';
import {formatPublicKey, generateKey, opensshPrivateKey, publicBlob} from '../../src/ssh/key.js';
import {agentless, type CliOptions} from '../support/cli.js';
import {temporaryCluster} from '../support/dev-cluster.js';
import {withFlags} from '../support/flags.js';
import {
  type FormerHost,
  groundOf,
  joinByHand,
  joinByTeleport,
  LABELS,
  reload,
} from '../support/former-join.js';
import {ALICE, speaking} from '../support/identity.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {servedKeys} from '../support/served-keys.js';
import {ssh} from '../support/ssh-client.js';
import {type Envelope, envelope, Stage} from '../support/stage.js';
import {snapshot} from '../support/tree.js';

type Ran = Envelope & {readonly stderr: string; readonly exit: number | null};

const ADMISSIONS = 'POST /webapi/host/credentials';

describe('adopt', function () {
  this.timeout(120_000);
  this.slow(8000);
  let hooks: Partial<ClusterOptions>;
  let stage: Stage;
  let teleport: string;
  let identity: string;

  beforeEach(async () => {
    hooks = {lag: false, limits: false};
    stage = await Stage.quick({cluster: hooks});
    teleport = join(stage.root, 'teleport');
    identity = join(stage.root, 'alice.id');
    writeFileSync(identity, await stage.cluster.identity(ALICE), {mode: 0o600});
  });
  afterEach(() => stage.stop());

  const words = () => ['adopt', ...stage.words.slice(2)];
  async function adopt(more: readonly string[] = [], options: CliOptions = {}): Promise<Ran> {
    const ran = envelope(await agentless([...words(), ...more, '--json'], options));
    expect(ran.exit, JSON.stringify(ran)).to.equal(ran.status);
    if (ran.error === undefined)
      expect(violations(ran.result, schemaNamed('adopt')), JSON.stringify(ran.result)).to.deep.equal([]);
    return ran;
  }
  const byIdentity = (more: readonly string[] = []) => adopt(['--identity', identity, ...more]);
  const byToken = (more: readonly string[] = []) =>
    adopt(['--token', '-', ...more], {input: stage.cluster.token});
  const admissions = () => stage.cluster.stats.requests[ADMISSIONS] ?? 0;

  async function formerly(how: (stage: Stage) => Promise<FormerHost>): Promise<FormerHost> {
    const former = await how(stage);
    await reload(stage);
    await logsIn('before');
    return former;
  }
  const byTeleport = () => formerly((it) => joinByTeleport(groundOf(it), teleport));

  async function logsIn(what: string, host = 'web1'): Promise<void> {
    const {stdout, stderr} = await stage.loginByCertificate(host);
    expect(stdout, `${what}: ${stderr}`).to.equal('hello\n');
  }
  const plain = (line: string) => line.split(' ').slice(0, 2).join(' ');
  const own = (type: string) => plain(stage.sshd.hostKeys.find((line) => line.startsWith(type)) ?? '');

  /** All that an adoption could touch, and the records of the cluster. */
  const everything = async () => ({
    host: await stage.host(),
    teleport: existsSync(teleport) ? await snapshot(teleport) : {},
    data: existsSync(stage.dataDir),
    nodes: stage.cluster.nodes(),
    served: [...(await servedKeys(stage.sshd.port))].sort(),
  });

  for (const [name, run, admitted] of [
    ['an identity', byIdentity, 1],
    ['a token', byToken, 1],
  ] as const) {
    it(`takes over what \`teleport join openssh\` has made, with ${name}, and leaves`, async () => {
      const {id, key, keyFile} = await byTeleport();
      const [directory, earlier, config] = [await snapshot(teleport), admissions(), stage.config];
      const {exit, result, warnings} = await run();
      expect(exit).to.equal(0);
      expect(result.node).to.deep.include({id, hostname: 'web1', labels: LABELS, registered: true});
      expect(result.names).to.include('old-name.example.com');
      const include = {file: stage.sshd.config, line: 1, text: `Include ${teleport}/sshd.conf`};
      expect(result.adopted).to.deep.include({
        by: 'teleport',
        lines: [include],
        hostKeys: [keyFile],
        record: 'kept',
      });
      expect(result.adopted.unused).to.include(join(teleport, 'proc')).and.to.not.include(keyFile);
      expect(warnings.join('\n')).to.match(
        /ssh_host_ecdsa_key is not served: .*ssh_host_teleport_key comes first/,
      );
      expect(stage.cluster.nodes().map((node) => [node.id, node.labels])).to.deep.equal([[id, LABELS]]);
      expect(admissions() - earlier, 'one admission does').to.equal(admitted);

      expect(stage.config).to.not.include(`Include ${teleport}`);
      expect(stage.config).to.include(`HostKey ${keyFile}\n`);
      const served = await servedKeys(stage.sshd.port);
      expect([...served].map(plain)).to.include.members([key, own('ssh-ed25519')]);
      expect(result.certificates.map((one: {key: string}) => one.key)).to.have.members([
        keyFile,
        join(stage.root, 'etc/ssh_host_ed25519_key'),
      ]);
      await logsIn('after');
      await logsIn('by a name that only the old certificate had', 'old-name.example.com');
      await logsIn('by its id', id);
      expect((await stage.loginByPlainKey(key)).stdout).to.equal('hello\n');
      expect((await stage.loginByPlainKey(own('ssh-ed25519'))).stdout).to.equal('hello\n');
      const ed25519 = await stage.loginByCertificate('web1', [
        'HostKeyAlgorithms=ssh-ed25519-cert-v01@openssh.com',
      ]);
      expect(ed25519.stdout, 'the own key has a certificate').to.equal('hello\n');

      expect((await adopt()).changed, 'once more').to.equal(false);
      const ours = ['--data-dir', stage.dataDir, '--json'];
      expect(envelope(await agentless(['renew', ...ours]))).to.include({exit: 0, changed: false});
      const status = envelope(await agentless(['status', ...ours]));
      expect(status.result.problems, JSON.stringify(status.result)).to.deep.equal([]);
      expect((await agentless([...stage.words, '--json'])).stdout).to.include('"changed":false');
      expect(await snapshot(teleport), "Teleport's directory is as it was").to.deep.equal(directory);

      const left = await stage.leaveJson();
      expect({exit: left.exit, left: left.result.left}).to.deep.equal({exit: 0, left: []});
      expect(stage.cluster.nodes()).to.deep.equal([]);
      expect(existsSync(stage.dataDir)).to.equal(false);
      expect(existsSync(join(stage.root, 'etc/agentless'))).to.equal(false);
      expect(stage.config).to.equal(
        config.replace(/^Include .*\n/, `# Host keys that clients know\nHostKey ${keyFile}\n`),
      );
      expect((await stage.loginByCertificate('web1')).status, 'in no cluster').to.not.equal(0);
      const keys = [...(await servedKeys(stage.sshd.port))].map(plain);
      expect(keys).to.have.members([key, own('ssh-ed25519')]);
    });
  }

  it('takes over what was made by hand, and finds the record by the address where nothing tells its id', async () => {
    const {id, key, keyFile} = await formerly((it) => joinByHand(groundOf(it)));
    const [earlier, config] = [admissions(), stage.config];
    const {exit, result} = await byToken();
    expect(exit).to.equal(0);
    expect(result.node).to.deep.include({id, labels: LABELS});
    expect(result.adopted).to.deep.include({by: 'hand', record: 'kept', hostKeys: []});
    expect(result.adopted.lines.map((one: {text: string}) => one.text.split(' ')[0])).to.have.members([
      'TrustedUserCAKeys',
      'HostCertificate',
    ]);
    expect(result.adopted.unused).to.have.members([
      `${keyFile}-cert.pub`,
      join(stage.root, 'etc/teleport_openssh_ca.pub'),
    ]);
    expect(result.userAuthorities.own, 'the key of the cluster is nothing of the site').to.equal(0);
    expect(admissions() - earlier, 'one to look, one as the node that was found').to.equal(2);
    expect(stage.cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
    await logsIn('after');
    expect((await stage.loginByPlainKey(key)).stdout).to.equal('hello\n');
    expect((await stage.leaveJson()).exit).to.equal(0);
    expect(stage.config).to.equal(
      config.replace(/^(TrustedUserCAKeys|HostCertificate) .*(etc|myhost).*\n/gm, ''),
    );
    expect((await stage.loginByCertificate('web1')).status).to.not.equal(0);
    expect([...(await servedKeys(stage.sshd.port))].map(plain), "its line is the site's").to.include(key);
  });

  it('takes the id from a certificate made by hand, and keeps it without writing a record', async () => {
    const named = '0b9c1e0e-52c4-4d43-9a8e-0d1f2b3c4d5e';
    await formerly((it) => joinByHand(groundOf(it), {names: ['web1', named]}));
    for (const {id} of stage.cluster.nodes()) stage.cluster.removeNode(id);
    const {exit, result} = await byToken(['--no-register']);
    expect(exit).to.equal(0);
    expect(result.node).to.deep.include({id: named, registered: false});
    expect(result.adopted.record).to.equal('absent');
    expect(stage.cluster.nodes()).to.deep.equal([]);
    await logsIn('after', named);
  });

  it('takes lines out of a file that is included, Match blocks and all, and other authorities stay trusted', async () => {
    const dropIn = join(stage.root, 'etc/sshd_config.d/50-teleport.conf');
    const bob = generateKey('ed25519');
    const others = ['# of the site', formatPublicKey(publicBlob(bob))];
    mkdirSync(join(stage.root, 'etc/sshd_config.d'));
    writeFileSync(dropIn, 'Match User nobody-here\n  X11Forwarding no\n');
    writeFileSync(
      stage.sshd.config,
      `${stage.config}\nMatch all\nInclude ${stage.root}/etc/nothing/*.conf\n`,
    );
    const head = `Include ${join(stage.root, 'etc/sshd_config.d/*.conf')}\n`;
    writeFileSync(stage.sshd.config, head + stage.config);
    const {id} = await formerly((it) => joinByHand(groundOf(it), {dropIn, others}));
    const logsInByOther = async () => {
      const user = generateKey('ed25519');
      const file = join(stage.root, 'client', `bob-${Math.random().toString(36).slice(2)}`);
      const now = BigInt(Math.floor(Date.now() / 1000));
      const fields = {type: 'user', key: publicBlob(user), principals: [stage.login]} as const;
      writeFileSync(file, await opensshPrivateKey(user), {mode: 0o600});
      const period = {validAfter: now - 60n, validBefore: now + 600n};
      writeFileSync(`${file}-cert.pub`, `${signCertificate({...fields, ...period}, bob)}\n`);
      const knownHost = `[127.0.0.1]:${stage.sshd.port} ${own('ssh-ed25519')}`;
      const {port} = stage.sshd;
      const what = {
        directory: join(stage.root, 'client'),
        port,
        identity: file,
        login: stage.login,
        knownHost,
      };
      return (await ssh({...what, options: ['HostKeyAlgorithms=ssh-ed25519']})).stdout;
    };
    expect(await logsInByOther()).to.equal('hello\n');
    const {exit, result} = await byIdentity();
    expect(exit).to.equal(0);
    expect(result.node.id).to.equal(id);
    expect(result.userAuthorities.own).to.equal(1);
    expect(readFileSync(dropIn, 'latin1')).to.match(
      /^# Teleport\nTrustedUserCAKeys .*\nHostKey .*\nMatch User nobody-here\n {2}X11Forwarding no\n$/,
    );
    const authorities = join(stage.root, 'etc/teleport_openssh_ca.pub');
    expect(readFileSync(authorities, 'latin1')).to.equal(others.map((line) => `${line}\n`).join(''));
    await logsIn('after');
    expect(await logsInByOther()).to.equal('hello\n');
    expect((await stage.leaveJson()).exit).to.equal(0);
    expect((await stage.loginByCertificate('web1')).status).to.not.equal(0);
    expect(await logsInByOther(), 'left').to.equal('hello\n');
  });

  it('shows in a dry run what would be done, with nothing but a look at the host', async () => {
    await byTeleport();
    const [before, earlier] = [await everything(), admissions()];
    const {exit, changed, result} = await adopt(['--dry-run']);
    expect({exit, changed}).to.deep.equal({exit: 0, changed: true});
    expect(result.preview)
      .to.match(/^Would take over the join of web1 to dev\.example/)
      .and.to.include(`- Include ${teleport}/sshd.conf`)
      .and.to.include(`+ HostKey ${teleport}/openssh/ssh_host_teleport_key`);
    expect(result.adopted.record).to.equal('unknown');
    const drift = await byIdentity(['--dry-run', '--exit-code']);
    expect([drift.exit, drift.result.adopted.record]).to.deep.equal([3, 'kept']);
    expect(await everything()).to.deep.equal(before);
    expect(admissions()).to.equal(earlier);
  });

  it('keeps of the record what no flag says otherwise', async () => {
    const {id} = await byTeleport();
    const argv = withFlags(words(), {hostname: 'web2', labels: 'env=test', identity});
    const {exit, result} = envelope(await agentless([...argv, '--json']));
    expect(exit).to.equal(0);
    expect(result.node).to.deep.include({id, hostname: 'web2', labels: {env: 'test'}});
    expect(stage.cluster.nodes().map((node) => node.hostname)).to.deep.equal(['web2']);
    await logsIn('by its new name', 'web2');
  });

  it('changes nothing where the record cannot be written', async () => {
    await byTeleport();
    const before = await everything();
    hooks.testOnlyCall = (name) =>
      name.endsWith('/UpsertNode') ? {code: Code.PermissionDenied, message: 'no'} : undefined;
    for (const run of [byIdentity, byToken]) {
      const {exit, error} = await run();
      expect({exit, restored: error?.restored}, JSON.stringify(error)).to.deep.equal({
        exit: 7,
        restored: true,
      });
      expect(await everything()).to.deep.equal(before);
    }
  });

  it('changes nothing where a signal comes after sshd was told', async () => {
    await byTeleport();
    const before = await everything();
    const told = join(stage.root, 'told');
    const pid = readFileSync(join(stage.root, 'etc/sshd.pid'), 'latin1').trim();
    // Putting things back runs it once more.
    const once = `[ -e ${told} ] || { touch ${told}; kill -TERM $PPID; }`;
    const restart = `kill -HUP ${pid} && { ${once}; }`;
    const {exit, error} = await byIdentity(['--sshd-restart-command', restart]);
    expect([exit, error?.restored], JSON.stringify(error)).to.deep.equal([130, true]);
    expect(existsSync(told)).to.equal(true);
    expect(await everything()).to.deep.equal(before);
    await logsIn('still');
  });

  it('takes over without any token, and says what it has done', async () => {
    const {id, keyFile} = await byTeleport();
    const earlier = admissions();
    const {status, stdout, stderr} = await agentless([...words(), '--manual', '--identity', identity]);
    expect(status, stderr).to.equal(0);
    expect(admissions()).to.equal(earlier);
    expect(stdout)
      .to.include(`Adopted web1 as node ${id} of dev.example.`)
      .and.to.include(`Serves for good:   ${keyFile}`)
      .and.to.match(/No longer needed: .*\/teleport\/proc/);
    expect(stderr)
      .to.match(/^Adopting web1 through /m)
      .and.to.match(/ find +.*\/sshd\.conf of `teleport join openssh`; node /);
    await logsIn('after');
    const again = await agentless([...words(), '--manual', '--identity', identity]);
    expect(again.stdout).to.equal(
      '\nweb1 is joined to dev.example and adopted already; nothing to change.\n',
    );
    const left = await stage.leave(['--identity', identity]);
    expect(left.stdout).to.include('It had been joined before it was adopted; that is not put back.');
    expect(stage.cluster.nodes()).to.deep.equal([]);
  });

  it('leaves a link to sshd_config a link, and the mode that Teleport has given the file', async () => {
    const real = join(stage.root, 'etc/real_config');
    const {id} = await formerly((it) => joinByTeleport(groundOf(it), teleport));
    renameSync(stage.sshd.config, real);
    symlinkSync(real, stage.sshd.config);
    const {exit, result} = await byIdentity();
    expect([exit, result.node.id]).to.deep.equal([0, id]);
    const isAsBefore = () =>
      expect([readlinkSync(stage.sshd.config), statSync(real).mode & 0o777]).to.deep.equal([real, 0o600]);
    isAsBefore();
    await logsIn('after');
    expect((await stage.leaveJson()).exit).to.equal(0);
    isAsBefore();
    expect(stage.config).to.match(/^# Host keys that clients know\nHostKey /);
  });

  it('makes a record where the earlier join has none left, and says so', async () => {
    const {id} = await byTeleport();
    stage.cluster.removeNode(id);
    const {exit, result, warnings} = await byToken();
    expect([exit, result.node.id, result.adopted.record]).to.deep.equal([0, id, 'absent']);
    expect(warnings.join('\n')).to.include(
      `the cluster has no record of this host: a new one is made, ${id}`,
    );
    expect(stage.cluster.nodes().map((node) => node.id)).to.deep.equal([id]);
  });

  it('refuses a host that has nothing to adopt, with what to do instead', async () => {
    const before = await everything();
    const {exit, error} = await byToken();
    expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
    expect(error?.message).to.match(/^there is nothing to adopt/);
    expect(error?.hint).to.include('join openssh');
    expect(await everything()).to.deep.equal(before);
  });

  it('refuses a host that an agent serves from the same directory', async () => {
    await byTeleport();
    const before = await everything();
    const program = join(stage.root, 'teleport-bin/teleport');
    mkdirSync(join(stage.root, 'teleport-bin'));
    writeFileSync(program, '#!/bin/sh\necho up\nread forever\n', {mode: 0o755});
    const started = async (...argv: string[]) => {
      const child = spawn(program, argv, {stdio: ['pipe', 'pipe', 'ignore']});
      await new Promise((resolve) => child.stdout.once('data', resolve));
      return child;
    };
    const agent = await started('start', '--data-dir', teleport);
    try {
      const {exit, error} = await byIdentity();
      expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
      expect(error?.message).to.include('a Teleport agent runs on this host');
      expect(error?.hint).to.include('systemctl disable --now teleport');
      expect(await everything()).to.deep.equal(before);
    } finally {
      agent.kill();
    }
    const proxy = await started('start', '--roles=proxy,auth', '--data-dir', teleport);
    try {
      expect((await byIdentity()).exit, "one without the SSH service is in nobody's way").to.equal(0);
    } finally {
      proxy.kill();
    }
  });

  it('refuses a host that Teleport has joined to another cluster', async () => {
    await byTeleport();
    const before = await everything();
    await using other = await temporaryCluster({name: 'other.test'});
    const file = join(stage.root, 'eve.id');
    writeFileSync(file, await other.identity(ALICE), {mode: 0o600});
    const argv = withFlags(words(), {'proxy-server': other.proxy, 'ca-file': other.caFile});
    const {exit, error} = envelope(await agentless([...argv, '--identity', file, '--json']));
    expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
    expect(error?.message).to.equal('Teleport has joined this host to dev.example, not to other.test');
    expect(await everything()).to.deep.equal(before);
    expect(other.nodes()).to.deep.equal([]);
  });

  it("refuses a record that is an agent's, and several that could be meant", async () => {
    const {id} = await formerly((it) => joinByHand(groundOf(it)));
    await using alice = await speaking(stage.cluster);
    const [node] = stage.cluster.nodes();
    if (node === undefined) expect.fail('there is no record');
    await alice.operator.putNode({...node, id: '11111111-2222-4333-8444-555555555555'});
    const before = await everything();
    for (const run of [byIdentity, byToken]) {
      const {exit, error} = await run();
      expect([exit, error?.code]).to.deep.equal([4, 'NODE_EXISTS']);
      expect(error?.detail).to.include(id).and.to.include('11111111-');
    }
    stage.cluster.removeNode('11111111-2222-4333-8444-555555555555');
    await alice.operator.putNode({...node, subKind: ''});
    const {exit, error} = await byIdentity();
    expect([exit, error?.code]).to.deep.equal([4, 'NODE_EXISTS']);
    expect(error?.message).to.include('that of an agent');
    const {nodes: _, ...host} = await everything();
    expect(before).to.deep.include(host);
  });

  it('refuses a host of ours that others have joined since, until it has left', async () => {
    expect((await stage.joinJson()).exit).to.equal(0);
    const {id} = await byTeleport();
    const before = await everything();
    const {exit, error} = await byIdentity();
    expect([exit, error?.code]).to.deep.equal([6, 'HOST_UNSUITABLE']);
    expect(error?.hint).to.include('agentless leave');
    expect(await everything()).to.deep.include({host: before.host, served: before.served});
    expect((await stage.leaveJson()).exit).to.equal(0);
    const adopted = await byIdentity();
    expect([adopted.exit, adopted.result.node.id]).to.deep.equal([0, id]);
    await logsIn('after');
  });
});
