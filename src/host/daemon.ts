// The running sshd that reads a given configuration: which process or socket, started how, listening where.

import {readOptions} from './getopt.js';
import type {Probe, Process} from './probe.js';

export interface Daemon {
  readonly state: 'running' | 'socket' | 'stopped';
  /** The listener, when it runs. */
  readonly process: Process | undefined;
  /** Socket unit that starts it on demand. */
  readonly socket: string | undefined;
  /** The sshd program. */
  readonly program: string;
  /** Options the daemon was started with that decide its configuration (-o, -h, -c, -p …), without -f. */
  readonly options: readonly string[];
  /** Live listening addresses "host:port"; empty when nothing listens. */
  readonly listening: readonly string[];
}

/** The file that sshd reads where it is told of none. */
export const DEFAULT_CONFIG = '/etc/ssh/sshd_config';

/** Options that matter to what is served. */
const KEPT = 'chop46';

export interface CommandLine {
  readonly config: string;
  readonly options: readonly string[];
}

/** The words of a daemon's command line that decide its configuration. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  const options = readOptions(argv);
  return {
    config: options.findLast(({letter}) => letter === 'f')?.value ?? DEFAULT_CONFIG,
    options: options
      .filter(({letter}) => KEPT.includes(letter))
      .flatMap(({letter, value}) => (value === '' ? [`-${letter}`] : [`-${letter}`, value])),
  };
}

/** The configuration file that a listener reads, absolute. */
export function configOf({argv, cwd}: Process): string {
  const {config} = readCommandLine(argv);
  return config.startsWith('/') ? config : `${cwd ?? ''}/${config}`;
}

/** Picks the daemon that reads `config`; `isIt` says whether another path names the same file. */
export function findDaemon(
  probe: Probe,
  config: string,
  isIt: (path: string) => boolean,
): Daemon | undefined {
  const running = probe.listeners.find((process) => isIt(configOf(process)));
  const socket = config === DEFAULT_CONFIG ? probe.sockets[0] : undefined;
  const program = running?.exe ?? running?.argv[0] ?? probe.sshd;
  if (program === undefined) return undefined;
  return {
    state: running ? 'running' : socket ? 'socket' : 'stopped',
    process: running,
    socket: socket?.unit,
    program,
    options: running ? readCommandLine(running.argv).options : [],
    listening: running && running.listening.length > 0 ? running.listening : (socket?.listening ?? []),
  };
}
