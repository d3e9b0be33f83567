// Every test that meets an sshd, the end-to-end tests among them, over the OpenSSH and the libraries of several Debian
// releases, real joins under systemd there, and whole hosts of their own that are reached through ssh:
//
//   npm run test:matrix                     everything
//   npm run test:matrix -- trixie systemd   some of: bullseye bookworm trixie sid old systemd hosts ansible
//
// `hosts` makes hosts from the roots, each with a network, processes and port 22 of its own, and joins them from here; that
// takes ip. CRASHES=all takes their links down at every step of a join.
//
// `ansible` plays the collection over fifty hosts, and has ansible-lint look at it; both come from PyPI into a virtual
// environment beside the roots, so it needs python3.
//
// Needs root, debootstrap and, for systemd, systemd-nspawn. A root directory of each release (minbase, OpenSSH, systemd)
// is made once under ${XDG_CACHE_HOME:-~/.cache}/agentless-matrix from the Debian mirror that this machine's apt knows,
// or MIRROR; remove one to have it made anew. Each run sees a throw-away copy of it (in-root.sh). SSHD_OLD names an sshd
// that was built and installed with its client (PREFIX/sbin/sshd, PREFIX/bin/ssh), e.g. 7.9: it takes the place of this
// machine's own. The node that runs this must also run on the oldest release, as those of nodejs.org do.
//
// One line for each run, and one for each reason why tests were skipped; the whole output of one that fails goes to
// standard error. Exit 1 if any failed.

import {spawn} from 'node:child_process';
import {existsSync, mkdirSync, mkdtempSync, realpathSync, renameSync, rmdirSync, rmSync} from 'node:fs';
import {homedir, tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const RELEASES = {
  bullseye: 'Debian 11',
  bookworm: 'Debian 12',
  trixie: 'Debian 13',
  sid: 'Debian sid',
} as const;
type Release = keyof typeof RELEASES;
const releases = Object.keys(RELEASES) as Release[];

/** Releases with a service and a socket unit of one process; Debian 11 starts one sshd for each connection. */
const BOOTED: readonly Release[] = ['bookworm', 'trixie', 'sid'];

const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'agentless-matrix');
const IN_ROOT = fileURLToPath(new URL('in-root.sh', import.meta.url));
const OLD = process.env['SSHD_OLD'];
const MOCHA =
  'node node_modules/mocha/bin/mocha.js --no-config --import=tsx --no-experimental-require-module --extension ts ' +
  '--timeout 60000 --reporter ./test/support/reporter.cjs';
/** Every test that meets an sshd. */
const ALL = [
  ...['unit/host/*', 'unit/operations/*', 'unit/ssh/*'],
  ...['fault/join-*', 'fault/leave-*', 'fault/pam-*', 'e2e/*'],
].map((names) => `test/${names}.test.ts`);
const SYSTEMD = ['test/matrix/*.test.ts'];
const HOSTS = ['test/hosts/*.test.ts'];
const ANSIBLE = ['test/e2e/ansible.test.ts', 'test/ansible/*.test.ts'];

interface Run {
  readonly title: string;
  /** A Debian release, or this machine with another build of OpenSSH: the prefix where that is installed. */
  readonly system: {readonly release: Release} | {readonly prefix: string};
  readonly mode: 'enter' | 'boot';
  readonly spec: readonly string[];
}

const line = (...[title, version, text]: readonly [string, string, string]) =>
  process.stdout.write(`${title.padEnd(32)} ${version.padEnd(10)} ${text}\n`);

function output(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<{status: number | null; text: string}> {
  const [program = '', ...words] = argv;
  return new Promise((resolve, reject) => {
    const child = spawn(program, words, {env, stdio: ['ignore', 'pipe', 'pipe']});
    const said: Buffer[] = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => said.push(data));
    child.once('error', reject);
    child.once('close', (status) => resolve({status, text: Buffer.concat(said).toString()}));
  });
}

/** The first archive among apt's sources, of whatever format; security lies elsewhere and holds too little. */
async function mirror(): Promise<string> {
  const given = process.env['MIRROR'];
  if (given !== undefined) return given;
  const {text} = await output(['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']);
  const found = text.split('\n').find((uri) => uri !== '' && !uri.includes('security'));
  if (found === undefined) throw new Error('apt knows no Debian mirror here; name one in MIRROR');
  return found;
}

/** The root directory of a release, made when missing; a half-made one is never left under its name. */
async function rootOf(release: Release): Promise<string> {
  const root = join(CACHE, release);
  if (existsSync(root)) return root;
  mkdirSync(CACHE, {recursive: true});
  const making = `${root}.new`;
  rmSync(making, {recursive: true, force: true});
  process.stderr.write(`making ${root}\n`);
  const words = ['--variant=minbase', '--include=openssh-server,openssh-client,systemd-sysv,dbus'];
  const {status, text} = await output(['debootstrap', ...words, release, making, await mirror()]);
  if (status !== 0) throw new Error(`debootstrap ${release} ended with ${status}:\n${text.slice(-2000)}`);
  renameSync(making, root);
  return root;
}

