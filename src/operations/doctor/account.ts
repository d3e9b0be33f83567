// The account behind a login, as the system knows it: what keeps a shell from being started although sshd lets it in, and
// what explains a refusal.

import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';

export interface Account {
  readonly login: string;
  /** Undefined: there is no such account. */
  readonly shell?: string;
  /** What lies at the shell's path: a program, something else, or nothing. */
  readonly shellState: 'program' | 'not executable' | 'missing';
  /** Whether /etc/shells lists it; undefined: there is no such file. */
  readonly listed?: boolean;
  /** The password field is locked; undefined: only root may know. */
  readonly locked?: boolean;
  /** The text of /etc/nologin or /run/nologin, which keeps out everybody but root. */
  readonly nologin?: string;
}

export interface Note {
  readonly text: string;
  readonly fix: string;
}

export async function readAccount(host: Host, login: string, {probe}: HostFacts): Promise<Account> {
  const entry = (await host.run(['getent', 'passwd', '--', login])).stdout.trim().split(':');
  const [shells, nologin, shadow] = await Promise.all([
    textOf(host, '/etc/shells'),
    firstText(host, ['/etc/nologin', '/run/nologin', '/var/run/nologin']),
    probe.uid === 0 ? host.run(['getent', 'shadow', '--', login]) : undefined,
  ]);
  if (entry.length < 7) return {login, shellState: 'missing'};
  // An empty field means the Bourne shell.
  const shell = entry[6] || '/bin/sh';
  const password = shadow?.stdout.trim().split(':')[1];
  return {
    login,
    shell,
    shellState: await shellState(host, shell),
    ...(shells !== undefined && {listed: shells.split('\n').some((line) => line.trim() === shell)}),
    ...(password !== undefined && {locked: /^(!|\*LK\*)/.test(password)}),
    ...(nologin !== undefined && {nologin: nologin.trim()}),
  };
}

async function shellState(host: Host, shell: string): Promise<Account['shellState']> {
  const real = await host.resolve(shell).catch(() => undefined);
  const entry = real === undefined ? undefined : await host.look(real).catch(() => undefined);
  if (entry === undefined) return 'missing';
  return entry.kind === 'file' && (entry.mode & 0o111) !== 0 ? 'program' : 'not executable';
}

async function textOf(host: Host, path: string): Promise<string | undefined> {
  const entry = await lookBehind(host, path).catch(() => undefined);
  return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('utf8') : undefined;
}

async function firstText(host: Host, paths: readonly string[]): Promise<string | undefined> {
  const texts = await Promise.all(paths.map((path) => textOf(host, path)));
  return texts.find((text) => text !== undefined);
}

/** What of an account is in the way of a shell, in plain words. */
export function accountNotes(account: Account, {effective}: Pick<HostFacts, 'effective'>): readonly Note[] {
  const {login, shell, shellState: state, listed, locked, nologin} = account;
  if (shell === undefined) {
    const text = `there is no account ${login}, and stock sshd cannot make one at the first login`;
    return [{text, fix: `create it beforehand, for example: sudo useradd --create-home ${login}`}];
  }
  const pam = effective.one('usepam')?.toLowerCase() === 'yes';
  const change = `give it another shell: sudo chsh --shell /bin/sh ${login}`;
  return [
    ...(state === 'missing' ? [{text: `the shell ${shell} does not exist`, fix: change}] : []),
    ...(state === 'not executable' ? [{text: `the shell ${shell} is no program`, fix: change}] : []),
    ...(/\/(nologin|false)$/.test(shell)
      ? [{text: `the shell ${shell} ends every session at once`, fix: change}]
      : []),
    ...(listed === false && !/\/(nologin|false)$/.test(shell)
      ? [
          {
            text: `the shell ${shell} is not listed in /etc/shells`,
            fix: `add it there, if it is meant to be a login shell`,
          },
        ]
      : []),
    ...(locked && !pam
      ? [
          {
            text: 'the account is locked, and without PAM sshd refuses locked accounts',
            fix: `UsePAM yes, or: sudo usermod --password '*' ${login}`,
          },
        ]
      : []),
    ...(nologin !== undefined && login !== 'root'
      ? [
          {
            text: `/etc/nologin or /run/nologin keeps everybody out but root${nologin === '' ? '' : `: ${nologin}`}`,
            fix: 'remove that file when the maintenance is over',
          },
        ]
      : []),
  ];
}
