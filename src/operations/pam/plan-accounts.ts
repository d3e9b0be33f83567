// What each new account is to be, from what was wished and what the host has. Reads the host and changes nothing.

import {basename, dirname, join} from 'node:path/posix';
import {Failure} from '../../errors.js';
import type {NewAccount} from '../../host/account-commands.js';
import type {Accounts, Group} from '../../host/accounts.js';
import type {Host} from '../../host/host.js';

/** Checked words of a `ProvisionWish`. */
export interface AccountWish {
  readonly home: NewAccount['home'];
  readonly template?: string;
  readonly shell?: string;
  readonly groups?: readonly string[];
}

export interface PlannedAccount extends NewAccount {
  /** Its home, whether that is made or not. */
  readonly path: string;
  /** Something is there already, which is not ours to remove. */
  readonly occupied: boolean;
}

/** HOST_UNSUITABLE where one of them could not be made as wished: then none is. */
export async function planAccounts(
  host: Host,
  found: Accounts,
  logins: readonly string[],
  wish: AccountWish,
): Promise<{readonly plans: readonly PlannedAccount[]; readonly warnings: readonly string[]}> {
  const like = wish.template === undefined ? undefined : templateOf(found, wish.template);
  refuseMissingGroups(found, wish.groups ?? []);
  const groups = wish.groups ?? like?.groups ?? [];
  const shell = wish.shell ?? like?.shell;
  if (shell !== undefined) await refuseUnusableShell(host, shell);
  if (like?.base !== undefined && wish.home === 'made') await refuseMissingBase(host, like.base);
  refuseTakenGroups(found, logins, groups, like?.primary);
  const plans = await Promise.all(
    logins.map(async (login): Promise<PlannedAccount> => {
      // Only who names that group among the others wants the account in it.
      const primary = groups.includes(login) ? login : like?.primary;
      const path = join(like?.base ?? found.base, login);
      return {
        login,
        home: wish.home,
        ...(like?.base !== undefined && {base: like.base}),
        ...(shell !== undefined && {shell}),
        ...(primary !== undefined && {primary}),
        groups: groups.filter((group) => group !== primary),
        path,
        occupied: (await host.look(path)) !== undefined,
      };
    }),
  );
  return {
    plans,
    warnings: [
      ...(like?.warnings ?? []),
      ...(shell === undefined ? [] : shellWarnings(found, shell)),
      ...plans.filter(({home, occupied}) => home === 'made' && occupied).map(occupiedWarning),
    ],
  };
}

interface Template {
  readonly shell?: string;
  /** Absent: the platform's own. */
  readonly base?: string;
  readonly primary?: string;
  readonly groups: readonly string[];
  readonly warnings: readonly string[];
}

/** What others get of an account. Its primary group too, where that is shared: one that bears its own name is its own. */
export function templateOf({accounts, groups, base}: Accounts, name: string): Template {
  const account = accounts.get(name);
  if (account === undefined) {
    throw new Failure('HOST_UNSUITABLE', `there is no account ${name} to take anything from`, {
      hint: '`getent passwd` lists those of this host',
    });
  }
  const primary = groups.find(({gid}) => gid === account.gid);
  const shared = primary !== undefined && primary.name !== name ? primary.name : undefined;
  const parent = parentOf(account.home, name);
  return {
    ...(account.shell !== '' && {shell: account.shell}),
    ...(parent !== undefined && parent !== base && {base: parent}),
    ...(shared !== undefined && {primary: shared}),
    groups: groups
      .filter((group) => group !== primary && group.members.includes(name))
      .map((group) => group.name),
    warnings: [
      ...(parent === undefined
        ? [
            `the home of ${name} is ${account.home}, which tells nothing of where others belong: ${base} it is`,
          ]
        : []),
      ...(primary === undefined
        ? [
            `the primary group of ${name} (${account.gid}) is not in /etc/group: each account gets one of its own`,
          ]
        : []),
    ],
  };
}

/** Homes of system accounts (/root, /var/www, /nonexistent) have no place for others beside them. */
function parentOf(home: string, name: string): string | undefined {
  const parent = dirname(home);
  return basename(home) === name && parent.startsWith('/') && parent !== '/' ? parent : undefined;
}

/** Those of a directory service are joined there: useradd passes over them without a word. */
function refuseMissingGroups({groups}: {readonly groups: readonly Group[]}, wanted: readonly string[]): void {
  const missing = wanted.filter((name) => !groups.some((group) => group.name === name));
  if (missing.length === 0) return;
  const what =
    missing.length === 1 ? `there is no group ${missing[0]}` : `there are no groups ${missing.join(', ')}`;
  throw new Failure('HOST_UNSUITABLE', `${what} in /etc/group`, {
    hint: `make it first, for example with \`groupadd ${missing[0]}\`; no account was made`,
  });
}

/**
 * A group that bears the name of a login may open doors (docker, adm, wheel): an account gets into it only by being told to.
 */
function refuseTakenGroups(
  {alsoGroups}: Accounts,
  logins: readonly string[],
  groups: readonly string[],
  primary: string | undefined,
): void {
  const taken = logins.filter((login) => alsoGroups.has(login) && !groups.includes(login));
  const [first] = taken;
  if (first === undefined || primary !== undefined) return;
  const what = taken.length === 1 ? `there is a group ${first}` : `there are groups ${taken.join(', ')}`;
  throw new Failure('HOST_UNSUITABLE', `${what}, but no such account`, {
    hint: `if ${first} is to be in that group, say --groups ${[...groups, first].join(',')}; no account was made`,
  });
}

async function refuseUnusableShell(host: Host, shell: string): Promise<void> {
  const real = await host.resolve(shell).catch(() => undefined);
  const entry = real === undefined ? undefined : await host.look(real);
  if (entry?.kind === 'file' && (entry.mode & 0o111) !== 0) return;
  const what = entry === undefined ? 'does not exist' : 'is no program';
  throw new Failure('HOST_UNSUITABLE', `the shell ${shell} ${what} on this host`, {
    hint: 'install it first, or take one of /etc/shells; no account was made',
  });
}

async function refuseMissingBase(host: Host, base: string): Promise<void> {
  const real = await host.resolve(base).catch(() => undefined);
  if (real !== undefined && (await host.look(real))?.kind === 'directory') return;
  throw new Failure('HOST_UNSUITABLE', `homes belong in ${base}, and there is no such directory`, {
    hint: 'make it, or mount it, first; or leave the homes to others with --no-home. No account was made',
  });
}

function shellWarnings({shells}: Accounts, shell: string): readonly string[] {
  if (/^(nologin|false)$/.test(basename(shell)))
    return [`the shell is ${shell}: nobody gets in with that; --shell gives another`];
  if (shells === undefined || shells.includes(shell)) return [];
  return [`${shell} is not in /etc/shells: where PAM asks pam_shells, it lets nobody in with it`];
}

function occupiedWarning({login, path}: PlannedAccount): string {
  return `${path} is there already and stays as it is, whoever owns it; if it is ${login}'s: chown -R ${login}: ${path}`;
}
