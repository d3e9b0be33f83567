// Leave the cluster: the inverse of a join. Look, give sshd its own configuration back, have it taken, prove that by
// handshake, remove what is ours, delete the node record; then the data directory goes. Until the end is reached
// everything is undone if anything fails, and the host is joined as before.

import type {Cluster, UserIdentity} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {type HostFacts, lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {firstLook} from './first-look.js';
import {carryOut} from './leave/carry-out.js';
import {findRecord, type Registered} from './leave/node.js';
import {planLeave} from './leave/plan.js';
import {type Departure, departure, describeLeft, NOT_JOINED, previewOf} from './leave/report.js';
import {refuseLeftovers} from './leftovers.js';
import {type Membership, readMembership} from './ownership.js';
import type {Confirm} from './register.js';
import type {Reporter} from './reporter.js';
import {USUAL} from './status/problem.js';

export interface LeaveWish {
  readonly dataDir: string;
  /** True: the cluster is not asked, and the node record stays. */
  readonly local: boolean;
  /** False: sshd is neither checked nor reloaded by us, nor need it be there. */
  readonly reload: boolean;
  readonly reloadCommand?: string;
  readonly checkCommand?: string;
  readonly dryRun: boolean;
  /** Delete the node record also when this host had another name when it joined. */
  readonly yes: boolean;
  /** Who deletes the node record where this host's own credential cannot. */
  readonly operator?: UserIdentity;
}

export interface LeaveTools {
  readonly host: Host;
  readonly connect: (proxy: string) => Cluster | Promise<Cluster>;
  readonly report: Reporter;
  readonly confirm: Confirm;
  readonly signal: AbortSignal;
}

/** Leaves. `changed` is false on a host that is not joined; HOST_UNSUITABLE where a join has left files and no record. */
export async function leave(tools: LeaveTools, wish: LeaveWish): Promise<Departure> {
  // Also finishes or undoes what an interrupted run has left.
  const joined = await readMembership(tools.host, wish.dataDir, tools.report);
  if (joined === undefined) {
    const {dataDir} = wish;
    // Where that join kept its things elsewhere nobody knows the configuration it was for.
    await refuseLeftovers(tools.host, {
      dataDir,
      config: dataDir === USUAL.dataDir ? USUAL.config : undefined,
    });
    return NOT_JOINED;
  }
  tools.report.heading(`Leaving ${joined.settings.cluster}`);
  const cluster = await tools.connect(joined.settings.proxy);
  try {
    const facts = await look(tools, wish, joined);
    const registered = await findRecord(tools, wish, joined, cluster);
    return await leaveFrom(tools, wish, joined, facts, registered);
  } finally {
    await cluster.close();
  }
}

/** Undefined: sshd cannot be looked at, and need not be. */
async function look(
  tools: LeaveTools,
  wish: LeaveWish,
  {settings}: Membership,
): Promise<HostFacts | undefined> {
  try {
    const looking = lookAt(tools.host, settings.config, wish.dataDir);
    return await firstLook(tools, looking, wish.reload);
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'INTERRUPTED') throw error;
    if (wish.reload) throw cannotLook(error);
    tools.report.warn(`sshd could not be looked at: ${error.message}`);
    return undefined;
  }
}

function cannotLook({code, message, detail, hint, cause}: Failure): Failure {
  return new Failure(code, message, {
    hint: `${hint ?? 'nothing was changed'}\nor leave sshd alone with --no-restart-sshd`,
    ...(detail !== undefined && {detail}),
    cause,
  });
}

async function leaveFrom(
  tools: LeaveTools,
  wish: LeaveWish,
  joined: Membership,
  facts: HostFacts | undefined,
  registered: Registered | undefined,
): Promise<Departure> {
  const {host, report} = tools;
  const {made, host: name} = joined.record;
  const plan = await planLeave(host, wish, joined, facts);
  if (name !== host.name) report.warn(`this host joined as ${name} and is ${host.name} now`);
  for (const left of plan.left) report.warn(describeLeft(left, wish.dataDir));
  const told = departure(joined, plan, registered !== undefined);
  if (wish.dryRun) {
    const directory = made.includes(wish.dataDir) ? wish.dataDir : undefined;
    return {
      ...told,
      preview: await previewOf(host, joined, plan, {unregister: registered !== undefined, directory}),
    };
  }
  const removed = await carryOut(tools, wish, joined, {plan, facts, registered});
  const rest = made.includes(wish.dataDir) ? await host.look(wish.dataDir) : undefined;
  if (rest?.kind === 'directory')
    report.warn(`${wish.dataDir} stays because it holds ${rest.names.join(', ')}`);
  return departure(joined, plan, removed);
}
