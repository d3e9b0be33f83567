import {spawnSync} from 'node:child_process';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {expect} from 'chai';
import {Failure} from '../../../../src/errors.js';
import {LocalHost} from '../../../../src/host/local.js';
import {lookAtSchedulers, readSchedulers} from '../../../../src/host/scheduler.js';
import {describeTimer} from '../../../../src/operations/timer/describe.js';
import {parseInterval} from '../../../../src/operations/timer/interval.js';
import {planNoTimer, planTimer, renderService, renderTimer} from '../../../../src/operations/timer/plan.js';
import {dataDirIn} from '../../../support/join-like-plan.js';
import {skip} from '../../../support/skip.js';
import {carryOut, makeTimerHost, placesIn, recordIn, timerSteps} from '../../../support/timer-scene.js';
import {temporaryTree} from '../../../support/tree.js';

const host = new LocalHost();

describe('the plan of a timer', () => {
  let root: string;
  beforeEach(async () => {
    root = temporaryTree();
    await makeTimerHost(root);
  });
  afterEach(() => rmSync(root, {recursive: true}));

  const at = (path: string) => join(root, path);
  const read = (path: string) => readFileSync(at(path), 'utf8');
  const UNITS = 'etc/systemd/system';
  const wish = (rest = {}) => ({
    every: parseInterval('1h'),
    program: ['/usr/bin/node', '/usr/local/bin/agentless'] as const,
    dataDir: dataDirIn(root),
    nodeId: 'node-1',
    ...rest,
  });

  it('writes both units, has systemd load them, and enables the timer; the words are ours alone', async () => {
    const steps = await carryOut(host, root, {install: '1h'});
    expect(steps.map((step) => (step.kind === 'path' ? step.path : step.why))).to.deep.equal([
      at(`${UNITS}/agentless-renew.service`),
      at(`${UNITS}/agentless-renew.timer`),
      'systemctl daemon-reload',
      'agentless-renew.timer enabled',
    ]);
    const words = `/usr/bin/node /usr/local/bin/agentless renew --data-dir ${dataDirIn(root)}`;
    expect(read(`${UNITS}/agentless-renew.service`)).to.include(`\nExecStart=${words}\n`);
    expect(await describeTimer(host, placesIn(root))).to.include({
      kind: 'systemd',
      every: '1h',
      active: true,
    });
  });

  it('has nothing to do the second time, and only what is needed afterwards', async () => {
    await carryOut(host, root, {install: '1h'});
    expect(await timerSteps(root, '1h')).to.deep.equal([]);
    expect((await timerSteps(root, '2h')).map((step) => step.why)).to.deep.equal([
      'runs it every 2h',
      'systemctl daemon-reload',
      'agentless-renew.timer restarted',
    ]);
    spawnSync(placesIn(root).systemctl, ['stop', 'agentless-renew.timer']);
    expect((await timerSteps(root, '1h')).map((step) => step.why)).to.deep.equal([
      'agentless-renew.timer enabled',
    ]);
  });

  it('takes out what it has put in, and forgets what would have taken it back', async () => {
    await carryOut(host, root, {install: '1h'});
    expect((await recordIn(root)).lasting).to.have.length(1);
    await carryOut(host, root, {install: '2h'});
    expect((await recordIn(root)).lasting).to.have.length(1);
    await carryOut(host, root, 'remove');
    const record = await recordIn(root);
    expect([record.lasting, record.changes.map(({path}) => path)]).to.deep.equal([
      undefined,
      [at('etc/joined')],
    ]);
    const none = await planNoTimer(host, {record, places: placesIn(root)}, dataDirIn(root));
    expect(none).to.deep.equal({steps: [], left: []});
    await carryOut(host, root, 'leave');
  });

  it('leaves a unit that others have edited, switched off, and says so', async () => {
    await carryOut(host, root, {install: '1h'});
    writeFileSync(at(`${UNITS}/agentless-renew.service`), 'theirs\n');
    const record = await recordIn(root);
    const {left} = await planNoTimer(host, {record, places: placesIn(root)}, dataDirIn(root));
    expect(left.map(({reason}) => reason)).to.deep.equal([
      `${at(`${UNITS}/agentless-renew.service`)} was changed by somebody else and is left alone`,
    ]);
    await carryOut(host, root, 'remove');
    expect(read(`${UNITS}/agentless-renew.service`)).to.equal('theirs\n');
    expect((await lookAtSchedulers(host, placesIn(root))).systemd).to.include({
      enabled: false,
      active: false,
    });
  });

  it('goes over no file of others, of whatever kind', async () => {
    for (const [systemd, path] of [
      [true, `${UNITS}/agentless-renew.timer`],
      [false, 'etc/cron.d/agentless-renew'],
    ] as const) {
      if (!systemd) rmSync(placesIn(root).booted, {recursive: true});
      writeFileSync(at(path), '');
      const error: unknown = await timerSteps(root, '1h').catch((reason: unknown) => reason);
      rmSync(at(path));
      expect((error as Failure).message).to.include(`${at(path)} is there already`);
      expect((error as Failure).hint).to.include(`rm ${at(path)}`);
      expect((error as Failure).hint?.includes('systemctl')).to.equal(systemd);
    }
  });

  it('is a line of cron where systemd does not run', async () => {
    rmSync(placesIn(root).booted, {recursive: true});
    await carryOut(host, root, {install: '6h'});
    const text = read('etc/cron.d/agentless-renew');
    expect(text).to.match(
      /^\d+ \d+,\d+,\d+,\d+ \* \* \* root set -a; .*; exec \/usr\/bin\/node \/usr\/local\/bin\/agentless renew --data-dir \S+\n$/m,
    );
    expect(text)
      .to.match(/^PATH=\/usr\/local\/sbin:/m)
      .and.to.match(/^MAILTO=""$/m);
    expect(await timerSteps(root, '6h')).to.deep.equal([]);
    const {text: said, ...report} = await describeTimer(host, placesIn(root));
    expect(report).to.include({kind: 'cron', every: '6h'});
    expect(said).to.match(/^cron, every 6h/);
    await carryOut(host, root, 'remove');
    expect((await describeTimer(host, placesIn(root))).text).to.equal('none');
  });

  it('is refused where nothing runs by the clock, with the command for whatever does', async () => {
    const scene = {places: placesIn(root), record: await recordIn(root), daemon: {process: undefined}};
    const schedulers = {systemd: undefined, cron: undefined};
    const error: unknown = await planTimer(host, {...scene, schedulers}, wish({dataDir: '/my data'})).catch(
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(Failure).and.to.include({code: 'HOST_UNSUITABLE'});
    expect((error as Failure).hint).to.equal(
      "have whatever does run this as root, every 1h:\n/usr/bin/node /usr/local/bin/agentless renew --data-dir '/my data'",
    );
  });

  describe('as units', () => {
    const process = {pid: 1, argv: [], exe: undefined, unit: undefined, cwd: undefined, listening: []};
    const service = async (unit: string | undefined, rest = {}) =>
      renderService(
        {places: placesIn(root), record: await recordIn(root), daemon: {process: {...process, unit}}},
        wish(rest),
      );

    it('may write where its transactions have written, and nowhere else', async () => {
      const text = await service('ssh.service', {dataDir: '/srv/my data'});
      expect(text).to.match(/^ProtectSystem=strict$/m);
      expect(text).to.include(`\nReadWritePaths=-/etc -/run "-/srv/my data" -${at('etc')}\n`);
    });

    it('sets no limits where sshd runs in no unit, and leaves alive what it starts', async () => {
      const text = await service(undefined);
      expect(text).to.match(/^KillMode=process$/m);
      expect(text).to.not.match(/^(Protect|Private|NoNew|Restrict|SystemCall|Capability|ReadWrite)/m);
    });

    it('takes no status for success that is none, and never waits for ever', async () => {
      const text = await service('ssh.service');
      expect(text).to.not.match(/SuccessExitStatus|Restart=/);
      expect(text)
        .to.match(/^Type=oneshot$/m)
        .and.to.match(/^TimeoutStartSec=10min$/m);
      expect(renderTimer(wish()))
        .to.match(/^Persistent=true$/m)
        .and.to.match(/^RandomizedDelaySec=900$/m);
    });

    it('is accepted by systemd', async function () {
      const directory = mkdtempSync(join(tmpdir(), 'units-'));
      try {
        if (spawnSync('systemd-analyze', ['--version']).status !== 0)
          skip(this, 'there is no systemd-analyze here');
        for (const unit of ['ssh.service', undefined]) {
          const [name, timer] = ['agentless-renew.service', 'agentless-renew.timer'].map((one) =>
            join(directory, one),
          );
          const odd = {dataDir: '/x "y" 100% $HOME', program: ['/bin/true', `/a b\\'c`]};
          writeFileSync(name ?? '', await service(unit, odd));
          writeFileSync(timer ?? '', renderTimer(wish()));
          const {status, stderr} = spawnSync('systemd-analyze', ['verify', name ?? '', timer ?? ''], {
            encoding: 'utf8',
          });
          // It looks at every unit that ours name, and says what it thinks of those.
          const ours = stderr.split('\n').filter((line) => line.includes('agentless'));
          expect([status, ours], stderr).to.deep.equal([0, []]);
        }
      } finally {
        rmSync(directory, {recursive: true});
      }
    });
  });
});

describe('what runs jobs by the clock', () => {
  const systemd = (...lines: readonly string[]) =>
    readSchedulers(['systemd', 'Now=1795600000', ...lines].join('\n'));

  it('is read from what systemctl shows', () => {
    const lines = [
      'UnitFileState=enabled',
      'ActiveState=active',
      'NextElapseUSecRealtime=Wed 2026-11-25 10:27:40 UTC',
      'LastTriggerUSec=Wed 2026-11-25 09:26:40 UTC',
      'Result=success',
      'ExecMainStatus=0',
    ];
    expect(systemd(...lines)).to.deep.equal({
      systemd: {
        enabled: true,
        active: true,
        next: 2460,
        last: 1200,
        failure: undefined,
        status: undefined,
      },
      cron: undefined,
    });
  });

  it('has no next or last run where there is none', () => {
    for (const none of ['', 'n/a', '0']) {
      const {systemd: state} = systemd(
        'ActiveState=inactive',
        `NextElapseUSecRealtime=${none}`,
        `LastTriggerUSec=${none}`,
      );
      expect(state).to.include({enabled: false, active: false, next: undefined, last: undefined});
    }
  });

  it('says how the last run failed', () => {
    expect(systemd('Result=exit-code', 'ExecMainStatus=3').systemd).to.include({
      failure: 'exit-code',
      status: 3,
    });
    expect(systemd('Result=timeout', 'ExecMainStatus=15').systemd).to.include({
      failure: 'timeout',
      status: undefined,
    });
  });

  it('may be cron, which runs or does not, or nothing', () => {
    expect(readSchedulers('cron\nrunning\n')).to.deep.equal({systemd: undefined, cron: 'running'});
    expect(readSchedulers('cron\n')).to.deep.equal({systemd: undefined, cron: 'stopped'});
    expect(readSchedulers('')).to.deep.equal({systemd: undefined, cron: undefined});
  });
});
