// Everything a join has to know about a host before it changes anything. Unsuitable hosts are refused here.

import {dirname} from 'node:path/posix';
import {Failure} from '../errors.js';
import {type Dialect, dialectOf, type EffectiveConfig, type Tree} from '../ssh/sshd-config/index.js';
import {configOf, type Daemon, findDaemon} from './daemon.js';
import type {Host} from './host.js';
import {type HostKey, readHostKeys} from './host-keys.js';
import {type Probe, probe} from './probe.js';
import {knowsInclude, sshdVersion, testedConfig, type Version} from './sshd.js';
import {readTree} from './sshd-tree.js';

export type {HostKey} from './host-keys.js';

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
  const [found, main] = await Promise.all([
    probe(host, [config, dirname(config), dataDir], config),
    readMain(host, config),
  ]);
  const daemon = await daemonOf(host, found, config, main.real);
  if (daemon === undefined) {
    throw new Failure('HOST_UNSUITABLE', 'there is no sshd on this host', {
      hint: 'install the OpenSSH server first (openssh-server on Debian, Ubuntu, Fedora and RHEL)',
    });
  }
  refuseUnwritable(found);
  const [version, tested, include] = await Promise.all([
    sshdVersion(host, daemon.program, found),
    testedConfig(host, daemon, config, found),
    hasInclude(main) || knowsInclude(host, daemon),
  ]);
  const {effective} = tested;
  const dialect = {...dialectOf(version), ...(include !== undefined && {include})};
  const [tree, keys] = await Promise.all([readTree(host, config, dialect), readHostKeys(host, tested)]);
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

/** The daemon that reads `config`, whose real file is `real`, under whatever name it was given it. */
export async function daemonOf(
  host: Host,
  found: Probe,
  config: string,
  real: string,
): Promise<Daemon | undefined> {
  const others = found.listeners.map(configOf).filter((path) => path !== config);
  const resolved = await resolveAll(host, others);
  return findDaemon(found, config, (path) => path === config || (resolved.get(path) ?? path) === real);
}

/** Of a file that sshd has accepted (else we are refused elsewhere) it shows that this sshd knows such lines. */
export function hasInclude({text}: MainFile): boolean {
  return /^[ \t]*include[ \t=]/im.test(text);
}

async function resolveAll(host: Host, paths: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const resolve = async (path: string) => [path, await host.resolve(path).catch(() => path)] as const;
  return new Map(await Promise.all(paths.map(resolve)));
}

export interface MainFile {
  /** Behind a link, if one was named. */
  readonly real: string;
  /** Latin-1. */
  readonly text: string;
}

/** HOST_UNSUITABLE where it cannot be read, or is no file: a named pipe would keep sshd waiting. */
export async function readMain(host: Host, config: string): Promise<MainFile> {
  const real = await resolved(host, config);
  const entry = await host.look(real).catch(unreadable(config));
  if (entry?.kind === 'file') return {real, text: Buffer.from(entry.bytes).toString('latin1')};
  throw new Failure('HOST_UNSUITABLE', `${config} is not a regular file`, {
    hint: 'name the file that sshd really reads with --openssh-config',
  });
}

function unreadable(config: string): (cause: unknown) => never {
  return (cause) => {
    throw new Failure('HOST_UNSUITABLE', `cannot read ${config}`, {
      cause,
      hint: 'run this as root, with sudo',
    });
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
export function refuseUnwritable({unwritable, uid}: Pick<Probe, 'unwritable' | 'uid'>): void {
  if (unwritable.length === 0) return;
  throw new Failure('HOST_UNSUITABLE', `${unwritable.join(' and ')} cannot be written`, {
    hint:
      uid === 0
        ? 'it is on a read-only file system or marked immutable (see `lsattr`); make it writable, and run this again'
        : 'run this as root, with sudo',
  });
}

/** The live socket knows best: under socket activation Port in the file may mean nothing. */
export function portOf(daemon: Daemon, effective: EffectiveConfig): number {
  const live = daemon.listening.map((address) => Number(address.slice(address.lastIndexOf(':') + 1)));
  return live[0] ?? Number(effective.one('port') ?? 22);
}
