// The whole job on one machine in a few seconds: a development cluster, a private sshd, a real join, a real login. It is
// what the README starts with, and it tells the truth by its exit code.

import {spawn} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir, userInfo} from 'node:os';
import {join} from 'node:path';
import {type DevCluster, startCluster} from '../devcluster/index.js';
import {Failure} from '../errors.js';
import {formatPublicKey, publicBlob} from '../ssh/key.js';
import {type PrivateSshd, startPrivateSshd} from './private-sshd.js';

/** Runs a program with our standard error; its output is shown and returned. */
type Run = (argv: readonly string[], input?: string) => Promise<{status: number; output: string}>;

export interface Stage {
  readonly say: (text: string) => void;
  /** Words that start this program again: node and its script. */
  readonly self: readonly string[];
  readonly signal: AbortSignal;
}

/** Throws CHANGE_FAILED at the first thing that is not as promised; stops and removes everything it has made. */
export async function demo(stage: Stage): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'agentless-demo-'));
  let cluster: DevCluster | undefined;
  let sshd: PrivateSshd | undefined;
  try {
    cluster = await startCluster({dir: join(directory, 'cluster'), name: 'demo.example'});
    sshd = await startPrivateSshd({directory: join(directory, 'host'), program: process.env['SSHD']});
    stage.say(
      'A development cluster and a private sshd with a copy of the stock configuration, both on loopback.',
    );
    stage.say(`Nothing of this system is touched; everything lies in ${directory}.\n`);
    await play(stage, directory, cluster, sshd);
  } finally {
    await sshd?.stop();
    await cluster?.close();
    rmSync(directory, {recursive: true, force: true});
  }
}

async function play(stage: Stage, directory: string, cluster: DevCluster, sshd: PrivateSshd): Promise<void> {
  const {say, signal} = stage;
  const run: Run = (argv, input) => runShown(argv, input, signal);
  const words = ['join', 'openssh', '--proxy-server', cluster.proxy, '--ca-file', cluster.caFile];
  words.push('--openssh-config', sshd.config, '--data-dir', join(directory, 'data'));
  words.push(
    '--hostname',
    'demo-host',
    '--address',
    `127.0.0.1:${sshd.port}`,
    '--labels',
    'env=demo',
    '--token',
    '-',
  );

  say('1. What a join would do:  agentless join openssh --dry-run …\n');
  demand(await run([...stage.self, ...words, '--dry-run'], cluster.token), 'the dry run failed');
  say('2. The join:  agentless join openssh …\n');
  demand(await run([...stage.self, ...words], cluster.token), 'the join failed');

  const {username} = userInfo();
  const identity = await writeLogin(directory, cluster, username);
  const authority = formatPublicKey(publicBlob(cluster.testOnlySshKey('host')));
  const where = `[127.0.0.1]:${sshd.port}`;
  say(
    '3. A strict client that knows only the cluster (one @cert-authority line) logs in as the proxy would:',
  );
  const byCertificate = client(directory, identity, sshd, `@cert-authority ${where} ${authority}`);
  expectWords(
    await run([...byCertificate, `${username}@127.0.0.1`, 'echo logged in by certificate']),
    'logged in by certificate',
  );
  say('\n4. A client that knows only the old plain host key still gets the same server:');
  const [plain = ''] = sshd.hostKeys;
  const byPlainKey = client(directory, identity, sshd, `${where} ${plain}`);
  expectWords(
    await run([...byPlainKey, `${username}@127.0.0.1`, 'echo known key accepted']),
    'known key accepted',
  );

  say('\n5. Joining again:  agentless join openssh … --json\n');
  const again = await run([...stage.self, ...words.slice(0, -2), '--json']);
  demand(again, 'the second join failed');
  if (JSON.parse(again.output).changed !== false)
    throw new Failure('CHANGE_FAILED', 'the second join changed something');
  say('\nDone: joined, proven by login, unchanged the second time. Everything is stopped and removed.');
}

function client(directory: string, identity: string, sshd: PrivateSshd, knownHost: string): string[] {
  const knownHosts = join(directory, `known_hosts-${knownHost.startsWith('@') ? 'ca' : 'plain'}`);
  writeFileSync(knownHosts, `${knownHost}\n`);
  const options = [
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHosts}`,
    'GlobalKnownHostsFile=/dev/null',
  ];
  options.push('IdentitiesOnly=yes', 'IdentityAgent=none', 'UpdateHostKeys=no', 'BatchMode=yes');
  return [
    'ssh',
    '-F',
    'none',
    '-p',
    String(sshd.port),
    '-i',
    identity,
    ...options.map((option) => `-o${option}`),
  ];
}

async function writeLogin(directory: string, cluster: DevCluster, login: string): Promise<string> {
  const {privateKey, certificate} = await cluster.login({
    logins: [login],
    user: 'alice',
    roles: ['access'],
    ttlSeconds: 600,
  });
  const file = join(directory, 'login');
  writeFileSync(file, privateKey, {mode: 0o600});
  writeFileSync(`${file}-cert.pub`, `${certificate.trim()}\n`);
  return file;
}

function demand({status}: {status: number}, message: string): void {
  if (status !== 0)
    throw new Failure('CHANGE_FAILED', `${message} (exit ${status})`, {hint: 'its own words are above'});
}

function expectWords(result: {status: number; output: string}, words: string): void {
  demand(result, 'the login failed');
  if (!result.output.includes(words))
    throw new Failure('CHANGE_FAILED', 'the login ran, but not the command');
}

function runShown(argv: readonly string[], input: string | undefined, signal: AbortSignal) {
  return new Promise<{status: number; output: string}>((resolve, reject) => {
    const [program = '', ...rest] = argv;
    const child = spawn(program, rest, {stdio: ['pipe', 'pipe', 'inherit'], signal});
    const parts: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => {
      parts.push(part);
      process.stdout.write(part);
    });
    child.once('error', reject);
    child.once('close', (status) => resolve({status: status ?? 1, output: Buffer.concat(parts).toString()}));
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
  });
}
