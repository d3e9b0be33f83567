// How a status reads: one line that says how the host stands, then what is wrong and what to do, then the facts.

import {styleText} from 'node:util';
import {count} from '../operations/describe.js';
import {rotationLines} from '../operations/rotation-phases.js';
import {kindOf, type Problem, type ProblemKind, wordOf} from '../operations/status/problem.js';
import type {Status} from '../operations/status/report.js';
import {describeRival} from '../operations/status/rivals.js';

const WORD_WIDTH = 13;
const SHOWN_NAMES = 4;

/** Ends in a newline. Colour only where the stream is a terminal. */
export function statusText(report: Status, out: NodeJS.WriteStream): string {
  const {problems} = report;
  const facts = factLines(report);
  const lines = [
    `${report.host}  ${headline(report)}`,
    ...problems.flatMap((one) => problemLines(one, out)),
    ...fixes(problems),
    ...(problems.length > 0 && facts.length > 0 ? [''] : []),
    ...facts,
  ];
  return `${lines.join('\n')}\n`;
}

const HEADLINES: Readonly<Record<ProblemKind, (joined: string) => string>> = {
  absent: () => 'not joined to a cluster',
  unknown: () => 'nobody can tell from here whether it is joined',
  interrupted: (joined) => `${joined}, and a run of agentless is not finished`,
  drift: (joined) => `${joined}, but this host is not as it was joined`,
  cluster: (joined) => `${joined}, but not as the cluster sees it`,
  due: (joined) => `${joined}; a renewal is due`,
};

/** These are told apart: with them nobody reaches the host through the cluster. */
const UNSERVED = new Set(['LINES_MISSING', 'NOT_SERVED', 'NOT_IN_EFFECT', 'OVERRIDDEN']);
/** And these: it is reached, and lets nobody in. */
const CLOSED = new Set(['AUTHORITY_MISSING', 'USER_AUTHORITY', 'LOGINS_DENIED']);

function headline(report: Status): string {
  const {state, cluster, since, node, problems, certificates} = report;
  const [worst] = problems;
  const joined = state === 'joined' ? `joined to ${cluster}` : 'not joined';
  if (worst === undefined) return `${joined} since ${since?.slice(0, 10)}, node ${node?.id}`;
  if (problems.some(({code}) => UNSERVED.has(code)) && kindOf(worst) === 'drift')
    return `${joined}, but ${howServed(report)}`;
  if (problems.some(({code}) => CLOSED.has(code)) && kindOf(worst) === 'drift')
    return `${joined}, but logins through it fail`;
  if (worst.code === 'UNREADABLE' && certificates.length > 0)
    return 'has certificates of a join; whether all is well only root can see';
  if (worst.code === 'SERVED_UNSEEN') return `${joined}; what sshd serves nobody can see from here`;
  return HEADLINES[kindOf(worst)](joined);
}

/** The running daemon may not have been told yet of what the files say; what it shows are the certificates only. */
function howServed({sshd, problems}: Status): string {
  if (sshd.served !== true) return 'sshd no longer serves it';
  return problems.some(({code}) => code === 'LINES_MISSING')
    ? 'sshd will not serve it once it is reloaded'
    : 'sshd does not take all of our lines as they are meant';
}

function problemLines(one: Problem, out: NodeJS.WriteStream): string[] {
  // The headline has said it.
  if (one.code === 'NOT_JOINED' && one.detail === undefined) return [];
  const colour = kindOf(one) === 'due' ? 'yellow' : 'red';
  const word = styleText(colour, wordOf(one).padEnd(WORD_WIDTH), {stream: out});
  const detail = (one.detail ?? '').split('\n').filter((line) => line.trim() !== '');
  return [`  ${word} ${one.message}`, ...detail.map((line) => `${' '.repeat(WORD_WIDTH + 3)}${line.trim()}`)];
}

/** Each way out once, in the order of the problems. */
function fixes(problems: readonly Problem[]): string[] {
  const words = new Map(problems.map((one) => [one.fix, one.code === 'NOT_JOINED' ? 'join' : 'repair']));
  return [...words].map(([fix, word]) => fact(word, fix));
}

