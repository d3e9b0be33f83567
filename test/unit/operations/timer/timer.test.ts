import {existsSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../../src/errors.js';
import {timerUnits} from '../../../../src/operations/emit/timer-units.js';
import {parseInterval} from '../../../../src/operations/timer/interval.js';
import {
  type InstallWish,
  installTimer,
  removeTimer,
  type TimerTools,
} from '../../../../src/operations/timer.js';
import {apply} from '../../../../src/plan/plan.js';
import {failure} from '../../../support/cluster-client.js';
import {PrivateHost} from '../../../support/private-host.js';
import {makeTimerHost, placesIn} from '../../../support/timer-scene.js';
import {snapshot} from '../../../support/tree.js';

describe('installing and removing a timer', () => {
  let scene: PrivateHost;
  let said: string[];
  let controller: AbortController;
  // The program is this test's node, and any script that lies where it will stay.
  const invocation = {
    node: '/usr/bin/env',
    options: [],
    script: '/bin/sh',
    env: {HTTPS_PROXY: undefined} as Record<string, string | undefined>,
  };

  beforeEach(async () => {
    scene = new PrivateHost();
    said = [];
    controller = new AbortController();
    scene.configure([scene.key('host')]);
    await makeTimerHost(scene.root);
  });
  afterEach(() => scene[Symbol.dispose]());

  /** A record of a join in the data directory of this scene. */
  async function join_(more: object = {}): Promise<void> {
    const settings = {
      cluster: 'example.com',
      proxy: 'proxy.example.com:443',
      nodeId: '0b9c1e0e-0d5e-4a4e-8f39-1b1b6f9d2f0e',
      hostname: 'web1',
      address: '127.0.0.1:22',
      labels: {},
      additionalPrincipals: [],
      config: scene.config,
      registered: true,
      ...more,
    };
    const to = {kind: 'file', bytes: Buffer.from('x')} as const;
    await apply(scene.host, [{kind: 'path', path: scene.at('mark'), to, why: 'test'}], {
      dataDir: scene.dataDir,
      operation: 'join openssh',
      settings,
    });
  }

  const tools = (): TimerTools => ({
    host: scene.host,
    signal: controller.signal,
    places: placesIn(scene.root),
    report: {
      heading: () => undefined,
      step: (verb, text) => said.push(`${verb} ${text.replace(`${scene.root}/`, '')}`),
      warn: (text) => said.push(`warning: ${text}`),
    },
  });
  const install = (rest: Partial<InstallWish> = {}) =>
    installTimer(tools(), {dataDir: scene.dataDir, invocation, dryRun: false, ...rest});
  const remove = (dryRun = false) => removeTimer(tools(), {dataDir: scene.dataDir, dryRun});
  const timer = () => scene.at('etc/systemd/system/agentless-renew.timer');

  it('is refused on a host that keeps no credential, for nobody could renew it', async () => {
    await join_({identity: 'discarded'});
    const refused = await failure(install());
    expect(refused).to.include({code: 'USAGE'});
    expect(refused.hint).to.include('renew --identity');
    expect(await scene.host.look(timer())).to.equal(undefined);
  });

  it('goes hourly by itself, tells what it does, and keeps an interval that was chosen', async () => {
    await join_();
    expect(await install()).to.deep.include({changed: true});
    expect(said).to.deep.equal([
      'write etc/systemd/system/agentless-renew.service',
      'write etc/systemd/system/agentless-renew.timer',
      'run systemctl daemon-reload',
      'run agentless-renew.timer enabled',
    ]);
    expect((await install({every: parseInterval('15m')})).timer.every).to.equal('15m');
    const before = await snapshot(scene.root);
    expect(await install()).to.deep.include({changed: false});
    expect(await snapshot(scene.root)).to.deep.equal(before);
    expect((await remove()).timer.text).to.equal('none');
    expect((await remove()).changed).to.equal(false);
  });

  it('is what `emit systemd-timer` prints, which changes nothing', async () => {
    await join_();
    const before = await snapshot(scene.root);
    const wish = {dataDir: scene.dataDir, every: parseInterval('6h'), invocation};
    const emitted = await timerUnits(tools(), wish);
    expect(await snapshot(scene.root)).to.deep.equal(before);
    await install({every: parseInterval('6h')});
    expect(emitted).to.have.length(2);
    for (const {path, text} of emitted) expect(readFileSync(path, 'utf8')).to.equal(text);
  });

  it('is printed for a host that has joined and keeps a credential, or for one whose id is given', async () => {
    const every = parseInterval('1h');
    const units = (more: object = {}) =>
      timerUnits(tools(), {dataDir: scene.dataDir, every, invocation, ...more});
    expect(await failure(units())).to.include({code: 'NOT_JOINED'});
    const nodeId = '0b9c1e0e-0d5e-4a4e-8f39-1b1b6f9d2f0e';
    const [service, timer] = await units({nodeId, program: ['/usr/bin/agentless', 'a b']});
    expect(service?.text).to.match(/^ExecStart=\/usr\/bin\/agentless "a b" renew --data-dir \S+$/m);
    await join_({identity: 'discarded'});
    expect(await failure(units())).to.include({code: 'USAGE'});
    expect((await units({nodeId}))[1]).to.deep.equal(timer);
  });

  it('keeps the settings of the join', async () => {
    await join_();
    await install();
    const record = JSON.parse(readFileSync(join(scene.dataDir, 'record.json'), 'utf8'));
    expect(record.settings).to.include({
      nodeId: '0b9c1e0e-0d5e-4a4e-8f39-1b1b6f9d2f0e',
      config: scene.config,
    });
    expect(record.operation).to.equal('renew --install-timer');
  });

  it('shows what it would do, and does not', async () => {
    await join_();
    const {changed, preview, timer: report} = await install({dryRun: true});
    expect([changed, report.text, existsSync(timer())]).to.deep.equal([true, 'none', false]);
    expect(preview).to.include(`${timer()} (new, 0644 root:root)`).and.to.include('+ Persistent=true');
    expect(preview).to.match(/run {8}agentless-renew\.timer enabled$/);
    await install();
    expect((await install({dryRun: true})).preview).to.match(/^Nothing would change\./);
    expect((await remove(true)).preview).to.include(`${timer()} (removed)`);
    expect(existsSync(timer())).to.equal(true);
  });

  it('warns of what the timer will not see, without its value', async () => {
    await join_();
    await install({invocation: {...invocation, env: {HTTPS_PROXY: 'http://user:s3cret@proxy:3128'}}});
    const [warning] = said;
    expect(warning).to.equal(
      'warning: the timer does not see HTTPS_PROXY of this shell; put it into /etc/default/agentless (mode 0600)',
    );
    const files = await snapshot(scene.root);
    expect(JSON.stringify(files)).to.not.include('s3cret');
  });

  it('is refused on a host that is not joined, and by a program that will not stay', async () => {
    for (const work of [install, remove]) {
      const error: unknown = await work().catch((reason: unknown) => reason);
      expect(error).to.be.instanceOf(Failure).and.to.include({code: 'HOST_UNSUITABLE'});
      expect((error as Failure).message).to.include('not joined');
    }
    await join_();
    const before = await snapshot(scene.root);
    const error: unknown = await install({invocation: {...invocation, script: scene.at('mark')}}).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.include({code: 'HOST_UNSUITABLE'});
    expect(await snapshot(scene.root)).to.deep.equal(before);
  });

  it('is undone when systemd refuses, with its words', async () => {
    await join_();
    const {systemctl} = placesIn(scene.root);
    renameSync(systemctl, `${systemctl}.real`);
    const refuses = `case "$1" in enable) echo 'Access denied' >&2; exit 4 ;; esac\nexec "$0.real" "$@"`;
    writeFileSync(systemctl, `#!/bin/sh\n${refuses}\n`, {mode: 0o755});
    const before = await snapshot(scene.root);
    const error: unknown = await install().catch((reason: unknown) => reason);
    expect(error).to.include({code: 'CHANGE_FAILED', restored: true, detail: 'Access denied'});
    expect((error as Failure).message).to.match(/^agentless-renew\.timer enabled: .* ended with status 4$/);
    expect(await snapshot(scene.root)).to.deep.equal(before);
  });
});
