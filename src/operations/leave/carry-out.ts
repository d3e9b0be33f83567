// The part of leaving that changes the host: apply the plan, prove by handshake, delete the node record. If the end is
// not reached, the plan puts every file back, sshd is asked to take them again, and the node record is written again.

import {Failure} from '../../errors.js';
import type {HostFacts} from '../../host/facts.js';
import {apply} from '../../plan/plan.js';
import type {Step} from '../../plan/step.js';
import {afterRestore} from '../carry-out.js';
import type {LeaveTools, LeaveWish} from '../leave.js';
import type {Membership} from '../ownership.js';
import type {Reporter} from '../reporter.js';
import {deleteRecord, putBack, type Registered} from './node.js';
import type {LeavePlan} from './plan.js';
import {proveLeft} from './proof.js';
import {describeBack} from './report.js';

export interface Work {
  readonly plan: LeavePlan;
  readonly facts: HostFacts | undefined;
  readonly registered: Registered | undefined;
}

/** Carries out the plan and proves it; true when the node record was deleted as well. */
export async function carryOut(
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
      afterCommand: async (step) => {
        if (step === plan.reload) await proof();
      },
      beforeCommit: async (note, confirmed) => {
        if (plan.reload === undefined) await proof();
        await confirmed;
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
function progress(report: Reporter, {steps, config, reload}: LeavePlan) {
  let start = performance.now();
  const others = steps.filter((step) => step.kind === 'path' && !config.includes(step));
  const tell = (verb: string, which: readonly Step[]) => {
    report.step(verb, describeBack(which), performance.now() - start);
  };
  return (step: Step, milliseconds: number) => {
    if (step === config.at(-1)) tell('restore', config);
    if (step === others.at(-1)) tell('remove', others);
    if (step.kind === 'command') report.step(step === reload ? 'reload' : 'run', step.why, milliseconds);
    if (step.kind === 'command' || step === config.at(-1)) start = performance.now();
  };
}
