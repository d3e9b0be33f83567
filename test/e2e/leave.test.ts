// Join and then leave: the whole tree is as it was, sshd serves what it served, and the cluster knows nothing of it.

import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {formatPublicKey, generateKey, publicBlob} from '../../src/ssh/key.js';
import {agentless} from '../support/cli.js';
import {schemaNamed, violations} from '../support/json-schema.js';
import {servedKeys} from '../support/served-keys.js';
import {patientConfig} from '../support/sshd-version.js';
import {Stage} from '../support/stage.js';
import {snapshot, Xattrs} from '../support/tree.js';

const isRoot = process.getuid?.() === 0;

describe('leave, end to end', function () {
  this.timeout(60_000);
  let stage: Stage;
  afterEach(() => stage.stop());

  /** Joins, has something done, leaves, and holds that nothing of it is left. */
  async function expectExactInverse(
    joinWords: readonly string[] = [],
    leaveWords: readonly string[] = [],
    meanwhile: () => Promise<unknown> = async () => undefined,
  ) {
    const before = await stage.host();
    const keys = await servedKeys(stage.sshd.port);
    const joined = await stage.joinJson(joinWords);
    expect(joined.exit, JSON.stringify(joined)).to.equal(0);
    await meanwhile();
    const left = await stage.leaveJson(leaveWords);
    expect(left.exit, JSON.stringify(left)).to.equal(0);
    expect(left.changed).to.equal(true);
    expect(violations(left.result, schemaNamed('leave'))).to.deep.equal([]);
    expect(left.result.left).to.deep.equal([]);
    expect(await stage.host()).to.deep.equal(before);
    expect(existsSync(stage.dataDir)).to.equal(false);
    expect(stage.cluster.nodes()).to.deep.equal([]);
    expect(await servedKeys(stage.sshd.port)).to.deep.equal(keys);
    return left;
  }

  it('leaves the host as it was, and nobody gets in by a certificate any more', async () => {
    stage = await Stage.start();
    const {warnings, result} = await expectExactInverse([], [], async () => {
      expect((await stage.loginByCertificate('web1')).stdout).to.equal('hello\n');
    });
    expect(warnings).to.deep.equal([]);
    expect(result.node).to.include({hostname: 'web1', removed: true});
    expect(result.restored).to.deep.equal([stage.sshd.config]);
    const refused = await stage.loginByCertificate('web1');
    expect(refused.status, refused.stderr).to.equal(255);
    const {port, hostKeys} = stage.sshd;
    // The client's certificate is of an authority that is trusted no more; the host key is known as ever.
    const plain = await stage.loginByPlainKey(hostKeys[0] ?? '');
    expect(plain.stderr, String(port)).to.include('Permission denied');
  });

  it('is done in one line the second time, and the next join starts afresh', async () => {
    stage = await Stage.quick();
    await expectExactInverse();
    const {status, stdout, stderr} = await stage.leave();
    expect({status, stdout, stderr}).to.deep.equal({
      status: 0,
      stdout: 'this host is not joined; nothing to do\n',
      stderr: '',
    });
    const {changed, result} = await stage.leaveJson(['--dry-run', '--exit-code']);
    expect({changed, result}).to.deep.equal({changed: false, result: {restored: [], removed: [], left: []}});
    await expectExactInverse();
  });

  it('tells each step and ends with one line', async () => {
    stage = await Stage.quick();
    await stage.join();
    const {stdout, stderr} = await stage.leave();
    expect(stdout).to.match(/^\nLeft dev\.example\. This host is as it was before \d{4}-\d\d-\d\d\.\n$/);
    const verbs = [...stderr.matchAll(/^ {2}(\w+) /gm)].map(([, verb]) => verb);
    expect(verbs).to.deep.equal(['look', 'cluster', 'restore', 'reload', 'prove', 'remove', 'unregister']);
    expect(stderr).to.include(`${stage.sshd.config} as it was`);
    expect(stderr).to.match(/remove +\S+\/etc\/agentless\/ \(\d files\), \S+\/identity\/ \(3 files\)/);
    expect(stderr).to.match(/sshd serves no certificate of ours; all 2 known host keys unchanged/);
  });

  it('shows in a dry run what it would do, and changes nothing', async () => {
    stage = await Stage.quick();
    await stage.join();
    const [host, data] = [await stage.host(), await snapshot(stage.dataDir)];
    const {status, stdout} = await stage.leave(['--dry-run', '--exit-code']);
    expect(status).to.equal(3);
    expect(stdout).to.match(/^Would leave dev\.example\. Nothing has been changed\.$/m);
    expect(stdout).to.match(/^- Include .*agentless\/sshd\.conf$/m);
    expect(stdout).to.match(/ssh_host_ed25519_key-cert\.pub \(removed\)$/m);
    expect(stdout).to.match(/^reload {5}pid \d+ \(SIGHUP\)$/m);
    expect(stdout).to.match(/^unregister node [0-9a-f-]{36}$/m);
    expect(stdout).to.include(`remove     ${stage.dataDir}\n`);
    expect(stdout).to.not.include('identity/key.pem');
    expect([await stage.host(), await snapshot(stage.dataDir)]).to.deep.equal([host, data]);
    expect(stage.cluster.nodes()).to.have.length(1);
    expect((await stage.leaveJson(['--dry-run'])).status).to.equal(0);
    const usage = await stage.leaveJson(['--exit-code']);
    expect(usage.error).to.include({code: 'USAGE', message: '--exit-code goes with --dry-run only'});
  });

  describe('on an unusual host', () => {
    const leaveFrom = (dataDir: string) => agentless(['leave', '--data-dir', dataDir]);
    const start = async (edit: (stock: string) => string = (text) => text): Promise<void> => {
      stage = await Stage.quick({sshd: {stock: edit(patientConfig())}});
    };

    it('with CR LF, odd bytes and no end of the last line', async () => {
      await start((text) => `${text}# gr\xfc\xdfe\nMatch User x\n  Banner none`);
      writeFileSync(stage.sshd.config, stage.config.replaceAll('\n', '\r\n'), 'latin1');
      await expectExactInverse();
    });

    it('whose sshd_config is a link: link, mode, owner, times and attributes stay', async () => {
      await start();
      const {config} = stage.sshd;
      const target = join(stage.root, 'etc/site/sshd_config.site');
      mkdirSync(join(stage.root, 'etc/site'));
      renameSync(config, target);
      symlinkSync('site/sshd_config.site', config);
      if (isRoot) chownSync(target, 1234, 4321);
      chmodSync(target, 0o640);
      const xattrs = await Xattrs.start(target);
      await xattrs?.set(target, 'user.origin', 'the site');
      utimesSync(target, 1_500_000_000.25, 1_500_000_000.5);
      await expectExactInverse();
      expect(readlinkSync(config)).to.equal('site/sshd_config.site');
      expect(lstatSync(target).mtimeMs).to.equal(1_500_000_000_500);
      const attributes = await xattrs?.of(target);
      xattrs?.stop();
      if (attributes !== undefined) expect(Object.keys(attributes)).to.include('user.origin');
    });

    it('that trusts a user authority of its own: sshd takes that file again', async () => {
      await start();
      const file = join(stage.root, 'etc/site_ca.pub');
      writeFileSync(file, `${formatPublicKey(publicBlob(generateKey('ed25519')))} site ca\n`);
      writeFileSync(stage.sshd.config, `TrustedUserCAKeys ${file}\n${stage.config}`, 'latin1');
      await expectExactInverse();
    });

    it('that was joined more than once, under other names and with keys that came and went', async () => {
      await start();
      await expectExactInverse([], [], async () => {
        expect((await stage.joinJson(['--additional-principals', 'db1.example.com'])).changed).to.equal(true);
        expect((await stage.joinJson(['--labels', 'a=b'])).changed).to.equal(true);
      });
    });

    it('whose data directory is deep, or was there before', async () => {
      await start();
      const deep = join(stage.root, 'one/two/three');
      const joined = await stage.joinWith({'data-dir': deep});
      expect(joined.status, joined.stderr).to.equal(0);
      expect((await leaveFrom(deep)).status).to.equal(0);
      expect(existsSync(join(stage.root, 'one'))).to.equal(false);
      mkdirSync(deep, {recursive: true, mode: 0o700});
      expect((await stage.joinWith({'data-dir': deep})).status).to.equal(0);
      expect((await leaveFrom(deep)).status).to.equal(0);
      expect(Object.keys(await snapshot(join(stage.root, 'one')))).to.deep.equal(['', 'two', 'two/three']);
    });

    it('where others have come to use a directory that was made for the data', async () => {
      await start();
      const data = join(stage.root, 'parent/data');
      expect((await stage.joinWith({'data-dir': data})).status).to.equal(0);
      writeFileSync(join(stage.root, 'parent/theirs'), 'x');
      expect((await leaveFrom(data)).status).to.equal(0);
      expect(Object.keys(await snapshot(join(stage.root, 'parent')))).to.deep.equal(['', 'theirs']);
      expect(readFileSync(join(stage.root, 'parent/theirs'), 'utf8')).to.equal('x');
      expect(existsSync(join(stage.root, '.parent.agentless-making'))).to.equal(false);
    });
  });

  describe('with sshd left alone', () => {
    it('does not reload: what sshd serves is as before, and said to be unproven', async () => {
      stage = await Stage.quick();
      const before = await stage.host();
      await stage.join();
      const keys = await servedKeys(stage.sshd.port);
      const {exit, warnings} = await stage.leaveJson(['--no-restart-sshd']);
      expect(exit).to.equal(0);
      expect(warnings.join('\n')).to.match(/sshd was not reloaded, as you asked/);
      expect(await stage.host()).to.deep.equal(before);
      const log = readFileSync(stage.sshd.log, 'latin1');
      expect(log.match(/Received SIGHUP/g), 'only the join did').to.have.length(1);
      expect(keys.size).to.equal(4);
    });

    it('needs no sshd that works', async () => {
      stage = await Stage.quick();
      await stage.join();
      writeFileSync(stage.sshd.config, `${stage.config}NoSuchKeyword yes\n`, 'latin1');
      const refused = await stage.leaveJson();
      expect([refused.exit, refused.error?.code]).to.deep.equal([6, 'SSHD_CONFIG_INVALID']);
      expect(refused.error?.detail).to.include('NoSuchKeyword');
      expect(refused.error?.hint).to.include('--no-restart-sshd');
      const {exit, warnings} = await stage.leaveJson(['--no-restart-sshd']);
      expect(exit).to.equal(0);
      expect(warnings.join('\n')).to.include(
        'sshd could not be looked at: sshd refuses its own configuration',
      );
      expect(stage.config).to.match(/^Port [\s\S]*\nNoSuchKeyword yes\n$/);
      expect(existsSync(join(stage.root, 'etc/agentless'))).to.equal(false);
      expect(existsSync(stage.dataDir)).to.equal(false);
    });

    it('does without a reload where sshd does not run, and says what is unproven', async () => {
      stage = await Stage.quick();
      const {'sshd.pid': _, ...before} = await stage.host();
      await stage.join();
      await stage.sshd.stop();
      const {exit, warnings} = await stage.leaveJson();
      expect(exit).to.equal(0);
      expect(warnings.join('\n')).to.include('sshd is not running');
      expect(await stage.host()).to.deep.equal(before);
    });
  });
});
