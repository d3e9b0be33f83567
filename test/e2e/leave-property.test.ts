// For any sshd_config tree that this sshd accepts, joining and leaving is the identity on the whole tree: content, mode,
// owner, times, attributes, links.

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import {tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {expect} from 'chai';
import fc from 'fast-check';
import {Failure, Secret} from '../../src/errors.js';
import {LocalHost} from '../../src/host/local.js';
import {join as joinCluster} from '../../src/operations/join.js';
import {leave} from '../../src/operations/leave.js';
import {renew} from '../../src/operations/renew.js';
import {clientOf} from '../support/cluster-client.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {RealSshd} from '../support/real-sshd.js';
import {snapshot, Xattrs} from '../support/tree.js';
import {type Generated, soundConfig} from '../unit/ssh/sshd-config-generators.js';
import '../support/properties.js';

const RUNS = 40;
const REWRITES = 12;
const BLOCK = /# BEGIN agentless[\s\S]*# END agentless\r?\n/;

interface Host extends Generated {
  /** A drop-in directory beside the main file, included at its top. */
  readonly dropIns: boolean;
  readonly linked: boolean;
  readonly mode: number;
}

describe('joining and leaving', function () {
  this.timeout(300_000);
  let cluster: TemporaryCluster;
  let sshd: RealSshd;
  let xattrs: Xattrs | undefined;
  let root: string;
  let number = 0;

  before(async () => {
    cluster = await temporaryCluster();
    sshd = new RealSshd();
    root = realpathSync(mkdtempSync(join(tmpdir(), 'agentless-')));
    xattrs = await Xattrs.start(root);
  });
  after(async () => {
    xattrs?.stop();
    sshd.remove();
    await cluster.stop();
    rmSync(root, {recursive: true, force: true});
  });

  /** Writes the tree; gives its directory. */
  async function build({main, files, dropIns, linked, mode}: Host): Promise<string> {
    const directory = join(root, String(++number));
    const put = (name: string, text: string): string => {
      const path = join(directory, name);
      mkdirSync(dirname(path), {recursive: true});
      writeFileSync(path, text.replaceAll('%DIR%', directory), 'latin1');
      utimesSync(path, 1_500_000_000.25, 1_500_000_000.5);
      return path;
    };
    for (const [name, text] of files) put(name, text);
    if (dropIns) put('sshd_config.d/50-site.conf', 'UseDNS no\n');
    const head = dropIns ? `Include ${directory}/sshd_config.d/*.conf\n` : '';
    const path = put(linked ? 'real/config' : 'sshd_config', `${head}HostKey ${sshd.keys[0]}\n${main}`);
    if (linked) symlinkSync('real/config', join(directory, 'sshd_config'));
    await xattrs?.set(path, 'user.origin', 'the site');
    chmodSync(path, mode);
    utimesSync(path, 1_400_000_000.25, 1_400_000_000.5);
    return directory;
  }

  const silent = {heading: () => undefined, step: () => undefined, warn: () => undefined};
  const tools = () => ({
    host: new LocalHost(),
    connect: async () => clientOf(cluster, {deadline: 30_000}),
    report: silent,
    confirm: async () => false,
    signal: new AbortController().signal,
  });

  /** False for a host that cannot be joined: it is untouched then, which other tests hold. */
  async function joined(config: string, dataDir: string): Promise<boolean> {
    try {
      await joinCluster(tools(), {
        proxy: cluster.proxy,
        admission: {by: 'token', token: new Secret(cluster.token)},
        hostname: `web${number}`,
        address: `127.0.0.1:${10_000 + number}`,
        config,
        dataDir,
        register: true,
        reload: true,
        proveLogins: [],
        dryRun: false,
        replace: true,
      });
      return true;
    } catch (error) {
      if (error instanceof Failure && error.exitCode === 6) return false;
      throw error;
    }
  }

  it(`is the identity on ${RUNS} trees`, async () => {
    let [done, blocks, dropIns] = [0, 0, 0];
    const hosts = fc
      .tuple(soundConfig(sshd.dialect), fc.boolean(), fc.boolean(), fc.constantFrom(0o644, 0o600, 0o640))
      .map(([config, withDropIns, linked, mode]): Host => {
        return {...config, dropIns: withDropIns && sshd.dialect.include, linked, mode};
      });
    await fc.assert(
      fc.asyncProperty(hosts, async (host) => {
        const directory = await build(host);
        const before = await snapshot(directory, xattrs);
        const [config, dataDir] = [join(directory, 'sshd_config'), join(directory, 'data')];
        if (!(await joined(config, dataDir))) return;
        const between = await snapshot(directory, xattrs);
        done += 1;
        if (Object.keys(between).some((path) => path.endsWith('agentless.conf'))) dropIns += 1;
        else blocks += 1;
        const {left} = await leave(tools(), {dataDir, local: false, reload: true, dryRun: false, yes: false});
        expect(left).to.deep.equal([]);
        expect(await snapshot(directory, xattrs)).to.deep.equal(before);
        expect(cluster.nodes()).to.deep.equal([]);
      }),
      {numRuns: RUNS, endOnFailure: true},
    );
    expect(done, 'hosts that could be joined').to.be.greaterThan(RUNS / 4);
    expect(blocks, 'by a block').to.be.greaterThan(5);
    if (sshd.dialect.include) expect(dropIns, 'by a drop-in').to.be.greaterThan(5);
  });

  it(`gives back what others have written last, over ${REWRITES} repaired trees`, async () => {
    const lines = fc.array(
      fc.constantFrom('MaxAuthTries 3', 'Banner none', '# a site', '', 'TrustedUserCAKeys none'),
      {minLength: 1, maxLength: 4},
    );
    const rewrites = fc.array(fc.record({lines, keep: fc.boolean(), mode: fc.constantFrom(0o644, 0o600)}), {
      minLength: 1,
      maxLength: 2,
    });
    let repaired = 0;
    await fc.assert(
      fc.asyncProperty(soundConfig(sshd.dialect), fc.boolean(), rewrites, async (generated, dropIns, all) => {
        const withDropIns = dropIns && sshd.dialect.include;
        const directory = await build({...generated, dropIns: withDropIns, linked: false, mode: 0o644});
        const [config, dataDir] = [join(directory, 'sshd_config'), join(directory, 'data')];
        const stock = readFileSync(config, 'latin1');
        if (!(await joined(config, dataDir))) return;
        let expected = '';
        for (const {lines, keep, mode} of all) {
          // Without the Include of a drop-in directory our lines need another place.
          const site = `${lines.join('\n')}\n${keep ? stock : stock.replace(/^Include .*\n/, '')}`;
          const [block = ''] = BLOCK.exec(readFileSync(config, 'latin1')) ?? [];
          writeFileSync(config, keep ? site.replace(/\n/, `\n${block}`) : site, 'latin1');
          chmodSync(config, mode);
          expected = site;
          const wish = {dataDir, check: false, repair: true, fewerNames: false, reload: true};
          if ((await renew(tools(), wish)).changed) repaired += 1;
        }
        const before = await snapshot(directory, xattrs);
        await leave(tools(), {dataDir, local: false, reload: true, dryRun: false, yes: false});
        const after = await snapshot(directory, xattrs);
        expect(after['sshd_config']).to.deep.include({
          content: expected,
          mode: before['sshd_config']?.mode,
          ...(xattrs !== undefined && {xattrs: before['sshd_config']?.xattrs}),
        });
        const ours = Object.keys(after).filter((path) => /agentless|^data/.test(path));
        expect(ours).to.deep.equal([]);
      }),
      {numRuns: REWRITES, endOnFailure: true},
    );
    expect(repaired, 'repairs that had something to do').to.be.greaterThan(REWRITES / 3);
  });
});
