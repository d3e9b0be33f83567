import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {fingerprint, holds, type State, stateAfter, survey} from './state.js';
import type {PathStep, Step} from './step.js';

/** A symbolic link stays what it is: the step acts on the real file behind it. */
async function behindLinks(host: Host, step: PathStep): Promise<PathStep> {
  const entry = await host.look(step.path);
  if (entry?.kind !== 'symlink') return step;
  try {
    return {...step, path: await host.resolve(step.path), via: step.path};
  } catch (error) {
    throw new Failure(
      'HOST_UNSUITABLE',
      `${step.path} is a symbolic link to ${entry.target}, which cannot be reached`,
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
  for (const step of steps) {
    if (step.kind !== 'path') {
      kept.push(step);
      continue;
    }
    const real = await behindLinks(host, step);
    const earlier = planned.get(real.path);
    const state = earlier ?? (await survey(host, real.path));
    refuseOtherKind(real, state);
    if (holds(real, state) && !(takeOver && real.theirs !== undefined)) continue;
    planned.set(real.path, stateAfter(real, state));
    kept.push(earlier === undefined ? {...real, seen: real.seen ?? fingerprint(state)} : real);
  }
  const nothingToDo = planned.size === 0 && steps.some((step) => step.kind === 'path');
  return nothingToDo ? [] : kept;
}
