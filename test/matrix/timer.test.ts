// The timer under a real systemd: that it runs what it should within its limits, and is taken out again without a trace.
// It changes /etc and runs systemctl, so it needs a machine that is thrown away: see scripts/matrix.ts.

import {execFileSync, spawn} from 'node:child_process';
import {copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {dirname} from 'node:path';
import {expect} from 'chai';
import {LocalHost} from '../../src/host/local.js';
import {probe} from '../../src/host/probe.js';
import {describeTimer} from '../../src/operations/timer/describe.js';
import {parseInterval} from '../../src/operations/timer/interval.js';
import {installTimer, removeTimer, type TimerTools} from '../../src/operations/timer.js';
import {agentless, PROGRAM} from '../support/cli.js';
import {type TemporaryCluster, temporaryCluster} from '../support/dev-cluster.js';
import {skip} from '../support/skip.js';

const run = (program: string, ...words: readonly string[]) =>
  execFileSync(program, words, {encoding: 'utf8'}).trim();
const shell = (script: string) => run('sh', '-c', script);
const systemctl = (...words: readonly string[]) => run('systemctl', ...words);
const property = (unit: string, name: string) => systemctl('show', '--value', `--property=${name}`, unit);

const DATA = '/var/lib/agentless';
const [TIMER, SERVICE] = ['agentless-renew.timer', 'agentless-renew.service'];
/** Every character that systemd could take for something else. */
const STAND_IN = `/opt/100% "odd" $HOME 'x' \\n; %i/stand-in.js`;
const SAID = '/run/stand-in.json';
const ACTION = '/etc/stand-in-action';
const CA = '/root/ca.pem';

/** Says what it was called with, and does what ACTION says; stands for the program that the timer calls. */
const SCRIPT = `
const {spawn, spawnSync} = require('node:child_process');
const {readFileSync, writeFileSync} = require('node:fs');
writeFileSync(${JSON.stringify(SAID)}, JSON.stringify(process.argv));
const [action, ...words] = JSON.parse(readFileSync(${JSON.stringify(ACTION)}, 'utf8'));
if (action === 'exit') process.exit(Number(words[0]));
if (action === 'daemon') spawn(words[0], words.slice(1), {detached: true, stdio: 'ignore'}).unref();
if (action === 'call') process.exit(spawnSync(process.execPath, words, {stdio: 'inherit'}).status ?? 99);
`;

/** All that a timer could leave behind: names, modes and content. */
const traces = () =>
  shell(
    'cd / && find etc/systemd/system var/lib/systemd/timers etc/cron.d 2>/dev/null | grep -v stamp-[^a] | sort |' +
      ' xargs stat -c "%A %N"; systemctl list-units --all --plain --no-legend "agentless*"',
  );

describe('the timer under systemd', () => {
  let cluster: TemporaryCluster;
  let untouched: string;
  const steps: string[] = [];
  const host = new LocalHost();

  before(async function () {
    if (process.env['DISPOSABLE_MACHINE'] !== 'yes') skip(this, 'this machine is not to be thrown away');
    mkdirSync(dirname(STAND_IN), {recursive: true});
    writeFileSync(STAND_IN, SCRIPT);
    shell(
      'systemctl stop ssh.socket ssh.service; systemctl reset-failed ssh.service; systemctl start ssh.service',
    );
    cluster = await temporaryCluster();
    copyFileSync(cluster.caFile, CA);
    untouched = traces();
  });
  after(() => cluster?.stop());

  beforeEach(async () => {
    action('exit', '0');
    const where = ['--proxy-server', cluster.proxy, '--ca-file', CA, '--token', '-'];
    const named = ['--hostname', 'web1', '--address', '127.0.0.1:22'];
    const {status, stderr} = await agentless(['join', 'openssh', ...where, ...named], {
      input: `${cluster.token}\n`,
    });
    expect(status, stderr).to.equal(0);
  });
  afterEach(async () => {
    shell(`systemctl reset-failed ${SERVICE} 2>/dev/null || true`);
    const {status, stderr} = await agentless(['leave']);
    expect(status, stderr).to.equal(0);
    expect(traces()).to.equal(untouched);
  });

  const action = (...words: readonly string[]) => writeFileSync(ACTION, JSON.stringify(words));
  const tools = (
    controller = new AbortController(),
    onStep: (text: string) => void = () => undefined,
  ): TimerTools => {
    steps.length = 0;
    const step = (_: string, text: string) => {
      steps.push(text);
      onStep(text);
    };
    return {
      host,
      signal: controller.signal,
      report: {heading: () => undefined, warn: (text) => steps.push(`warning: ${text}`), step},
    };
  };
  const invocation = {node: process.execPath, options: [], script: STAND_IN, env: {PATH: '/usr/bin'}};
  const install = (every?: string, with_ = tools()) =>
    installTimer(with_, {
      dataDir: DATA,
      ...(every !== undefined && {every: parseInterval(every)}),
      invocation,
      dryRun: false,
    });
  /** Starts the job by hand and waits for it, while our cluster answers; 0 when it went well. */
  const start = () =>
    new Promise<number | null>((resolve) => {
      spawn('systemctl', ['start', SERVICE], {stdio: 'ignore'}).once('close', resolve);
    });
  const log = () => {
    run('journalctl', '--sync');
    const id = property(SERVICE, 'InvocationID');
    return run('journalctl', '--no-pager', '--output=cat', `_SYSTEMD_INVOCATION_ID=${id}`);
  };

  it('is installed, runs its job with the very words, changes nothing the second time, and is taken out', async () => {
    const {changed, timer} = await install('1h');
    expect(changed).to.equal(true);
    expect(timer).to.include({kind: 'systemd', every: '1h', active: true});
    expect(timer.text).to.match(/^timer agentless-renew\.timer, next in (\d+ min|1 h|a moment)$/);
    expect(timer.next).to.be.within(0, 3600 + 900 + 60);
    expect([systemctl('is-enabled', TIMER), systemctl('is-active', TIMER)]).to.deep.equal([
      'enabled',
      'active',
    ]);
    expect(
      run('systemd-analyze', 'verify', `/etc/systemd/system/${TIMER}`, `/etc/systemd/system/${SERVICE}`),
    ).to.equal('');
    expect(property(SERVICE, 'NeedDaemonReload')).to.equal('no');

    expect(await start(), log()).to.equal(0);
    expect(JSON.parse(readFileSync(SAID, 'utf8'))).to.deep.equal([
      process.execPath,
      STAND_IN,
      'renew',
      '--data-dir',
      DATA,
    ]);

    const again = await install();
    expect([again.changed, steps]).to.deep.equal([false, []]);
    expect((await removeTimer(tools(), {dataDir: DATA, dryRun: false})).timer.text).to.equal('none');
    expect(traces()).to.equal(untouched);
    expect((await removeTimer(tools(), {dataDir: DATA, dryRun: false})).changed).to.equal(false);
  });

  it('takes another interval at once', async () => {
    await install('1h');
    expect((await install('10m')).timer).to.include({every: '10m', active: true});
    expect(property(TIMER, 'TimersCalendar')).to.match(/00\/10|:\d\d,\d\d,\d\d,\d\d,\d\d,\d\d:/);
    expect((await install()).changed).to.equal(false);
  });

  it('is put in action again where somebody has stopped or disabled it', async () => {
    await install('1h');
    systemctl('stop', TIMER);
    expect((await describeTimer(host)).text).to.equal('timer agentless-renew.timer, not active');
    expect((await install()).timer.active).to.equal(true);
    systemctl('--quiet', 'disable', TIMER);
    expect((await describeTimer(host)).text).to.match(/, gone after a reboot$/);
    expect((await install()).changed).to.equal(true);
    expect(systemctl('is-enabled', TIMER)).to.equal('enabled');
  });

  it('starts the job by itself, also for a run that was missed', async () => {
    await install('1d');
    const dropIn = `/etc/systemd/system/${TIMER}.d`;
    mkdirSync(dropIn);
    writeFileSync(`${dropIn}/now.conf`, '[Timer]\nRandomizedDelaySec=0\n');
    rmSync(SAID);
    systemctl('stop', TIMER);
    run('touch', '-d', '3 days ago', `/var/lib/systemd/timers/stamp-${TIMER}`);
    systemctl('daemon-reload');
    systemctl('start', TIMER);
    for (let attempt = 0; attempt < 100 && !existsSync(SAID); attempt += 1)
      await new Promise((resolve) => setTimeout(resolve, 100));
    expect(existsSync(SAID), log()).to.equal(true);
    rmSync(dropIn, {recursive: true});
  });

  it('has the job fail by drift, for somebody has to see it, and goes on', async () => {
    await install('1h');
    action('exit', '3');
    expect(await start()).to.not.equal(0);
    expect(property(SERVICE, 'ActiveState')).to.equal('failed');
    const {text, failure, active} = await describeTimer(host);
    expect([failure, active]).to.deep.equal(['exit status 3', true]);
    expect(text).to.match(/, next in .*; the last run failed \(exit status 3\)$/);
  });

  it('lets the job change sshd and reload it, within its limits', async () => {
    await install('1h');
    const pid = property('ssh.service', 'MainPID');
    action(
      'call',
      PROGRAM,
      'join',
      'openssh',
      '--ca-file',
      CA,
      '--additional-principals',
      'more.example.com',
    );
    expect(await start(), log()).to.equal(0);
    expect(log()).to.match(/^ +reload +ssh\.service \(pid \d+ stays\)/m);
    expect(log()).to.match(/^ +rehearse +(\w+ ){3}accepted as /m);
    expect(log()).to.match(/^ +prove +sshd serves 3 of 3 certificates; all 3 known host keys unchanged/m);
    expect(property('ssh.service', 'MainPID')).to.equal(pid);
    expect(log()).to.not.match(/permission|read-only|denied/i);
    const said = run('systemd-analyze', 'security', '--no-pager', SERVICE);
    expect(Number(/exposure level for \S+: ([\d.]+) /.exec(said)?.[1]), said).to.be.below(5);
  });

  it('keeps the limits: nothing but what it has to write can be written', async () => {
    await install('1h');
    const write = `for (const path of ['/etc/ssh/x', '${DATA}/x', '/run/x', '/usr/x', '/root/x', '/var/lib/x', '/srv/x'])
      try { require('fs').writeFileSync(path, ''); require('fs').unlinkSync(path); console.log('can', path); }
      catch ({code}) { console.log('cannot', path, code); }`;
    action('call', '-e', write);
    expect(await start(), log()).to.equal(0);
    const said = log();
    for (const path of ['/etc/ssh/x', `${DATA}/x`, '/run/x']) expect(said).to.include(`can ${path}\n`);
    for (const path of ['/usr/x', '/root/x', '/var/lib/x', '/srv/x'])
      expect(said).to.include(`cannot ${path} EROFS`);
  });

  it('leaves a daemon alive and free that the job had to start, where sshd runs in no unit', async () => {
    systemctl('stop', 'ssh.service');
    run('mkdir', '-p', '/run/sshd');
    run('/usr/sbin/sshd');
    try {
      await install('1h');
      action(
        'daemon',
        'sh',
        '-c',
        'echo $$ >/run/daemon.pid; grep NoNewPrivs /proc/self/status >/run/privileges; exec sleep 1001',
      );
      expect(await start(), log()).to.equal(0);
      const pid = readFileSync('/run/daemon.pid', 'utf8').trim();
      expect(readFileSync('/run/privileges', 'utf8')).to.match(/:\s+0/);
      expect(run('readlink', `/proc/${pid}/ns/mnt`)).to.equal(run('readlink', '/proc/1/ns/mnt'));
      process.kill(Number(pid));
    } finally {
      shell('kill $(cat /run/sshd.pid); sleep 0.3; systemctl start ssh.service');
    }
  });

  it('finds sshd from a job with mounts of its own, unless the files there are others', async () => {
    const seen = async (script: string) => {
      const inside = new LocalHost();
      inside.run = (argv, options) =>
        host.run(['unshare', '-m', 'sh', '-c', `${script}; exec "$@"`, 'sh', ...argv], options);
      return (await probe(inside, ['/etc/ssh/sshd_config', '/etc/ssh', DATA])).listeners.length;
    };
    expect(await seen('mount -t tmpfs tmpfs /srv')).to.equal(1);
    expect(await seen('mount -t tmpfs tmpfs /etc/ssh; : >/etc/ssh/sshd_config')).to.equal(0);
    expect(await seen('cp -a /etc/ssh /tmp/ssh; mount --bind /tmp/ssh /etc/ssh')).to.equal(0);
    rmSync('/tmp/ssh', {recursive: true});
  });

  it('is undone when the installation is interrupted after it was enabled, and when its removal is', async () => {
    const stop = new AbortController();
    const enabled = (text: string) => text === `${TIMER} enabled` && stop.abort();
    const error: unknown = await install('1h', tools(stop, enabled)).catch((reason: unknown) => reason);
    expect(error).to.include({code: 'INTERRUPTED', restored: true});
    expect(traces()).to.equal(untouched);

    await install('1h');
    const installed = traces();
    const halt = new AbortController();
    const wish = {dataDir: DATA, dryRun: false};
    const removed = (text: string) => text.startsWith('/etc/systemd') && halt.abort();
    const other: unknown = await removeTimer(tools(halt, removed), wish).catch((reason: unknown) => reason);
    expect(other).to.include({code: 'INTERRUPTED', restored: true});
    expect(traces()).to.equal(installed);
    expect([systemctl('is-enabled', TIMER), systemctl('is-active', TIMER)]).to.deep.equal([
      'enabled',
      'active',
    ]);
  });

  it('is taken out by leave although somebody has deleted its file', async () => {
    await install('1h');
    rmSync(`/etc/systemd/system/${TIMER}`);
    // afterEach leaves, and looks for traces.
  });

  it('is not put over units of others', async () => {
    writeFileSync(`/etc/systemd/system/${TIMER}`, '[Timer]\nOnCalendar=daily\n');
    const error: unknown = await install('1h').catch((reason: unknown) => reason);
    rmSync(`/etc/systemd/system/${TIMER}`);
    expect(error).to.include({code: 'HOST_UNSUITABLE'});
    expect((error as Error).message).to.include('was not put there by this installation');
  });
});
