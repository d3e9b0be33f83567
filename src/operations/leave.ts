// Leave the cluster: the inverse of a join. Look, give sshd its own configuration back, have it taken, prove that by
// handshake, remove what is ours, delete the node record; then the data directory goes. Until the end is reached
// everything is undone if anything fails, and the host is joined as before.

import type {Cluster} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {type HostFacts, lookAt} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {apply} from '../plan/plan.js';
import type {Step} from '../plan/step.js';
import {afterRestore} from './carry-out.js';
import {describeFacts} from './describe.js';
import {deleteRecord, findRecord, putBack, type Registered} from './leave-node.js';
import {type LeavePlan, planLeave} from './leave-plan.js';
import {proveLeft} from './leave-proof.js';
import {
  type Departure,
  departure,
  describeBack,
  describeLeft,
  NOT_JOINED,
  previewOf,
} from './leave-report.js';
import {type Membership, readMembership} from './ownership.js';
import type {Confirm} from './register.js';
import {interruptible, type Reporter} from './reporter.js';

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
}

export interface LeaveTools {
  readonly host: Host;
  readonly connect: (proxy: string) => Cluster;
  readonly report: Reporter;
  readonly confirm: Confirm;
  readonly signal: AbortSignal;
}

/** Leaves. `changed` is false on a host that is not joined. */
export async function leave(tools: LeaveTools, wish: LeaveWish): Promise<Departure> {
  // Also finishes or undoes what an interrupted run has left.
  const joined = await readMembership(tools.host, wish.dataDir, tools.report);
  if (joined === undefined) return NOT_JOINED;
  tools.report.heading(`Leaving ${joined.settings.cluster}`);
  const cluster = tools.connect(joined.settings.proxy);
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
    return await interruptible(tools, 'look', looking, describeFacts);
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
  return departure(joined, plan, removed);
}

interface Work {
  readonly plan: LeavePlan;
  readonly facts: HostFacts | undefined;
  readonly registered: Registered | undefined;
}

/** True when the node record was deleted. */
async function carryOut(
  tools: LeaveTools,
  wish: LeaveWish,
  {record}: Membership,
  {plan, facts, registered}: Work,
): Promise<boolean> {
  const {host, report, signal} = tools;
  const proof = await proveLeft(tools, wish, record, plan, facts);
  let deleted = false;
  try {
    await apply(host, plan.steps, {
      dataDir: wish.dataDir,
      operation: 'leave',
      settings: record.settings,
      ends: {
        transaction: record.transaction,
        made: record.made,
        keep: plan.left.flatMap(({saved}) => saved ?? []),
      },
      signal,
      onStep: progress(report, plan),
      warn: (text) => report.warn(text),
      // While the files are still there: an sshd that reads certificates anew for each connection hides nothing then.
      afterStep: async (step) => {
        if (step === plan.reload) await proof();
      },
      beforeCommit: async (note) => {
        if (plan.reload === undefined) await proof();
        if (signal.aborted) throw new Failure('INTERRUPTED', 'interrupted');
        if (registered === undefined) return;
        await note({unregistering: registered.id});
        deleted = await deleteRecord(tools, registered);
      },
    });
    return deleted;
  } catch (error) {
    if (deleted && registered !== undefined) await putBack(tools, registered);
    throw facts === undefined ? error : await afterRestore(host, facts, plan.steps, error);
  }
}

/** Files are told as one line each time: those that sshd reads, and the others. */
function progress(report: Reporter, {steps, config}: LeavePlan) {
  let start = performance.now();
  const others = steps.filter((step) => step.kind === 'path' && !config.includes(step));
  const tell = (verb: string, which: readonly Step[]) => {
    report.step(verb, describeBack(which), performance.now() - start);
  };
  return (step: Step, milliseconds: number) => {
    if (step === config.at(-1)) tell('restore', config);
    if (step === others.at(-1)) tell('remove', others);
    if (step.kind === 'command') report.step('reload', step.why, milliseconds);
    if (step.kind === 'command' || step === config.at(-1)) start = performance.now();
  };
}
