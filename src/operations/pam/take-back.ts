// What leaving does to a service of PAM that others have changed since: only our two lines go.

import {basename, dirname} from 'node:path/posix';
import type {Host} from '../../host/host.js';
import {removed} from '../../pam/index.js';
import {dataDirectory} from '../../plan/data-directory.js';
import {type Change, type OwnershipRecord, readRecord} from '../../plan/record.js';
import type {CommandStep, PathStep} from '../../plan/step.js';
import {type TakeBack, takeBack} from '../../plan/take-back.js';
import {readSettings} from '../settings.js';
import {readHooks} from './hooks.js';
import {PAM_PLACES, pamPaths, SERVICE} from './places.js';

export const isService = (path: string): boolean => dirname(path) === PAM_PLACES.services;

/** The bytes without our lines; undefined for our own service, of which nobody knows what others have put into it. */
export function withoutIncludes(path: string, bytes: Uint8Array): Uint8Array | undefined {
  if (basename(path) === SERVICE) return undefined;
  return Buffer.from(removed(Buffer.from(bytes).toString('latin1')), 'latin1');
}

/** True when sshd goes on asking for our service until it reads its configuration again. */
export function asksForOurs({settings}: Pick<OwnershipRecord, 'settings'>): boolean {
  const pam = readSettings(settings)?.pam;
  return typeof pam === 'object' && pam.shape === 'service';
}

/** Without these PAM would go by "other" then, or a required hook would fail: either may keep everybody out. */
export function isAskedFor(path: string): boolean {
  const {service, script} = pamPaths(PAM_PLACES);
  return [service, script, PAM_PLACES.directory].includes(path);
}

export const ASKED_FOR = 'is left because sshd goes on asking for it until it is reloaded';

/** Whether a path belongs to the PAM half of a join. */
export const isPams = (path: string): boolean =>
  isService(path) || path === PAM_PLACES.directory || path.startsWith(`${PAM_PLACES.directory}/`);

/** A link of the site's to a ready-made hook: no more than the switch that turns it on. */
export interface HookSwitch {
  readonly path: string;
  /** As written. */
  readonly target: string;
  readonly hook: string;
}

export async function hookSwitches(host: Host, changes: readonly Change[]): Promise<readonly HookSwitch[]> {
  if (!changes.some(({path}) => isPams(path) && !isService(path))) return [];
  const {ready} = pamPaths(PAM_PLACES);
  const phases = await readHooks(host, PAM_PLACES);
  return phases.flatMap(({hooks = []}) =>
    hooks.flatMap(({file, target, real}) =>
      target !== undefined && dirname(real) === ready ? [{path: file, target, hook: real}] : [],
    ),
  );
}

/** Those of them that would lead nowhere once these steps are done. */
export async function uselessSwitches(
  host: Host,
  switches: readonly HookSwitch[],
  steps: readonly PathStep[],
): Promise<readonly HookSwitch[]> {
  const gone = new Set(steps.flatMap(({path, to}) => (to === undefined ? [path] : [])));
  const isThere = await Promise.all(switches.map(async ({hook}) => (await host.look(hook)) !== undefined));
  return switches.filter(({hook}, index) => gone.has(hook) || !isThere[index]);
}

/** A plan has no links; what somebody has put in the place of one since stays. */
export function switchedOff({path, target, hook}: HookSwitch): CommandStep {
  const off = '[ "$(readlink "$2")" != "$1" ] || rm -f -- "$2"';
  const on = '[ -e "$2" ] || [ -L "$2" ] || ln -s -- "$1" "$2"';
  const [argv, settle] = [off, on].map((script) => ['/bin/sh', '-c', script, 'sh', target, path]);
  return {
    kind: 'command',
    argv: argv ?? [],
    ...(settle && {settle}),
    why: `${path} removed, a link to ${basename(hook)}`,
  };
}

/**
 * The way back of that half alone, for a host that stays joined: what includes our service first. To be carried out when
 * sshd no longer asks for it. What others have changed since is left, and said.
 */
export async function planNoPam(host: Host, dataDir: string, reload: boolean): Promise<TakeBack> {
  const record = await readRecord(host, dataDir);
  const asks = !reload && record !== undefined && asksForOurs(record);
  const changes = record?.changes.filter(({path}) => isPams(path)) ?? [];
  return takeBack(host, changes, {
    directory: dataDirectory(dataDir),
    without: ({path}, bytes) => (isService(path) ? withoutIncludes(path, bytes) : undefined),
    needed: (path) => (asks && isAskedFor(path) ? ASKED_FOR : undefined),
    gone: new Set(),
  });
}
