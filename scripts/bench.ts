// Measures on this machine, in one run: start-up, a first join and a repeat that changes nothing, as ratios to bare node.
// `npm run bench` builds first. Exits 1 when a target is missed; nothing else in the project asserts a time.

import {mkdtempSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {startPrivateSshd} from '../src/demo/private-sshd.js';
import {startCluster} from '../src/devcluster/index.js';
import {PROGRAM} from '../test/support/cli.js';
import {startForwarder} from '../test/support/forwarder.js';
import {median, node, type Run, run} from './measure.js';

const ROUNDS = Number(process.env['BENCH_ROUNDS'] ?? 9);

interface Network {
  readonly connections: number;
  readonly bytes: number;
  readonly roundTrips: number;
}

/** Interleaved, so that what else the machine does hits all alike. */
async function startUp(): Promise<Record<'bare' | 'version' | 'help', Run>> {
  const runs = {bare: [] as Run[], version: [] as Run[], help: [] as Run[]};
  for (let round = -2; round < ROUNDS; round += 1) {
    const [bare, version, help] = [
      await run([node, '-e', '0']),
      await run([node, PROGRAM, '--version']),
      await run([node, PROGRAM, '--help']),
    ];
    if (round < 0) continue;
    runs.bare.push(bare);
    runs.version.push(version);
    runs.help.push(help);
  }
  return {bare: median(runs.bare), version: median(runs.version), help: median(runs.help)};
}

async function joins(
  rtt: number,
  rounds: number,
): Promise<{first: Run; again: Run; network: [Network, Network]; bare: Run}> {
  const first: Run[] = [];
  const again: Run[] = [];
  const bare: Run[] = [];
  let network: [Network, Network] | undefined;
  for (let round = -1; round < rounds; round += 1) {
    const root = mkdtempSync(join(tmpdir(), 'agentless-bench-'));
    const cluster = await startCluster({dir: join(root, 'cluster'), limits: false, lag: false});
    const sshd = await startPrivateSshd({directory: join(root, 'etc'), program: process.env['SSHD']});
    const wire = await startForwarder({target: cluster.proxy, rtt});
    const words = [
      node,
      PROGRAM,
      'join',
      'openssh',
      '--proxy-server',
      wire.address,
      '--ca-file',
      cluster.caFile,
    ];
    words.push('--openssh-config', sshd.config, '--data-dir', join(root, 'data'), '--hostname', 'web1');
    words.push('--address', `127.0.0.1:${sshd.port}`);
    try {
      const empty = await run([node, '-e', '0']);
      const one = await run([...words, '--token', '-'], cluster.token);
      const afterOne = {
        connections: wire.connections,
        bytes: wire.bytesUp + wire.bytesDown,
        roundTrips: wire.roundTrips,
      };
      const two = await run(words);
      const afterTwo = {
        connections: wire.connections - afterOne.connections,
        bytes: wire.bytesUp + wire.bytesDown - afterOne.bytes,
        roundTrips: wire.roundTrips - afterOne.roundTrips,
      };
      if (round >= 0) {
        bare.push(empty);
        first.push(one);
        again.push(two);
        network = [afterOne, afterTwo];
      }
    } finally {
      await wire.close();
      await sshd.stop();
      await cluster.close();
      rmSync(root, {recursive: true, force: true});
    }
  }
  if (network === undefined) throw new Error('no round was run');
  return {first: median(first), again: median(again), network, bare: median(bare)};
}

const missed: string[] = [];

function row(name: string, {wall, cpu, memory}: Run, bare: Run, limit?: number, network?: Network): void {
  const ratio = wall / bare.wall;
  const target = limit === undefined ? '' : `≤ ${limit}`;
  const wire = network ? `${network.connections} conn, ${(network.bytes / 1024).toFixed(1)} kB` : '';
  const cells = [name.padEnd(34), `${wall.toFixed(0)} ms`.padStart(8), `${ratio.toFixed(2)} ×`.padStart(9)];
  cells.push(
    target.padStart(7),
    `${cpu.toFixed(0)} ms`.padStart(8),
    `${memory.toFixed(0)} MiB`.padStart(8),
    `  ${wire}`,
  );
  process.stdout.write(`${cells.join(' ').trimEnd()}\n`);
  if (limit !== undefined && ratio > limit)
    missed.push(`${name}: ${ratio.toFixed(2)} × bare node, target ${limit}`);
}

const header = ['', 'wall', '/ bare', 'target', 'cpu', 'peak', '  cluster'];
const widths = [34, 8, 9, 7, 8, 8, 0];
process.stdout.write(`${header.map((text, index) => text.padStart(widths[index] ?? 0)).join(' ')}\n`);

const start = await startUp();
row('node -e 0', start.bare, start.bare);
row('agentless --version', start.version, start.bare, 3.2);
row('agentless --help', start.help, start.bare);

const near = await joins(0, ROUNDS);
row('first join', near.first, near.bare, 16, near.network[0]);
row('join again, unchanged', near.again, near.bare, 8, near.network[1]);
const far = await joins(50, 3);
row('first join, 50 ms round trip', far.first, far.bare, undefined, far.network[0]);
row('join again, 50 ms round trip', far.again, far.bare, undefined, far.network[1]);

const [wire] = far.network;
process.stdout.write(
  `\nround trips of a first join: ${wire.roundTrips} (target ≤ 10), connections ${wire.connections} (target ≤ 2)\n`,
);
if (wire.roundTrips > 10) missed.push(`${wire.roundTrips} round trips, target 10`);
if (wire.connections > 2) missed.push(`${wire.connections} connections, target 2`);
if (near.first.memory > 100) missed.push(`peak memory ${near.first.memory.toFixed(0)} MiB, target 100`);
for (const line of missed) process.stdout.write(`missed: ${line}\n`);
process.exitCode = missed.length > 0 ? 1 : 0;

process.stdout.write('\n');
await import('./bench-fleet.js');
