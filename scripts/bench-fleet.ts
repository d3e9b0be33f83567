// The second half of `npm run bench`: measures joins through ssh: one against the same join on the host itself, and fleets of 1, 10 and 50 hosts, ten at a time.
// Hosts are private sshds on this machine, so their work is in the wall time, too.

import {mkdtempSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {startCluster} from '../src/devcluster/index.js';
import {PROGRAM} from '../test/support/cli.js';
import {type Forwarder, startForwarder} from '../test/support/forwarder.js';
import {startTarget} from '../test/support/remote-target.js';
import {median, node, type Run, run} from './measure.js';

const FLEETS = [1, 10, 50];
const AT_A_TIME = 10;
const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 5);
/** What the usual way copies is several hundred megabytes. */
const MOST_BYTES = 100_000;

const missed: string[] = [];

interface Machine {
  /** Words that join it through ssh, and on the machine itself. */
  readonly remote: readonly string[];
  readonly local: readonly string[];
  /** Words that do no more than log in. */
  readonly login: readonly string[];
  readonly link: Forwarder;
  stop(): Promise<void>;
}

async function startMachine(
  cluster: {proxy: string; caFile: string},
  name: string,
  rtt: number,
): Promise<Machine> {
  const root = mkdtempSync('/tmp/agentless-fleet-');
  // A bash that is not the first one reads no start-up file: what people have in theirs is not measured.
  const target = await startTarget(root, ['SetEnv SHLVL=2']);
  const link = await startForwarder({target: `127.0.0.1:${target.sshd.port}`, rtt});
  const words = ['join', 'openssh', '--proxy-server', cluster.proxy, '--ca-file', cluster.caFile, '--yes'];
  words.push('--openssh-config', target.sshd.config, '--data-dir', join(root, 'data'), '--hostname', name);
  words.push('--address', `127.0.0.1:${target.sshd.port}`, '--token', '-');
  const there = ['--host', `web1:${link.address.split(':').at(-1)}`, '--ssh-config', target.sshConfig];
  return {
    local: [node, PROGRAM, ...words, '--discard-identity'],
    remote: [node, PROGRAM, ...words, ...there],
    login: [
      'ssh',
      '-F',
      target.sshConfig,
      '-oRemoteCommand=none',
      '-oClearAllForwardings=yes',
      'web1',
      'true',
    ],
    link,
    stop: async () => {
      await link.close();
      await target.stop();
      rmSync(root, {recursive: true, force: true});
    },
  };
}

async function withMachines<T>(
  count: number,
  work: (machines: readonly Machine[], token: string) => Promise<T>,
  rtt = 0,
): Promise<T> {
  const dir = mkdtempSync('/tmp/agentless-fleet-');
  const cluster = await startCluster({dir, limits: false, lag: false});
  const machines: Machine[] = [];
  try {
    for (let index = 0; index < count; index += 1)
      machines.push(await startMachine(cluster, `host${index}`, rtt));
    return await work(machines, cluster.token);
  } finally {
    await Promise.all(machines.map((machine) => machine.stop()));
    await cluster.close();
    rmSync(dir, {recursive: true, force: true});
  }
}

const line = (cells: readonly string[]) =>
  process.stdout.write(
    `${cells.map((text, index) => (index === 0 ? text.padEnd(34) : text.padStart(14))).join('')}\n`,
  );
const ms = (value: number) => `${value.toFixed(0)} ms`;

/** A join over a link of this many milliseconds shows how often it waits for an answer. */
const RTT = 50;

const near: Run[] = [];
const far: Run[] = [];
const logins: Run[] = [];
for (let round = -1; round < ROUNDS; round += 1) {
  await withMachines(2, async ([one, other], token) => {
    const local = await run(one?.local ?? [], token);
    const remote = await run(other?.remote ?? [], token);
    const login = await run(one?.login ?? []);
    if (round < 0) return;
    near.push(local);
    far.push(remote);
    logins.push(login);
  });
}
const ratio = median(far).wall / median(near).wall;
line(['', 'wall', '/ local', 'target']);
line(['join on the host', ms(median(near).wall), '1.00 ×']);
line(['join through ssh', ms(median(far).wall), `${ratio.toFixed(2)} ×`, '≤ 2']);
line(['of that, each of two ssh logins', ms(median(logins).wall)]);
if (ratio > 2) missed.push(`a join through ssh: ${ratio.toFixed(2)} × the same on the host, target 2`);

await withMachines(
  1,
  async ([one], token) => {
    const {wall} = await run(one?.remote ?? [], token);
    line([
      `the same with ${RTT} ms to the host`,
      ms(wall),
      `${one?.link.roundTrips} round trips`.padStart(28),
    ]);
  },
  RTT,
);

process.stdout.write('\n');
line(['fleet', 'wall', 'wall per host', 'cpu per host', 'bytes per host']);
for (const count of FLEETS) {
  await withMachines(count, async (machines, token) => {
    const start = performance.now();
    const runs: Run[] = [];
    const waiting = [...machines];
    const worker = async () => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift())
        runs.push(await run(one.remote, token));
    };
    await Promise.all(Array.from({length: Math.min(AT_A_TIME, count)}, worker));
    const wall = performance.now() - start;
    const bytes = machines.reduce((sum, {link}) => sum + link.bytesUp, 0) / count;
    const cpu = runs.reduce((sum, one) => sum + one.cpu, 0) / count;
    line([
      `${count} ${count === 1 ? 'host' : 'hosts'}`,
      ms(wall),
      ms(wall / count),
      ms(cpu),
      `${(bytes / 1000).toFixed(1)} kB`,
    ]);
    if (bytes > MOST_BYTES)
      missed.push(`${bytes.toFixed(0)} bytes are sent to each of ${count} hosts, target ${MOST_BYTES}`);
  });
}

for (const text of missed) process.stdout.write(`missed: ${text}\n`);
if (missed.length > 0) process.exitCode = 1;
