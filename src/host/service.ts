// How to make the running sshd take a new configuration, and how to bring it back. The rules were measured: a reload
// under socket activation kills the service, a restart there refuses nobody; elsewhere a reload keeps every session.

import {Failure} from '../errors.js';
import type {Daemon} from './daemon.js';
import type {Process} from './probe.js';

export interface Reload {
  /** undefined: nothing has to be done, sshd does not run. */
  readonly argv: readonly string[] | undefined;
  /** Brings sshd back on the old files, whether it lives or died of the reload. */
  readonly settle: readonly string[] | undefined;
  /** For people: "ssh.service (pid 812 stays)". */
  readonly text: string;
}

/**
 * SIGHUP; a daemon that is gone or dies of it is started again as it was. It may be one that stays in the foreground,
 * so nobody waits for it; setsid keeps the shell from making it deaf to SIGINT.
 */
const REVIVE = `
if kill -HUP "$1" 2>/dev/null; then sleep 0.3 || sleep 1; kill -0 "$1" 2>/dev/null && exit 0; fi
shift; exec </dev/null >/dev/null 2>&1
if setsid -f true; then setsid -f "$@"; else "$@" & fi`;

/** The user's command ($0), and our own way where that fails: it may have been what has ended sshd. */
const OWN_COMMAND_OR = 'sh -c "$0" && exit 0; ';

/** Units that were started too often in a short time, or failed to start, stay failed until that is forgotten. */
const FORGET = 'systemctl reset-failed "$@" 2>/dev/null; ';
const RESTART = `${FORGET}exec systemctl restart "$1"`;

/** A service ($1) that runs is started again; its socket ($2) listens afterwards, or else the service itself does. */
const SETTLE_SOCKET =
  `${FORGET}systemctl try-restart "$1" && ` +
  '{ systemctl --quiet is-active "$2" || systemctl start "$2" || exec systemctl restart "$1"; }';

/** `command` is the user's own reload command, run by /bin/sh as Teleport's agent does. */
export function reloadOf(daemon: Daemon, command: string | undefined): Reload {
  if (command !== undefined) return reloadByCommand(daemon, command);
  const {process, socket} = daemon;
  if (process === undefined) {
    return socket === undefined
      ? {argv: undefined, settle: undefined, text: 'not needed: sshd is not running'}
      : reloadOfSocket(socket);
  }
  if (process.unit !== undefined && socket !== undefined) {
    return {
      argv: ['systemctl', 'restart', process.unit],
      settle: ['/bin/sh', '-c', SETTLE_SOCKET, 'sh', process.unit, socket],
      text: `${process.unit} restarted (${socket} keeps listening)`,
    };
  }
  if (process.unit !== undefined) {
    return {
      argv: ['systemctl', 'reload', process.unit],
      settle: ['systemctl', 'reload-or-restart', process.unit],
      text: `${process.unit} (pid ${process.pid} stays)`,
    };
  }
  if (process.pid === 1) {
    throw new Failure(
      'HOST_UNSUITABLE',
      'sshd is process 1 here, so a failed reload would end this container',
      {
        hint: 'join while the image is built, or use --no-restart-sshd and restart the container yourself',
      },
    );
  }
  return {
    argv: ['kill', '-HUP', String(process.pid)],
    settle: ['/bin/sh', '-c', REVIVE, 'sh', ...revived(process)],
    text: `pid ${process.pid} (SIGHUP)`,
  };
}

/** Nothing runs, but a connection that comes after we have looked starts it; the one of our own proof in any case. */
function reloadOfSocket(socket: string): Reload {
  const unit = socket.replace(/socket$/, 'service');
  return {
    argv: ['systemctl', 'try-restart', unit],
    settle: ['/bin/sh', '-c', SETTLE_SOCKET, 'sh', unit, socket],
    text: `not needed: ${socket} starts sshd for the next connection`,
  };
}

/** What brings the daemon back when it does not answer although every file is as it was. */
export function revival({process}: Daemon): readonly string[] | undefined {
  if (process === undefined || process.pid === 1) return undefined;
  if (process.unit !== undefined) return ['/bin/sh', '-c', RESTART, 'sh', process.unit];
  return ['/bin/sh', '-c', REVIVE, 'sh', ...revived(process)];
}

function reloadByCommand({process}: Daemon, command: string): Reload {
  const argv = ['/bin/sh', '-c', command];
  const text = `\`${command}\``;
  if (process === undefined || process.pid === 1) return {argv, settle: argv, text};
  const own = process.unit === undefined ? REVIVE : `exec systemctl reload-or-restart "$1"`;
  const words = process.unit === undefined ? revived(process) : [process.unit];
  return {argv, settle: ['/bin/sh', '-c', OWN_COMMAND_OR + own, command, ...words], text};
}

function revived({pid, argv}: Process): string[] {
  return [String(pid), ...argv];
}
