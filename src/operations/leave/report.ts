// What leaving reports: the `result` of its JSON envelope, and what a dry run shows.

import type {Host} from '../../host/host.js';
import {describe} from '../../plan/diff.js';
import type {PathStep, Step} from '../../plan/step.js';
import type {Left} from '../../plan/take-back.js';
import {count} from '../describe.js';
import type {Membership} from '../ownership.js';
import type {LeavePlan} from './plan.js';

export interface Departure {
  readonly changed: boolean;
  /** Absent on a host that was not joined. */
  readonly cluster?: string;
  /** When this host was joined, ISO 8601. */
  readonly since?: string;
  /** It was joined before, by others, and is not any more. */
  readonly adopted?: true;
  readonly node?: {readonly id: string; readonly hostname: string; readonly removed: boolean};
  /** Files that are as they were, or without our lines. */
  readonly restored: readonly string[];
  readonly removed: readonly string[];
  /** What could not be taken back safely. */
  readonly left: readonly {readonly path: string; readonly reason: string; readonly remedy: string}[];
  /** Only in a dry run: what would be done, for people. */
  readonly preview?: string;
}

export const NOT_JOINED: Departure = {changed: false, restored: [], removed: [], left: []};

export function departure({record, settings}: Membership, plan: LeavePlan, nodeRemoved: boolean): Departure {
  const paths = (removed: boolean) =>
    plan.steps.flatMap((step) =>
      step.kind === 'path' && (step.to === undefined) === removed ? [step.path] : [],
    );
  return {
    changed: true,
    cluster: settings.cluster,
    since: record.since,
    ...(settings.adopted && {adopted: settings.adopted}),
    node: {id: settings.nodeId, hostname: settings.hostname, removed: nodeRemoved},
    restored: paths(false),
    removed: [...paths(true), ...plan.links],
    left: plan.left.map(({path, reason, remedy}) => ({path, reason, remedy})),
  };
}

/** What a dry run shows: each file as a diff, then what would be run and deleted. */
export async function previewOf(
  host: Host,
  {settings}: Membership,
  {steps, reload}: LeavePlan,
  rest: {readonly unregister: boolean; readonly directory: string | undefined},
): Promise<string> {
  // Of the data directory it is enough that it goes.
  const files = steps.filter((step) => step.kind === 'path' && !step.path.startsWith(`${rest.directory}/`));
  const shown = await describe(host, files);
  return [
    `Would leave ${settings.cluster}. Nothing has been changed.`,
    '',
    ...shown.flatMap(({headline, lines}) => [headline, ...lines, '']),
    ...steps.flatMap((step) => {
      return step.kind === 'command'
        ? [`${(step === reload ? 'reload' : 'run').padEnd(10)} ${step.why}`]
        : [];
    }),
    ...(rest.unregister ? [`unregister node ${settings.nodeId}`] : []),
    ...(rest.directory === undefined ? [] : [`remove     ${rest.directory}`]),
  ].join('\n');
}

/** In words, with the place of what was there before where that is kept. */
export function describeLeft({reason, remedy, saved}: Left, directory: string): string {
  const kept =
    saved === undefined ? '' : `\nwhat was there before the join is kept in ${directory}/saved/kept-${saved}`;
  return `${reason}; ${remedy}${kept}`;
}

/** "/etc/ssh/sshd_config as it was", "/etc/ssh/agentless/ (4 files)" */
export function describeBack(steps: readonly Step[]): string {
  const paths = steps.flatMap((step) => (step.kind === 'path' ? [step] : []));
  const back = paths.flatMap(({path, to}) => {
    if (to === undefined) return [];
    return to.kind === 'file' && to.like === undefined
      ? [`${path} without our lines`]
      : [`${path} as it was`];
  });
  return [...back, ...removals(paths.filter(({to}) => to === undefined))].join(', ');
}

/** Directories that go, with the number of files in them, and files whose directory stays. */
function removals(steps: readonly PathStep[]): string[] {
  const all = steps.filter(({seen}) => seen === 'directory').map(({path}) => path);
  // What lies in one that goes is told with it.
  const directories = all.filter((path) => !all.some((other) => path.startsWith(`${other}/`)));
  const files = steps.filter(({seen}) => seen !== 'directory').map(({path}) => path);
  const inside = (directory: string) => files.filter((path) => path.startsWith(`${directory}/`));
  return [
    ...directories.map((directory) => `${directory}/ (${count(inside(directory).length, 'file')})`),
    ...files.filter((path) => !directories.some((directory) => inside(directory).includes(path))),
  ];
}