function fact(word: string, text: string): string {
  return `  ${word.padEnd(WORD_WIDTH)} ${text}`;
}

function factLines(report: Status): string[] {
  const {node, names, certificates, userAuthorities, rivals, unseen} = report;
  return [
    ...(names.length > 0 ? [fact('names', shown(names))] : []),
    ...(node ? [fact('address', `${node.address}${labelled(node.labels)}`)] : []),
    ...(certificates.length > 0 ? [fact('certificates', certificateText(certificates))] : []),
    ...(userAuthorities ? [fact('user CA', authorityText(userAuthorities))] : []),
    fact('sshd', sshdText(report)),
    ...rivals.filter(({wins}) => !wins).map((rival) => fact('also set', describeRival(rival))),
    ...(report.state === 'joined' ? [fact('renewal', renewalText(report))] : []),
    ...onlineLines(report),
    ...unseen.map((what) => fact('unseen', what)),
  ];
}

function shown(names: readonly string[]): string {
  const rest = names.length - SHOWN_NAMES;
  return names.slice(0, SHOWN_NAMES).join(', ') + (rest > 0 ? ` and ${count(rest, 'more name')}` : '');
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return pairs.length === 0 ? '' : `, labels ${pairs.join(',')}`;
}

function certificateText(certificates: Status['certificates']): string {
  const signers = [...new Set(certificates.map(({signer}) => signer))];
  const [end] = certificates.flatMap(({validBefore}) => validBefore ?? []).sort();
  const until = end === undefined ? 'no end date' : `valid until ${end.slice(0, 10)}`;
  return `${certificates.map(({type}) => type).join(', ')}, signed by ${signers.join(' and ')}, ${until}`;
}

function authorityText({cluster, own}: NonNullable<Status['userAuthorities']>): string {
  const yours = own.length === 0 ? '' : `, ${own.length} of your own`;
  return `${count(cluster.length, 'key')} of the cluster${yours}`;
}

function sshdText({sshd}: Status): string {
  const {version, state, pid, unit, served} = sshd;
  if (state === undefined) return `not found, for ${sshd.config}`;
  const where = [pid === undefined ? undefined : `pid ${pid}`, unit].filter(Boolean).join(', ');
  const program = `${version ?? 'of unknown version'}${where === '' ? '' : ` (${where})`}`;
  if (state === 'stopped') return `${program}, not running`;
  if (state === 'socket') return `${program}, started for each connection`;
  return `${program}${served === undefined ? ', running' : served ? ' serves what was written' : ''}`;
}

/** What a renewal mends, and what has come too late to be only due. */
const OVERDUE = new Set(['CERTIFICATE_EXPIRED', 'HOST_KEY_REPLACED', 'AUTHORITY_MISSING']);

function renewalText({problems, identity, timer}: Status): string {
  const due = problems.filter((one) => kindOf(one) === 'due' || OVERDUE.has(one.code));
  const until =
    identity === undefined
      ? ''
      : identity === 'discarded'
        ? '; renewing needs a token or --identity'
        : `; identity valid until ${identity.validBefore.slice(0, 10)}`;
  const what = due.length === 0 ? `nothing due${until}` : 'due, see above';
  return timer === undefined || timer.kind === 'none' ? what : `${what}; ${timer.text}`;
}

function onlineLines({online, problems}: Status): string[] {
  if (online === undefined) return [];
  if (!online.accepted) return [fact('cluster', `asked through ${online.proxy}, see above`)];
  const version = online.version === undefined ? '' : `, Teleport ${online.version}`;
  const record = online.node === 'right' ? '; node record as it should be' : '';
  return [
    fact('cluster', `accepts this identity through ${online.proxy}${version}${record}`),
    ...(online.rotation
      ? rotationLines(online.rotation, problems.length > 0).map((line) => fact('rotation', line))
      : []),
  ];
}
