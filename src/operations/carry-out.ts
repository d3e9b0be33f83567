// The part of a join that changes the host: apply the plan, prove by handshake, register. If the end is not reached, the
// plan puts every file back, sshd is asked to take the old configuration, and the node record goes.

import type {Node, Session} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {revival} from '../host/service.js';
import {apply} from '../plan/plan.js';
import type {Step} from '../plan/step.js';
import {type EffectiveConfig, parseEffective} from '../ssh/sshd-config/index.js';
import {effectCheck} from './changes.js';
import {describeWrites} from './describe.js';
import {differences} from './effect.js';
import type {Tools} from './join.js';
import {answers, prove} from './proof.js';
import {interruptible, timed} from './reporter.js';
import type {Scene} from './scene.js';
import type {JoinSettings, JoinWish} from './settings.js';

export interface Work {
  readonly operation: string;
  readonly wish: JoinWish;
  readonly scene: Scene;
  readonly steps: readonly Step[];
  readonly settings: JoinSettings;
  readonly credentials: {readonly session: Session; readonly certificates: ReadonlyMap<string, string>};
  /** Our record as it should be; undefined: the record is none of our business. */
  readonly node: Node | undefined;
  /** Our record as it was, when there was one. */
  readonly before?: Node;
  /** The transaction that this one follows; absent: the host was not joined. */
  readonly continues?: string;
  /** Records of earlier joins of this host, removed once ours is written. */
  readonly outdated: readonly string[];
  /** True: sshd reads not all of our files, since lines of ours are missing, and they are not put back. */
  readonly unread?: boolean;
}

export async function carryOut(tools: Tools, work: Work): Promise<void> {
  const {host, report, signal} = tools;
  let registered = false;
  try {
    await apply(host, work.steps, {
      dataDir: work.wish.dataDir,
      operation: work.operation,
      settings: {...work.settings},
      continues: work.continues ?? null,
      signal,
      onStep: progress(tools, work),
      judge: (check, {stdout}) => {
        if (!work.unread && sameWords(check.argv, effectCheck(work.scene).argv))
          checkEffect(work.scene, parseEffective(stdout));
      },
      warn: (text) => report.warn(text),
      beforeCommit: async (note, confirmed) => {
        await proveServed(tools, work);
        await confirmed;
        if (signal.aborted) throw new Failure('INTERRUPTED', 'interrupted');
        if (work.node === undefined) return;
        // One that was there before is nothing that a run which is cut off leaves behind.
        if (work.before === undefined) await note({registering: work.node.id});
        registered = true;
        await register(tools, work, work.node);
      },
    });
  } catch (error) {
    if (registered) await unregister(tools, work);
    const {takeover, facts} = work.scene;
    throw await afterRestore(tools.host, takeover?.standing ?? facts, work.steps, error);
  }
}

const sameWords = (one: readonly string[], other: readonly string[]) => one.join('\0') === other.join('\0');

/** Nothing but our keywords may be in effect that was not before: seen before sshd is told. */
function checkEffect({facts, layout, previous, service}: Scene, now: EffectiveConfig): void {
  const wrong = differences(facts.effective, now, layout, previous, service);
  if (wrong.length === 0) return;
  throw new Failure('CHANGE_FAILED', 'sshd does not read what was written as it is meant', {
    detail: wrong.join('\n'),
    hint: 'another line or an option of sshd wins over ours; please report this',
  });
}

/** Files are told as one line when the first command comes, or at the end. */
function progress({report}: Tools, {steps, scene}: Work) {
  const start = performance.now();
  const lastPath = steps.findLast((step) => step.kind === 'path');
  return (step: Step, milliseconds: number) => {
    if (step === lastPath) report.step('write', describeWrites(steps, scene), performance.now() - start);
    if (step.kind === 'command') report.step('reload', step.why, milliseconds);
  };
}

async function proveServed(tools: Tools, {scene, wish, steps, credentials, unread}: Work): Promise<void> {
  const {host, report, signal} = tools;
  if (unread) return proveAlive(host, scene, steps);
  if (!wish.reload) {
    report.warn('sshd was not reloaded, as you asked: what it serves now is unproven');
    return;
  }
  if (scene.facts.daemon.state === 'stopped') {
    report.warn('sshd is not running: the rehearsal is the only proof that it will serve what was written');
    return;
  }
  await interruptible(
    tools,
    'prove',
    prove(host, scene, credentials.certificates, signal),
    ({certificates, keys}) => {
      return `sshd serves ${certificates} of ${certificates} certificates; all ${keys} known host keys unchanged`;
    },
  );
}

/** Where others have changed our lines nobody can say what sshd should serve; it has to answer as before. */
async function proveAlive(host: Host, {facts}: Scene, steps: readonly Step[]): Promise<void> {
  const told = steps.some(({kind}) => kind === 'command') && facts.daemon.state === 'running';
  if (!told || (await answers(host, facts))) return;
  throw new Failure('CHANGE_FAILED', 'sshd did not come back after the reload', {
    hint: "look into sshd's log for its own words, and please report this",
  });
}

async function register({report}: Tools, {credentials, outdated}: Work, node: Node): Promise<void> {
  const text = `node ${node.id} as ${node.hostname}, ${node.address}`;
  await timed(report, 'register', credentials.session.putNode(node), () => text);
  for (const id of outdated) {
    await credentials.session.removeNode(id).catch(() => {
      report.warn(`the record of an earlier join is still there; remove it with \`tctl rm node/${id}\``);
    });
  }
}

async function unregister({report}: Tools, {credentials: {session}, node, before}: Work): Promise<void> {
  if (node === undefined) return;
  await (before ? session.putNode(before) : session.removeNode(node.id)).catch(() => {
    report.warn(`the node record could not be taken back; remove it with \`tctl rm node/${node.id}\``);
  });
}

/** Restored means that sshd answers as before, not only that the files are back. */
export async function afterRestore(
  host: Host,
  facts: HostFacts,
  steps: readonly Step[],
  error: unknown,
): Promise<unknown> {
  const reloaded = steps.some((step) => step.kind === 'command');
  if (!(error instanceof Failure) || !error.restored || !reloaded) return error;
  if (facts.daemon.state !== 'running' || (await answers(host, facts))) return error;
  const argv = revival(facts.daemon);
  if (argv !== undefined) {
    await host.run(argv).catch(() => undefined);
    if (await answers(host, facts)) return error;
  }
  return new Failure('RESTORE_INCOMPLETE', 'every file is as it was, but sshd does not answer', {
    detail: [error.message, error.detail].filter(Boolean).join('\n'),
    hint: 'start sshd by hand and keep this session open until you can log in again',
    cause: error,
  });
}
