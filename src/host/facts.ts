// Everything a join has to know about a host before it changes anything. Unsuitable hosts are refused here.

import {dirname} from 'node:path/posix';
import {Failure} from '../errors.js';
import {certificateAlgorithms, plainAlgorithms} from '../ssh/algorithms.js';
import {formatPublicKey, type KeyType, type PublicKey, parsePublicKey} from '../ssh/key.js';
import {type Dialect, dialectOf, type EffectiveConfig, type Tree} from '../ssh/sshd-config/index.js';
import {configOf, type Daemon, findDaemon} from './daemon.js';
import type {Host} from './host.js';
import {type Probe, probe} from './probe.js';
import {effectiveConfig, knowsInclude, sshdVersion, type Version} from './sshd.js';
import {readTree} from './sshd-tree.js';

export interface HostKey extends PublicKey {
  /** The private key's file as sshd names it. */
  readonly file: string;
  /** Algorithms by which sshd, as configured, lets this key prove itself plain… */
  readonly plainBy: readonly string[];
  /** …and by a certificate; empty: a certificate would never be served. */
  readonly certificateBy: readonly string[];
}

export interface HostFacts {
  readonly probe: Probe;
  readonly daemon: Daemon;
  readonly version: Version;
  readonly dialect: Dialect;
  /** The main configuration file as asked for; it may be a symbolic link. */
  readonly config: string;
  readonly tree: Tree;
  readonly effective: EffectiveConfig;
  /** Keys that sshd serves and that a cluster can certify. */
  readonly hostKeys: readonly HostKey[];
  /** Where the running sshd answers, else where it would. */
  readonly port: number;
  readonly warnings: readonly string[];
}

/**
 * Looks at the host; throws HOST_UNSUITABLE or SSHD_CONFIG_INVALID when nothing should be tried here: no sshd, a
 * configuration that is broken already, no right to write it or `dataDir`.
 */
export async function lookAt(host: Host, config: string, dataDir: string): Promise<HostFacts> {
  const found = await probe(host, [config, dirname(config), dataDir]);
  const real = await realConfig(host, config);
  const resolved = await resolveAll(host, found.listeners.map(configOf));
  const daemon = findDaemon(
    found,
    config,
    (path) => path === config || (resolved.get(path) ?? path) === real,
  );
  if (daemon === undefined) {
    throw new Failure('HOST_UNSUITABLE', 'there is no sshd on this host', {
      hint: 'install the OpenSSH server first (openssh-server on Debian, Ubuntu, Fedora and RHEL)',
    });
  }
  refuseUnwritable(found);
  const [version, effective, include] = await Promise.all([
    sshdVersion(host, daemon.program),
    effectiveConfig(host, daemon, config),
    includes(host, daemon, real),
  ]);
  const dialect = {...dialectOf(version), ...(include !== undefined && {include})};
  const [tree, keys] = await Promise.all([readTree(host, config, dialect), readHostKeys(host, effective)]);
  if (keys.usable.length === 0) {
    throw new Failure('HOST_UNSUITABLE', 'sshd has no host key that a cluster could certify', {
      ...(keys.warnings.length > 0 && {detail: keys.warnings.join('\n')}),
      hint: 'make keys with `ssh-keygen -A` and check their mode (0600)',
    });
  }
  return {
    probe: found,
    daemon,
    version,
    dialect,
    config,
    tree,
    effective,
    hostKeys: keys.usable,
    port: portOf(daemon, effective),
    warnings: keys.warnings,
  };
}

/** A file with an Include line that sshd has accepted (else we are refused elsewhere) saves the probe. */
async function includes(host: Host, daemon: Daemon, file: string): Promise<boolean | undefined> {
  const main = await host.look(file).catch(() => undefined);
  const text = main?.kind === 'file' ? Buffer.from(main.bytes).toString('latin1') : '';
  return /^[ \t]*include[ \t=]/im.test(text) || knowsInclude(host, daemon);
}

async function resolveAll(host: Host, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const resolve = async (path: string) => [path, await host.resolve(path).catch(() => path)] as const;
  return new Map(await Promise.all(paths.map(resolve)));
}

async function realConfig(host: Host, config: string): Promise<string> {
  const real = await resolved(host, config);
  // Before sshd is asked to read it: a named pipe would keep it waiting.
  const entry = await host.look(real).catch(unreadable(config));
  if (entry?.kind === 'file') return real;
  throw new Failure('HOST_UNSUITABLE', `${config} is not a regular file`, {
    hint: 'name the file that sshd really reads with --openssh-config',
  });
}

