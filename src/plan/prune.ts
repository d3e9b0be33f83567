import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {fingerprint, holds, type State, stateAfter, survey, surveyed} from './state.js';
import type {PathStep, Step} from './step.js';

interface Found {
  readonly real: PathStep;
  readonly state: State;
}

/** A symbolic link stays what it is: the step acts on the real file behind it. */
async function findBehindLinks(host: Host, step: PathStep): Promise<Found> {
  const entry = await host.look(step.path);
  if (entry?.kind !== 'symlink') return {real: step, state: surveyed(step.path, entry)};
  const path = await resolved(host, step, entry.target);
  return {real: {...step, path, via: step.path}, state: await survey(host, path)};
}

async function resolved(host: Host, step: PathStep, target: string): Promise<string> {
  try {
    return await host.resolve(step.path);
  } catch (error) {
    throw new Failure(
      'HOST_UNSUITABLE',
      `${step.path} is a symbolic link to ${target}, which cannot be reached`,
      {
        hint: 'put back what it points to, or remove the link, and run this again',
        cause: error,
      },
    );
  }
}

/** A file where a directory is wanted, or the reverse, is nothing that a plan replaces. */
export function refuseOtherKind(step: PathStep, state: State): void {
  if (step.to === undefined || state.kind === 'absent' || state.kind === step.to.kind) return;
  throw new Failure('HOST_UNSUITABLE', `${step.path} is a ${state.kind}, not a ${step.to.kind}`, {
    hint: 'move it away and run this again',
  });
}

/**
 * The plan without the steps whose target holds already (kind, bytes, and mode where one is asked for). When no path
 * is left to change, commands and checks go too: they make the system take a change, and there is none. A plan of
 * commands alone is kept. `takeOver`: steps on what is ours in part or as a whole stay, for that to be recorded.
 */
export async function prune(host: Host, steps: readonly Step[], takeOver = false): Promise<readonly Step[]> {
  // What earlier steps will have made of a path by the time a later one comes to it.
  const planned = new Map<string, State>();
  const kept: Step[] = [];
  const looking = steps.map((step) => (step.kind === 'path' ? findBehindLinks(host, step) : undefined));
  for (const found of looking) found?.catch(() => undefined);
  for (const [index, step] of steps.entries()) {
    if (step.kind !== 'path') {
      kept.push(step);
      continue;
    }
    const {real, state: found} = (await looking[index]) as Found;
    const earlier = planned.get(real.path);
    const state = earlier ?? found;
    refuseOtherKind(real, state);
    if (holds(real, state) && !(takeOver && real.theirs !== undefined)) continue;
    planned.set(real.path, stateAfter(real, state));
    kept.push(earlier === undefined ? {...real, seen: real.seen ?? fingerprint(state)} : real);
  }
  const nothingToDo = planned.size === 0 && steps.some((step) => step.kind === 'path');
  return nothingToDo ? [] : kept;
}
