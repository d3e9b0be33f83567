// How to make the running sshd take a new configuration, and how to bring it back. The rules were measured: a reload
// under socket activation kills the service, a restart there refuses nobody; elsewhere a reload keeps every session.

import {Failure} from '../errors.js';
import type {Daemon} from './daemon.js';

export interface Reload {
  /** undefined: nothing has to be done, the next connection starts sshd with the new configuration. */
  readonly argv: readonly string[] | undefined;
  /** Brings sshd back on the old files, whether it lives or died of the reload. */
  readonly settle: readonly string[] | undefined;
  /** For people: "ssh.service (pid 812 stays)". */
  readonly text: string;
}

/** SIGHUP; a daemon that is gone or dies of it is started again as it was. */
const REVIVE = `
if kill -HUP "$1" 2>/dev/null; then sleep 1; kill -0 "$1" 2>/dev/null && exit 0; fi
shift; exec "$@"`;

/** `command` is the user's own reload command, run by /bin/sh as Teleport's agent does. */
export function reloadOf(daemon: Daemon, command: string | undefined): Reload {
  if (command !== undefined) {
    const argv = ['/bin/sh', '-c', command];
    return {argv, settle: argv, text: `\`${command}\``};
  }
  const {process, socket} = daemon;
  if (process === undefined) {
    const text = socket
      ? `not needed: ${socket} starts sshd for the next connection`
      : 'not needed: sshd is not running';
    return {argv: undefined, settle: undefined, text};
  }
  if (process.unit !== undefined && socket !== undefined) {
    const argv = ['systemctl', 'restart', process.unit];
    return {argv, settle: argv, text: `${process.unit} restarted (${socket} keeps listening)`};
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
    settle: ['/bin/sh', '-c', REVIVE, 'sh', String(process.pid), ...process.argv],
    text: `pid ${process.pid} (SIGHUP)`,
  };
}
