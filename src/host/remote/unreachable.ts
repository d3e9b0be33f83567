// Why there is no shell at the other end, in the words of whoever has refused: ssh, sudo, or the login shell.

import {Failure} from '../../errors.js';
import {shellWord} from '../shell-word.js';
import {wordsFor} from './destination.js';
import type {RemoteOptions} from './remote-shell.js';

/** ssh has this status for its own failures; any other is that of what it has started. */
const SSH_FAILED = 255;

/** HOST_UNREACHABLE with the words of ssh, of sudo, or of the login shell. */
export function unreachable(options: RemoteOptions, said: string, status: number = SSH_FAILED): Failure {
  const {destination, sudo} = options;
  const where = destination.host;
  const words = said
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '' && !/^(Warning: Permanently added|Killed by signal)/.test(line))
    .join('\n');
  const detail = words === '' ? {} : {detail: words};
  if (status === SSH_FAILED) {
    const hint = hintFor(options, words);
    return new Failure('HOST_UNREACHABLE', `no connection to ${where} by ssh`, {...detail, hint});
  }
  return sudo
    ? new Failure('HOST_UNREACHABLE', `sudo on ${where} does not make us root`, {
        ...detail,
        hint: hintForSudo(words),
      })
    : new Failure('HOST_UNREACHABLE', `${where} gives this login no shell`, {
        ...detail,
        hint: `its login shell, or a ForceCommand of its sshd, has to run commands: check that \`${byHand(options)} true\` works`,
      });
}

function hintForSudo(words: string): string {
  return /password|terminal|tty/.test(words)
    ? 'sudo would ask for a password, which nobody can give here: allow it without (NOPASSWD), or log in as root'
    : 'allow this login to run /bin/sh by sudo, or log in as root';
}

function hintFor(options: RemoteOptions, words: string): string {
  const command = byHand(options);
  if (/Host key verification failed|REMOTE HOST IDENTIFICATION/.test(words))
    return `compare its host key with what the host's console says, then connect once by hand: ${command}`;
  if (/Permission denied/.test(words)) return `check that \`${command}\` lets you in without a password`;
  return `check that \`${command} true\` works from here`;
}

/** How a person connects to that host. */
function byHand({destination, sshConfig}: RemoteOptions): string {
  const config = sshConfig === undefined ? [] : ['-F', sshConfig];
  const words = wordsFor(destination).filter((word) => word !== '--');
  return ['ssh', ...config, ...words].map(shellWord).join(' ');
}
