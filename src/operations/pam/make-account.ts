// Makes one account, whole or not at all: when a later step fails, what this run has made of it goes again.

import {normalize} from 'node:path/posix';
import {Failure} from '../../errors.js';
import {type Command, creation, FORGET, mayHaveMade, removal} from '../../host/account-commands.js';
import {type Account, lookAtAccounts, type Maker} from '../../host/accounts.js';
import type {Host, RunResult} from '../../host/host.js';
import {shellLine} from '../timer/quote.js';
import type {PlannedAccount} from './plan-accounts.js';

/** A home may be on a slow disk far away. */
const PATIENCE = 120_000;

/** The account as the name service has it afterwards. */
export async function makeAccount(host: Host, maker: Maker, plan: PlannedAccount): Promise<Account> {
  for (const [index, command] of creation(maker, plan).entries()) {
    const result = await run(host, command);
    if (result.status === 0) continue;
    const failure = failed(plan, command, result);
    if (index === 0 && !mayHaveMade(maker, result.status, result.stderr)) throw failure;
    throw await takenBack(host, maker, plan, failure);
  }
  const account = await lookAgain(host, plan);
  if (account === undefined) throw unseen(maker, plan);
  // BusyBox's adduser ends well without a home.
  if (plan.home === 'left out' || (await isThere(host, account.home))) return account;
  const homeless = `${plan.login} was not made: there is no ${account.home}`;
  throw await takenBack(host, maker, plan, new Failure('HOST_UNSUITABLE', homeless));
}

const run = (host: Host, {argv, input}: Command): Promise<RunResult> =>
  host.run(argv, {timeout: PATIENCE, ...(input !== undefined && {input})});

async function lookAgain(host: Host, {login}: PlannedAccount): Promise<Account | undefined> {
  await host.run(FORGET);
  return (await lookAtAccounts(host, [login])).accounts.get(login);
}

export const isThere = async (host: Host, path: string): Promise<boolean> =>
  (await host.look(path).catch(() => undefined)) !== undefined;

function failed({login}: PlannedAccount, {argv}: Command, {status, stdout, stderr}: RunResult): Failure {
  const ended = status === undefined ? 'was killed, or took too long' : `ended with status ${status}`;
  const said = (stderr.trim() === '' ? stdout : stderr).trim();
  return new Failure('HOST_UNSUITABLE', `${login} was not made: ${argv[0]} ${ended}`, {
    ...(said !== '' && {detail: said}),
  });
}

/** userdel would not find it either. */
function unseen(maker: Maker, plan: PlannedAccount): Failure {
  const away = shellLine(removal(maker, plan, plan.occupied ? 'without home' : 'with home').argv);
  return new Failure('RESTORE_INCOMPLETE', `${plan.login} was made, but the name service does not know it`, {
    hint: `look into /etc/nsswitch.conf: its line passwd should name files. Or take it away again: ${away}`,
  });
}

/** CHANGE_FAILED, once nothing is left of the account; the failure itself, where nothing was made. */
async function takenBack(host: Host, maker: Maker, plan: PlannedAccount, failure: Failure): Promise<Failure> {
  const account = await lookAgain(host, plan);
  // A home that was there before is somebody's, and so is one that is not where it was looked for.
  const isOurs = !plan.occupied && (account === undefined || normalize(account.home) === plan.path);
  const away =
    account === undefined
      ? {argv: ['rm', '-r', '--', plan.path]}
      : removal(maker, plan, isOurs ? 'with home' : 'without home');
  const {stderr} = account === undefined ? {stderr: ''} : await run(host, away);
  const left = [
    ...((await lookAgain(host, plan)) === undefined ? [] : [`the account ${plan.login}`]),
    ...(isOurs && (await isThere(host, plan.path)) ? [plan.path] : []),
  ];
  const {message, detail} = failure;
  if (left.length > 0) {
    return new Failure('RESTORE_INCOMPLETE', `${message}, and ${left.join(' and ')} stayed behind`, {
      detail: [detail, stderr.trim()].filter(Boolean).join('\n'),
      hint: `remove the cause, then do by hand: ${shellLine(away.argv)}`,
    });
  }
  if (account === undefined) return failure;
  return new Failure('CHANGE_FAILED', `${message}; what there was of it is gone again`, {
    ...(detail !== undefined && {detail}),
    restored: true,
  });
}
