// The commands that make an account, and take away one that was only half made. Pure.

import {join} from 'node:path/posix';
import type {Maker} from './accounts.js';

/** What an account is to be; what is absent is as the platform has it. */
export interface NewAccount {
  readonly login: string;
  readonly home: 'made' | 'left out';
  /** The directory that its home is in. */
  readonly base?: string;
  readonly shell?: string;
  /** Absent: a group of its own. */
  readonly primary?: string;
  /** Further groups. */
  readonly groups: readonly string[];
}

export interface Command {
  readonly argv: readonly string[];
  readonly input?: string;
}

/**
 * A password that nothing matches, as Debian's `adduser --disabled-password` and the accounts of the system have it. The
 * "!" that both programs give by themselves means the same to everybody but an sshd without PAM (UsePAM no, or Alpine's,
 * which is built without): to that one it is a lock on the account, and it refuses the certificate too, with "account
 * is locked" (measured: test/e2e/provision.test.ts).
 */
const NO_PASSWORD = '*';

/** In order; the first makes the account, and each has to end with 0. No shell is guessed and no comment made up. */
export function creation(maker: Maker, wanted: NewAccount): readonly Command[] {
  return maker === 'useradd' ? [{argv: useradd(wanted)}] : adduser(wanted);
}

function useradd({login, home, base, shell, primary, groups}: NewAccount): readonly string[] {
  return [
    'useradd',
    home === 'made' ? '--create-home' : '--no-create-home',
    ...(base === undefined ? [] : ['--base-dir', base]),
    ...(shell === undefined ? [] : ['--shell', shell]),
    ...(primary === undefined ? [] : ['--gid', primary]),
    ...(groups.length === 0 ? [] : ['--groups', groups.join(',')]),
    '--password',
    NO_PASSWORD,
    '--',
    login,
  ];
}

/** Left to itself BusyBox writes "Linux User,,," as the comment. */
function adduser({login, home, base, shell, primary, groups}: NewAccount): readonly Command[] {
  const words = [
    ...(home === 'made' ? [] : ['-H']),
    ...(base === undefined ? [] : ['-h', join(base, login)]),
    ...(shell === undefined ? [] : ['-s', shell]),
    ...(primary === undefined ? [] : ['-G', primary]),
  ];
  return [
    {argv: ['adduser', '-D', '-g', '', ...words, '--', login]},
    ...groups.map((group) => ({argv: ['addgroup', '--', login, group]})),
    {argv: ['chpasswd', '-e'], input: `${login}:${NO_PASSWORD}\n`},
  ];
}

/** Takes an account away, with its home where that was made for it. BusyBox's deluser does not know `--`. */
export function removal(maker: Maker, {login}: NewAccount, home: 'with home' | 'without home'): Command {
  const withHome = home === 'with home';
  return {
    argv:
      maker === 'useradd'
        ? ['userdel', ...(withHome ? ['--remove'] : []), '--', login]
        : ['deluser', ...(withHome ? ['--remove-home'] : []), login],
  };
}

/** Statuses of useradd(8) with which it has made nothing; 9 may mean that somebody else just has. */
const MADE_NOTHING = [2, 3, 4, 6, 9];

/**
 * Whether a first command that has failed may have left an account of ours. Not so where it was refused: then one that is
 * there now was made by somebody else in the meantime.
 */
export function mayHaveMade(maker: Maker, status: number | undefined, stderr: string): boolean {
  if (status === undefined) return true;
  // It ends with 1 for whatever it refuses, before it makes anything.
  if (maker === 'busybox') return false;
  return !MADE_NOTHING.includes(status) && !/cannot lock /.test(stderr);
}

/** Caches that may remember that there is no such account; whichever are here, and whatever they say. */
export const FORGET: readonly string[] = [
  '/bin/sh',
  '-c',
  `PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin
if command -v nscd; then nscd -i passwd; nscd -i group; fi
if command -v sss_cache; then sss_cache -U -G; fi
exit 0`,
];
