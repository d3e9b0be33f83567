// Called by the build: has V8 compile the bundle and keeps the result. What V8 compiles is what has run, so the program
// is run: a join, and the same again, against the cluster for development and an sshd of its own.

import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join, resolve} from 'node:path';
import {load} from '../bin/bundle.cjs';
import {startPrivateSshd} from '../src/demo/private-sshd.js';
import {startCluster} from '../src/devcluster/index.js';

const file = resolve(process.argv[2] ?? 'dist', 'agentless.cjs');
const {exports, script} = load(file);
const root = mkdtempSync(join(tmpdir(), 'agentless-build-'));
const silent = () => true;
const write = process.stdout.write;
try {
  const cluster = await startCluster({dir: join(root, 'cluster'), limits: false, lag: false});
  const sshd = await startPrivateSshd({directory: join(root, 'etc'), program: process.env['SSHD']});
  process.stdout.write = silent;
  const said: string[] = [];
  const writeError = process.stderr.write;
  process.stderr.write = ((text: string) => said.push(text) > 0) as typeof writeError;
  try {
    const host = ['--data-dir', join(root, 'data')];
    const words = ['join', 'openssh', '--proxy-server', cluster.proxy, '--ca-file', cluster.caFile, ...host];
    words.push('--openssh-config', sshd.config, '--hostname', 'web1', '--address', `127.0.0.1:${sshd.port}`);
    process.env['AGENTLESS_TOKEN'] = cluster.token;
    for (const argv of [words, words]) {
      await exports.main(argv);
      if (process.exitCode) throw new Error(`${argv.slice(0, 2).join(' ')}: ${said.join('')}`);
    }
  } finally {
    process.stderr.write = writeError;
    process.stdout.write = write;
    await sshd.stop();
    await cluster.close();
  }
} catch (error) {
  // Such a program is as right as the other, and slower to start.
  process.exitCode = 0;
  process.stderr.write(`compiled without a trial run: ${error instanceof Error ? error.message : error}\n`);
} finally {
  rmSync(root, {recursive: true, force: true});
}
writeFileSync(`${file}.compiled`, script.createCachedData());