function unreadable(config: string): (cause: unknown) => never {
  return (cause) => {
    throw new Failure('HOST_UNSUITABLE', `cannot read ${config}`, {cause, hint: 'join as root, with sudo'});
  };
}

async function resolved(host: Host, config: string): Promise<string> {
  try {
    return await host.resolve(config);
  } catch (error) {
    const link = await host.look(config).catch(() => undefined);
    const dangling = link?.kind === 'symlink';
    throw new Failure(
      'HOST_UNSUITABLE',
      dangling ? `${config} is a dangling symbolic link` : `cannot read ${config}`,
      {
        detail: dangling
          ? `${config} -> ${link.target}`
          : error instanceof Error
            ? error.message
            : String(error),
        hint: 'name the file that sshd really reads with --openssh-config',
      },
    );
  }
}

/** Says no before anything is tried: not root, a read-only file system, an immutable file. */
function refuseUnwritable({unwritable, uid}: Probe): void {
  if (unwritable.length === 0) return;
  throw new Failure('HOST_UNSUITABLE', `${unwritable.join(' and ')} cannot be written`, {
    hint:
      uid === 0
        ? 'it is on a read-only file system or marked immutable (see `lsattr`); make it writable, then join'
        : 'join as root, with sudo',
  });
}

/** The public halves of what sshd serves, read from .pub files or asked of ssh-keygen. */
async function readHostKeys(host: Host, effective: EffectiveConfig) {
  const files = effective.all('hostkey');
  const allowed = effective.one('hostkeyalgorithms')?.split(',');
  const usable: HostKey[] = [];
  const warnings: string[] = [];
  for (const found of await Promise.all(files.map((file) => readHostKey(host, file, allowed)))) {
    if ('warning' in found) warnings.push(found.warning);
    else if (!usable.some((key) => formatPublicKey(key.blob) === formatPublicKey(found.blob)))
      usable.push(found);
  }
  return {usable, warnings: warnings.filter((warning) => warning !== '')};
}

async function readHostKey(
  host: Host,
  file: string,
  allowed: readonly string[] | undefined,
): Promise<HostKey | {warning: string}> {
  const secret = await host.look(file).catch(() => undefined);
  // A default key that was never made is not worth a word; sshd skips it as well.
  if (secret === undefined)
    return {warning: isDefaultKey(file) ? '' : `host key ${file} cannot be read; it is not served`};
  if (secret.kind === 'file' && (secret.mode & 0o077) !== 0 && !looksShared(secret.mode)) {
    return {
      warning: `host key ${file} has mode ${secret.mode.toString(8)}; sshd does not load it (chmod 0600 ${file})`,
    };
  }
  const line = (await publicHalf(host, file)).trim();
  try {
    const key = parsePublicKey(line);
    return {...key, file, ...provenBy(key.type, allowed)};
  } catch {
    const type = line.split(' ')[0] ?? '';
    return {
      warning: `host key ${file} (${type || 'unreadable'}) is of no kind that a cluster certifies; left as it is`,
    };
  }
}

/** HostKeyAlgorithms may leave out plain keys or certificates of a type. SHA-1 is used where there is nothing else. */
function provenBy(type: KeyType, allowed: readonly string[] | undefined) {
  const modern = (names: readonly string[]) => {
    const known = names.filter((name) => allowed === undefined || allowed.includes(name));
    const sha2 = known.filter((name) => !/^ssh-rsa(-cert|$)/.test(name));
    return sha2.length > 0 ? sha2 : known;
  };
  return {plainBy: modern(plainAlgorithms(type)), certificateBy: modern(certificateAlgorithms(type))};
}

async function publicHalf(host: Host, file: string): Promise<string> {
  const beside = await host.look(`${file}.pub`).catch(() => undefined);
  if (beside?.kind === 'file') return Buffer.from(beside.bytes).toString('latin1');
  const {stdout} = await host.run(['ssh-keygen', '-y', '-P', '', '-f', file]);
  return stdout;
}

function isDefaultKey(file: string): boolean {
  return /^\/etc\/ssh\/ssh_host_(rsa|dsa|ecdsa|ed25519|mldsa44_ed25519|xmss)_key$/.test(file);
}

/** RHEL keeps host keys 0640 root:ssh_keys, and its sshd takes them. */
function looksShared(mode: number): boolean {
  return (mode & 0o777) === 0o640;
}

/** The live socket knows best: under socket activation Port in the file may mean nothing. */
function portOf(daemon: Daemon, effective: EffectiveConfig): number {
  const live = daemon.listening.map((address) => Number(address.slice(address.lastIndexOf(':') + 1)));
  return live[0] ?? Number(effective.one('port') ?? 22);
}
