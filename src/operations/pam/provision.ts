// Makes accounts beforehand: a stock sshd refuses a login that it does not know before it asks PAM or anybody else. Looks,
// refuses early, then makes one account after the other, each whole or not at all. What exists is left as it is.

import {Failure} from '../../errors.js';
import {type Command, creation} from '../../host/account-commands.js';
import {type Account, type Accounts, lookAtAccounts, type Maker} from '../../host/accounts.js';
import {asRoot} from '../../host/as-root.js';
import {refuseUnwritable} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import type {Reporter} from '../reporter.js';
import {parseGroups, parseLogins, parseShell, parseTemplate} from './logins.js';
import {isThere, makeAccount} from './make-account.js';
import {type PlannedAccount, planAccounts} from './plan-accounts.js';

export interface ProvisionTools {
  readonly host: Host;
  readonly report: Pick<Reporter, 'warn'>;
  readonly signal: AbortSignal;
}

export interface ProvisionWish {
  /** As typed; several may be in one word, between commas. */
  readonly logins: readonly string[];
  /** An account whose shell, groups and place of its home new ones get, where nothing else is said. */
  readonly template?: string;
  /** Absent: the template's, else as the platform has it. */
  readonly shell?: string;
  /** As typed, like the logins; absent: the template's, else none. */
  readonly groups?: readonly string[];
  /** False: no home is made. */
  readonly home: boolean;
  readonly dryRun: boolean;
}

export interface ProvisionedAccount {
  readonly login: string;
  /** `missing` only in a dry run. */
  readonly state: 'created' | 'exists' | 'missing';
  /** Absent while it is missing. */
  readonly uid?: number;
  readonly home: string;
  /** Absent: as the platform has it. */
  readonly shell?: string;
  /** Those that it was put into, or would be, besides its own. */
  readonly groups: readonly string[];
  /** Only of one that is missing: what would be run. */
  readonly commands?: readonly Command[];
}

export interface Provisioned {
  /** In a dry run: as it would be. */
  readonly changed: boolean;
  /** In the order in which they were named. */
  readonly accounts: readonly ProvisionedAccount[];
}

/**
 * USAGE or HOST_UNSUITABLE before anything is changed. CHANGE_FAILED: one account could not be made whole and is gone
 * again; those made before it stay, and `detail` tells of them, as it does with INTERRUPTED and RESTORE_INCOMPLETE.
 */
export async function provision(tools: ProvisionTools, wish: ProvisionWish): Promise<Provisioned> {
  const {host, report} = tools;
  const logins = parseLogins(wish.logins);
  const template = wish.template === undefined ? undefined : parseTemplate(wish.template);
  const shell = wish.shell === undefined ? undefined : parseShell(wish.shell);
  const groups = wish.groups === undefined ? undefined : parseGroups(wish.groups);
  const found = await lookAtAccounts(host, [...new Set([...logins, ...(template ? [template] : [])])]);
  const missing = logins.filter((login) => !found.accounts.has(login));
  if (wish.home) for (const warning of await homelessWarnings(host, found, logins)) report.warn(warning);
  if (missing.length === 0) return {changed: false, accounts: logins.map((login) => existing(found, login))};
  const maker = readyMaker(host, found);
  const {plans, warnings} = await planAccounts(host, found, missing, {
    home: wish.home ? 'made' : 'left out',
    ...(template !== undefined && {template}),
    ...(shell !== undefined && {shell}),
    ...(groups !== undefined && {groups}),
  });
  for (const warning of warnings) report.warn(warning);
  const done = wish.dryRun
    ? new Map(plans.map((plan) => [plan.login, wouldMake(maker, plan)]))
    : await makeAll(tools, maker, plans);
  return {changed: true, accounts: logins.map((login) => done.get(login) ?? existing(found, login))};
}

/** Killed in the middle of an account, useradd leaves one without a home, and the next run takes it for somebody's. */
async function homelessWarnings(
  host: Host,
  {accounts}: Accounts,
  logins: readonly string[],
): Promise<readonly string[]> {
  const warnings = logins.map(async (login) => {
    const home = accounts.get(login)?.home;
    if (home === undefined || home === '' || (await isThere(host, home))) return [];
    return [
      `${login} exists, and its home ${home} does not; if a run was cut off: sudo userdel ${login}, and run this again`,
    ];
  });
  return (await Promise.all(warnings)).flat();
}

function readyMaker(host: Host, {uid, unwritable, maker}: Accounts): Maker {
  if (uid !== 0)
    throw new Failure('HOST_UNSUITABLE', 'only root can make accounts', {
      hint: asRoot(host),
    });
  refuseUnwritable(host, {uid, unwritable});
  if (maker !== undefined) return maker;
  throw new Failure('HOST_UNSUITABLE', "there is neither useradd nor BusyBox's adduser on this host", {
    hint: 'install shadow (passwd on Debian, shadow-utils on RHEL, shadow on Alpine), or make the accounts by hand',
  });
}

async function makeAll(
  {host, signal}: ProvisionTools,
  maker: Maker,
  plans: readonly PlannedAccount[],
): Promise<ReadonlyMap<string, ProvisionedAccount>> {
  const made = new Map<string, ProvisionedAccount>();
  for (const plan of plans) {
    try {
      if (signal.aborted) throw new Failure('INTERRUPTED', 'interrupted between two accounts');
      const account = await makeAccount(host, maker, plan);
      made.set(plan.login, {login: plan.login, state: 'created', groups: plan.groups, ...shown(account)});
    } catch (error) {
      throw withOthers(error, plan, plans, made);
    }
  }
  return made;
}

/** The same failure, with what has become of the other accounts. */
function withOthers(
  error: unknown,
  failed: PlannedAccount,
  plans: readonly PlannedAccount[],
  made: ReadonlyMap<string, ProvisionedAccount>,
): unknown {
  if (!(error instanceof Failure)) return error;
  const interrupted = error.code === 'INTERRUPTED';
  const untried = plans
    .slice(plans.indexOf(failed) + (interrupted ? 0 : 1))
    .map(({login}) => login)
    .join(', ');
  const told = [
    ...(made.size > 0 ? [`created and kept: ${[...made.keys()].join(', ')}`] : []),
    ...(untried === '' ? [] : [`not tried: ${untried}`]),
  ];
  const {code, message, detail, hint, restored} = error;
  const words = [detail, ...told].filter(Boolean).join('\n');
  return new Failure(code, message, {
    ...(words !== '' && {detail: words}),
    hint: hint ?? 'run this again once that is seen to: what exists is left as it is',
    restored,
    changed: made.size > 0,
  });
}

function existing({accounts}: Accounts, login: string): ProvisionedAccount {
  const account = accounts.get(login);
  return {login, state: 'exists', groups: [], ...(account === undefined ? {home: ''} : shown(account))};
}

function wouldMake(maker: Maker, plan: PlannedAccount): ProvisionedAccount {
  const {login, path, shell, groups} = plan;
  return {
    login,
    state: 'missing',
    home: path,
    ...(shell !== undefined && {shell}),
    groups,
    commands: creation(maker, plan),
  };
}

function shown({uid, home, shell}: Account) {
  return {uid, home, shell: shell === '' ? '/bin/sh' : shell};
}
