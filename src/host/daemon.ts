// The running sshd that reads a given configuration: which process or socket, started how, listening where.

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

const DEFAULT_CONFIG = '/etc/ssh/sshd_config';

/** Options of sshd(8) that take a word; of these, the ones that matter to what is served are kept. */
const WITH_WORD = new Set(['C', 'E', 'b', 'c', 'f', 'g', 'h', 'k', 'o', 'p', 'u']);
const KEPT = new Set(['c', 'h', 'o', 'p', '4', '6']);

export interface CommandLine {
  readonly config: string;
  readonly options: readonly string[];
}

/** Reads the words of a daemon's command line as sshd's getopt does. */
export function readCommandLine(argv: readonly string[]): CommandLine {
  let config = DEFAULT_CONFIG;
  const options: string[] = [];
  for (let index = 1; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (!word.startsWith('-')) break;
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      if (!WITH_WORD.has(letter)) {
        if (KEPT.has(letter)) options.push(`-${letter}`);
        continue;
      }
      const attached = word.slice(at + 1);
      const value = attached === '' ? (argv[++index] ?? '') : attached;
      if (letter === 'f') config = value;
      else if (KEPT.has(letter)) options.push(`-${letter}`, value);
      break;
    }
  }
  return {config, options};
}

/** Picks the daemon of `config`; `same` says whether two paths name one file. */
export function findDaemon(
  probe: Probe,
  config: string,
  same: (a: string, b: string) => boolean,
): Daemon | undefined {
  const running = probe.listeners.find((process) =>
    same(absolute(readCommandLine(process.argv).config, process.cwd), config),
  );
  const socket = same(config, DEFAULT_CONFIG) ? probe.sockets[0] : undefined;
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

function absolute(path: string, cwd: string | undefined): string {
  return path.startsWith('/') ? path : `${cwd ?? ''}/${path}`;
}
