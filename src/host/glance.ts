// A look at a host that refuses nothing: whatever can be seen is given, and whatever cannot is named with the reason.
// For commands that report. The batch of the probe and one `sshd -T` are the only processes.

import {Failure} from '../errors.js';
import {dialectOf, settings} from '../ssh/sshd-config/index.js';
import type {Daemon} from './daemon.js';
import {daemonOf, type HostFacts, hasInclude, portOf, readMain} from './facts.js';
import type {Host} from './host.js';
import {readHostKeys} from './host-keys.js';
import {lookBehind} from './look-behind.js';
import {type Probe, probe} from './probe.js';
import {sshdVersion, testedConfig, type Version} from './sshd.js';
import {readTree} from './sshd-tree.js';

export interface Glance {
  readonly probe: Probe;
  readonly config: string;
  /** Absent: no sshd was found. */
  readonly daemon?: Daemon;
  readonly version?: Version;
  /** Absent: the configuration cannot be read… */
  readonly tree?: HostFacts['tree'];
  readonly dialect: HostFacts['dialect'];
  /** …and sshd does not say what it makes of it. */
  readonly facts?: HostFacts;
  /** Why something is absent; HOST_UNSUITABLE or SSHD_CONFIG_INVALID. */
  readonly obstacles: readonly Failure[];
}

/** `config` as given to sshd; the batch may run already. Changes nothing when the host is a `ReadOnlyHost`. */
export async function glance(host: Host, config: string, probing = probe(host)): Promise<Glance> {
  const [found, main] = await Promise.all([probing, caught(readMain(host, config))]);
  const obstacles = failuresOf(main);
  const seen = {probe: found, config, dialect: dialectOf(RECENT)};
  const daemon = await daemonOf(host, found, config, main.value?.real ?? config);
  if (daemon === undefined) return {...seen, obstacles: [...obstacles, noSshd()]};
  const version = await caught(sshdVersion(host, daemon.program, found));
  const dialect = dialectOf(version.value ?? RECENT);
  const about = {...seen, daemon, dialect, ...(version.value && {version: version.value})};
  if (version.failure) obstacles.push(version.failure);
  if (main.value === undefined || version.value === undefined) return {...about, obstacles};
  // A vendor's older sshd may know Include all the same.
  const include = dialect.include || hasInclude(main.value);
  const reading = {...about, dialect: {...dialect, include}, obstacles};
  const tree = await caught(readTree(host, config, reading.dialect));
  if (tree.value === undefined) return {...reading, obstacles: [...obstacles, ...failuresOf(tree)]};
  const asked = await askSshd(host, {...reading, version: version.value, tree: tree.value});
  return {...reading, tree: tree.value, ...asked, obstacles: [...obstacles, ...asked.obstacles]};
}

type Known = Pick<HostFacts, 'probe' | 'daemon' | 'version' | 'config' | 'tree' | 'dialect'>;

/** Everything else hangs on what sshd itself says. It would wait for ever on a pipe in the place of one of its files. */
async function askSshd(host: Host, known: Known): Promise<Pick<Glance, 'facts' | 'obstacles'>> {
  const pipe = await pipeAmong(host, filesNamedIn(known));
  if (pipe !== undefined) return {obstacles: [pipeInPlace(pipe)]};
  const tested = await caught(testedConfig(host, known.daemon, known.config));
  if (tested.value === undefined) return {obstacles: failuresOf(tested)};
  const {effective} = tested.value;
  const {usable, warnings} = await readHostKeys(host, tested.value);
  const {daemon} = known;
  const {probe: found, version, config, tree, dialect} = known;
  const asked = {effective, hostKeys: usable, port: portOf(daemon, effective), warnings};
  return {facts: {probe: found, daemon, version, config, tree, dialect, ...asked}, obstacles: []};
}

/** Files that sshd opens when it starts, and when it is asked for its configuration. */
function filesNamedIn({tree, dialect}: Known): string[] {
  return settings(tree, dialect)
    .filter(({keyword}) => keyword === 'hostcertificate' || keyword === 'hostkey')
    .flatMap(({args}) => args[0] ?? [])
    .filter((path) => path.startsWith('/'));
}

async function pipeAmong(host: Host, paths: readonly string[]): Promise<string | undefined> {
  const entries = await Promise.all(paths.map((path) => lookBehind(host, path).catch(() => undefined)));
  return paths.find((_, index) => entries[index]?.kind === 'special');
}

function pipeInPlace(path: string): Failure {
  return new Failure('HOST_UNSUITABLE', `sshd was not asked: it would wait for ever on ${path}`, {
    hint: 'that is a pipe, socket or device in the place of a file; find out what put it there',
  });
}

/** Whether an obstacle is nobody's fault: an ordinary user may not read host keys, and sshd starts nothing without one. */
export function isForRootOnly({code, detail = ''}: Failure, {uid}: Probe): boolean {
  if (uid === 0) return false;
  return code !== 'SSHD_CONFIG_INVALID' || /no hostkeys available|permission denied/i.test(detail);
}

/** Only for reading files where sshd itself says nothing. */
const RECENT: Version = [9, 9];

interface Caught<T> {
  readonly value?: T;
  readonly failure?: Failure;
}

function failuresOf({failure}: Caught<unknown>): Failure[] {
  return failure === undefined ? [] : [failure];
}

async function caught<T>(work: Promise<T>): Promise<Caught<T>> {
  try {
    return {value: await work};
  } catch (error) {
    if (error instanceof Failure) return {failure: error};
    // The directory that sshd wants before its first start may not be made here.
    if (error instanceof Error && 'code' in error && error.code === 'EROFS')
      return {failure: noPrivsep(error)};
    throw error;
  }
}

function noSshd(): Failure {
  return new Failure('HOST_UNSUITABLE', 'there is no sshd on this host', {
    hint: 'install the OpenSSH server (openssh-server on Debian, Ubuntu, Fedora and RHEL)',
  });
}

function noPrivsep(cause: Error): Failure {
  const path = 'path' in cause ? String(cause.path) : '/run/sshd';
  return new Failure('HOST_UNSUITABLE', `sshd cannot be asked before its first start: ${path} is missing`, {
    cause,
    hint: 'start sshd, or connect once where a socket starts it',
  });
}
