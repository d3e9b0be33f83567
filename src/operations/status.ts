// How a host stands: what a join has made of it, what has become of that since, and, when asked, what the cluster says.
// Changes nothing: not even what an interrupted run has left is undone, it is told of.

import {Failure} from '../errors.js';
import {type Glance, glance, isForRootOnly} from '../host/glance.js';
import type {Host} from '../host/host.js';
import {probe} from '../host/probe.js';
import {ReadOnlyHost} from '../host/read-only.js';
import {findLeftovers} from './leftovers.js';
import {readIdentity} from './ownership.js';
import type {Connect} from './settings.js';
import {type Inspection, inspect} from './status/inspect.js';
import {type Asked, askCluster} from './status/online.js';
import {type Past, readPast} from './status/past.js';
import {
  type Commands,
  commandsFor,
  kindOf,
  PROBLEM_KINDS,
  type Problem,
  problem,
  refusedConfig,
  USUAL,
} from './status/problem.js';
import {reportOf, type Status} from './status/report.js';
import {describeTimer} from './timer/describe.js';

export interface StatusWish {
  readonly dataDir: string;
  /** The one of the record when absent, else the usual one. */
  readonly config?: string;
}

export interface StatusTools {
  readonly host: Host;
  /** Given: the cluster is asked, too. */
  readonly connect?: Connect;
  readonly warn: (text: string) => void;
}

export async function status(tools: StatusTools, {dataDir, config: asked}: StatusWish): Promise<Status> {
  const host = new ReadOnlyHost(tools.host);
  const place = {dataDir, config: asked, reachedBy: host.reachedBy};
  const probing = probe(host);
  const past = await readPast(host, place);
  const commands = commandsFor(place, past.settings);
  const sight = await glance(host, asked ?? past.settings?.config ?? USUAL.config, probing);
  const [inspection, timer, left] = await Promise.all([
    inspect(host, {sight, past, dataDir, commands}),
    past.state === 'joined' ? describeTimer(host) : undefined,
    past.state === 'not joined' ? findLeftovers(host, {dataDir, config: sight.config}) : [],
  ]);
  const told = await ask(tools, host, dataDir, past, inspection, commands);
  for (const warning of told?.warnings ?? []) tools.warn(warning);
  const {unseen, problems} = obstacles(sight, past, commands);
  return reportOf({
    host: past.settings?.hostname ?? host.name,
    past,
    sight,
    inspection,
    ...(timer && {timer}),
    ...(told && {online: told.online}),
    unseen: [...unseen, ...inspection.unseen, ...(tools.connect && !told ? unasked(past) : [])],
    problems: ranked([
      ...leftBehind(past, inspection, left),
      ...problems,
      ...inspection.problems,
      ...(told?.problems ?? []),
    ]),
  });
}

/** Undefined: the cluster was not to be asked, or there is nothing to ask it with. */
async function ask(
  {connect}: StatusTools,
  host: Host,
  dataDir: string,
  {settings}: Past,
  {held, trusted}: Inspection,
  commands: Commands,
): Promise<Asked | undefined> {
  if (connect === undefined || settings === undefined || settings.identity === 'discarded') return undefined;
  const identity = await readIdentity(host, dataDir, settings).catch((error: unknown) => {
    // That it is missing has been found out already.
    if (error instanceof Failure) return undefined;
    throw error;
  });
  if (identity === undefined) return undefined;
  const cluster = await connect(settings.proxy, settings.trust);
  try {
    return await askCluster(cluster, identity, {settings, held, trusted, commands});
  } finally {
    await cluster.close();
  }
}

/** That a credential is missing is a problem; that there is to be none is not, and the cluster is not asked all the same. */
function unasked({identity}: Past): string[] {
  return identity === 'discarded'
    ? ['what the cluster says: this host keeps no credential to ask it with']
    : [];
}

/** Why sshd could not be looked at: for want of rights, which is nobody's fault, or because something is wrong with it. */
function obstacles({obstacles: met, daemon, probe}: Glance, {state}: Past, commands: Commands) {
  const problems: Problem[] = [];
  const unseen: string[] = [];
  for (const one of met) {
    const {code, message, hint = ''} = one;
    if (daemon === undefined) problems.push(problem('SSHD_MISSING', message, hint));
    else if (isForRootOnly(one, probe))
      unseen.push(`what sshd makes of its configuration; ${commands.asRoot} to see it: ${commands.status}`);
    else if (code === 'SSHD_CONFIG_INVALID') problems.push(refusedConfig(one));
    else unseen.push(`what sshd makes of its configuration: ${message} (${hint})`);
  }
  if (state === 'joined' && daemon?.state === 'stopped') {
    const fix = 'start it, for example with `systemctl start ssh`, and see its log if it ends again';
    problems.push(problem('SSHD_STOPPED', 'sshd is not running, so nobody can log in', fix));
  }
  return {problems, unseen: [...new Set(unseen)]};
}

/** Certificates and other files of ours without a record: it was lost, or the data directory is another one. */
function leftBehind({problems}: Past, {held}: Inspection, left: readonly string[]): readonly Problem[] {
  const certificates = held.map(({file, certificate}) => `${file} (${certificate.keyId})`);
  // What an interrupted run has left is told of as such.
  const files = problems.some((one) => kindOf(one) === 'interrupted') ? [] : left;
  const detail = [...certificates, ...files].join('\n');
  if (detail === '') return problems;
  const what = held.length > 0 ? 'certificates' : 'files';
  const message = `there is no record of a join, but ${what} of one lie here`;
  return problems.map((one) => (one.code === 'NOT_JOINED' ? {...one, message, detail} : one));
}

function ranked(problems: readonly Problem[]): Problem[] {
  const rank = (one: Problem) => PROBLEM_KINDS.indexOf(kindOf(one));
  return [...problems].sort((a, b) => rank(a) - rank(b));
}