/** Runs the tests in a copy of the root; true when they passed. */
async function carriedOut({title, system, mode, spec}: Run): Promise<boolean> {
  const [root, prefix] = 'release' in system ? [await rootOf(system.release), ''] : ['/', system.prefix];
  const work = mkdtempSync(join(tmpdir(), 'matrix-'));
  // A container has process numbers of its own anyway.
  const alone = mode === 'enter' ? ['--pid', '--fork', '--kill-child'] : [];
  const namespace = ['unshare', '--mount', '--propagation', 'private', ...alone, 'sh', IN_ROOT, mode];
  // A booted system has one /etc, which its tests change.
  const jobs = mode === 'enter' ? ['--parallel', '--jobs', '2'] : [];
  const words = [root, work, realpathSync(process.execPath), ...MOCHA.split(' '), ...jobs, ...spec];
  const start = Date.now();
  const {status, text} = await output([...namespace, ...words], {...process.env, OPENSSH_PREFIX: prefix});
  // Never recursively: what is mounted there belongs to others.
  rmdirSync(work);
  return told(title, await versionOf(root, prefix), {status, text}, start);
}

function told(
  title: string,
  version: string,
  {status, text}: Awaited<ReturnType<typeof output>>,
  start: number,
): boolean {
  const counts = /^\d+ passed, \d+ failed, \d+ skipped$/m.exec(text)?.[0];
  const seconds = `${Math.round((Date.now() - start) / 1000)} s`;
  line(title, version, `${counts ?? 'did not run'}  ${seconds}`);
  for (const [reason, count] of skippedFor(text)) line('', '', `${count} skipped: ${reason}`);
  if (status !== 0) process.stderr.write(`${text}\n`);
  return status === 0 && counts !== undefined;
}

/** A skip that is not expected there is a check that has gone unnoticed: reasons, and how many tests had each. */
function skippedFor(text: string): ReadonlyMap<string, number> {
  const reasons = new Map<string, number>();
  for (const [, reason = ''] of text.matchAll(/ \(skipped: (.*)\)$/gm))
    reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return reasons;
}

/** Hosts of their own, which are made by the tests: what this machine has works at them. */
async function joinedFromHere(): Promise<boolean> {
  for (const release of releases) await rootOf(release);
  const start = Date.now();
  const ended = await output([...MOCHA.split(' '), ...HOSTS], {...process.env, RELEASE_ROOTS: CACHE});
  return told('hosts of their own', await versionOf('/', ''), ended, start);
}

/** Ansible, in an environment of its own that is made when missing. */
async function played(): Promise<boolean> {
  const home = join(CACHE, 'ansible');
  const bin = join(home, 'bin');
  if (!existsSync(join(bin, 'ansible-lint'))) {
    mkdirSync(CACHE, {recursive: true});
    process.stderr.write(`making ${home}\n`);
    for (const words of [
      ['python3', '-m', 'venv', '--clear', home],
      [join(bin, 'pip'), 'install', '--quiet', 'ansible-core>=2.15', 'ansible-lint>=25'],
    ]) {
      const {status, text} = await output(words);
      if (status !== 0) throw new Error(`${words[0]} ended with ${status}:\n${text.slice(-2000)}`);
    }
  }
  const version = await output([join(bin, 'ansible-playbook'), '--version']);
  const start = Date.now();
  const ended = await output([...MOCHA.split(' '), ...ANSIBLE], {...process.env, ANSIBLE: bin});
  return told('Ansible', /core ([^\]]+)/.exec(version.text)?.[1] ?? 'unknown', ended, start);
}

async function versionOf(root: string, prefix: string): Promise<string> {
  const sshd = prefix === '' ? ['chroot', root, '/usr/sbin/sshd'] : [join(prefix, 'sbin/sshd')];
  const {text} = await output([...sshd, '-V']);
  return /OpenSSH_([^\s,]+)/.exec(text)?.[1] ?? 'unknown';
}

function runs(wanted: (name: string) => boolean): Run[] {
  const found: Run[] = releases
    .filter(wanted)
    .map((release) => ({title: RELEASES[release], system: {release}, mode: 'enter', spec: ALL}));
  if (OLD !== undefined && wanted('old'))
    found.push({title: OLD, system: {prefix: dirname(dirname(OLD))}, mode: 'enter', spec: ALL});
  else if (wanted('old')) line('an older one', '-', 'not given (SSHD_OLD)');
  for (const release of wanted('systemd') ? BOOTED : [])
    found.push({title: `${RELEASES[release]}, systemd`, system: {release}, mode: 'boot', spec: SYSTEMD});
  return found;
}

const names = process.argv.slice(2);
const unknown = names.filter((name) => ![...releases, 'old', 'systemd', 'hosts', 'ansible'].includes(name));
if (unknown.length > 0) throw new Error(`unknown: ${unknown.join(' ')}`);
if (process.getuid?.() !== 0) throw new Error('the matrix needs root: it makes and enters root directories');
const wanted = (name: string) => names.length === 0 || names.includes(name);
const all = runs(wanted).map((run) => [run.title, () => carriedOut(run)] as const);
if (wanted('hosts')) all.push(['hosts of their own', joinedFromHere]);
if (wanted('ansible')) all.push(['Ansible', played]);
for (const [title, run] of all) {
  const passed = await run().catch((error: unknown) => {
    line(title, '-', String(error));
    return false;
  });
  if (!passed) process.exitCode = 1;
}
