// What PAM does with the rules of one type when it is called. Source: _pam_dispatch_aux in libpam/pam_dispatch.c, for
// the calls that sshd makes first (acct_mgmt, open_session); closing a session goes through the same rules again.
import type {Chain, Link} from './chain.js';
import type {Result} from './control.js';
import type {Rule} from './stack.js';

/** What the rules so far have come to. Nothing to go by in the end means denied. */
interface Opinion {
  readonly mood: 'none' | 'good' | 'bad';
  readonly status: Result;
}

/** PAM on its way through a chain. */
export interface Walk extends Opinion {
  /** Index of the entry whose turn it is; the length of the chain at its end. */
  readonly at: number;
  /** The level of the entry before. */
  readonly level: number;
  /** The opinion each substack was entered with, by level: what `reset` goes back to. */
  readonly entered: readonly Opinion[];
}

/** PAM's own word for a login that no rule has spoken for. */
const DENIED: Result = 'perm_denied';

const UNDECIDED: Opinion = {mood: 'none', status: DENIED};

const START: Walk = {...UNDECIDED, at: 0, level: 0, entered: [UNDECIDED]};

/** The beginning, at the first entry that returns something. */
export function start(links: readonly Link[]): Walk {
  return settle(links, START);
}

/** One entry has returned `result`: where PAM goes on, and with what opinion. */
export function step(links: readonly Link[], walk: Walk, result: Result): Walk {
  const link = links[walk.at];
  if (link === undefined) return walk;
  const action = link.control[result];
  const here = {...walk, level: link.level};
  const on = (opinion: Opinion): Walk => settle(links, {...here, ...opinion, at: walk.at + 1});
  switch (action) {
    case 'ignore':
      return on(walk);
    case 'reset':
      return on(walk.entered[link.level] ?? UNDECIDED);
    case 'ok':
      return on(approve(walk, result));
    case 'done': {
      const opinion = approve(walk, result);
      return opinion.mood === 'good'
        ? settle(links, {...here, ...opinion, at: behind(links, walk.at)})
        : on(opinion);
    }
    case 'bad':
      return on(object(walk, result));
    case 'die':
      return settle(links, {...here, ...object(walk, result), at: behind(links, walk.at)});
    default: {
      const {target, missing} = jump(links, walk.at, action);
      const opinion: Opinion = missing ? {mood: 'bad', status: DENIED} : walk;
      return settle(links, {...here, ...opinion, at: target});
    }
  }
}

/** What PAM tells its caller at the end of a chain. */
export function verdict({mood, status}: Walk): Result {
  return status === 'success' && mood !== 'good' ? DENIED : status;
}

/** The rules that are called and PAM's answer, when each rule returns what `results` says. */
export function run(
  {links}: Chain,
  results: (rule: Rule, link: Link) => Result,
): {readonly reached: readonly Link[]; readonly verdict: Result} {
  const reached: Link[] = [];
  let walk = start(links);
  for (let link = links[walk.at]; link !== undefined; link = links[walk.at]) {
    if (link.what !== 'failure') reached.push(link);
    walk = step(links, walk, isRule(link.what) ? results(link.what, link) : DENIED);
  }
  return {reached, verdict: verdict(walk)};
}

function isRule(what: Link['what']): what is Rule {
  return typeof what === 'object';
}

/** Only the first word that is not plain success is kept, and none once something has gone wrong. */
function approve(opinion: Opinion, result: Result): Opinion {
  const open = opinion.mood === 'none' || (opinion.mood === 'good' && opinion.status === 'success');
  return open ? {mood: 'good', status: result} : opinion;
}

/** The first failure is the one that is told. */
function object(opinion: Opinion, result: Result): Opinion {
  if (opinion.mood === 'bad') return opinion;
  return {mood: 'bad', status: result === 'ignore' ? DENIED : result};
}

/** Goes past entries that only begin a substack, and notes the opinion with which each substack is entered. */
function settle(links: readonly Link[], walk: Walk): Walk {
  let {at, level, entered} = walk;
  for (; ; at += 1) {
    const link = links[at];
    if (link === undefined) return {...walk, at, level, entered};
    if (link.level > level) entered = [...entered.slice(0, link.level), opinionOf(walk)];
    level = link.level;
    if (link.what !== 'substack') return {...walk, at, level, entered};
  }
}

function opinionOf({mood, status}: Opinion): Opinion {
  return {mood, status};
}

/** The first entry that is no longer part of the (sub)stack of this one. */
function behind(links: readonly Link[], at: number): number {
  const level = links[at]?.level ?? 0;
  const end = links.findIndex((link, index) => index > at && link.level < level);
  return end < 0 ? links.length : end;
}

/** A jump stays within its substack and counts a deeper one as one entry. `missing`: there are not that many. */
export function jump(links: readonly Link[], at: number, count: number): {target: number; missing: boolean} {
  const level = links[at]?.level ?? 0;
  const end = behind(links, at);
  let target = at + 1;
  let left = count;
  for (; left > 0 && target < end; left -= 1) {
    target += 1;
    while (target < end && (links[target]?.level ?? 0) > level) target += 1;
  }
  return {target, missing: left > 0};
}
