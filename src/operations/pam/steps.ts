// The PAM half of a join as steps: the script before the service that calls it, and that before what includes it.

import {join} from 'node:path/posix';
import {removed} from '../../pam/index.js';
import {sha256} from '../../plan/state.js';
import type {PathStep, Step} from '../../plan/step.js';
import {PAM_PLACES, PHASES, pamPaths, SERVICE} from './places.js';
import type {Pam, ServiceFile} from './prepare.js';
import {READY_HOOKS, readyHook, scriptText} from './script.js';

/** Whether a plan changes what PAM does. */
export function touchesPam(steps: readonly Step[], pam: Pam | undefined): boolean {
  const paths = new Set(pam && pamSteps(pam, '').map(({path}) => path));
  return steps.some((step) => step.kind === 'path' && paths.has(step.via ?? step.path));
}

export function pamSteps(pam: Pam, authorities: string): readonly PathStep[] {
  if (pam.frozen) return [];
  const {directory} = PAM_PLACES;
  const {script, hooks, ready} = pamPaths(PAM_PLACES);
  const folders = [directory, hooks, ...PHASES.map((phase) => join(hooks, phase)), ready];
  return [
    ...folders.map(
      (path): PathStep => ({
        kind: 'path',
        path,
        to: {kind: 'directory', mode: 0o755},
        why: 'hooks of the site',
      }),
    ),
    file(script, scriptText(PAM_PLACES, authorities), 0o755, 'runs the hooks of the site'),
    ...READY_HOOKS.map((name) =>
      file(join(ready, name), readyHook(name), 0o755, 'a hook, off until it is linked'),
    ),
    ...pam.services(SERVICE, script).map(serviceStep),
  ];
}

function serviceStep({path, text, standing}: ServiceFile): PathStep {
  const bytes = Buffer.from(text, 'latin1');
  if (standing === undefined)
    return {kind: 'path', path, to: {kind: 'file', bytes, mode: 0o644}, why: 'what PAM does at a login'};
  const [now, theirs] = [standing, removed(standing)].map((one) => Buffer.from(one, 'latin1'));
  return {
    kind: 'path',
    path,
    to: {kind: 'file', bytes},
    why: 'has PAM do that for sshd',
    seen: sha256(now ?? bytes),
    ...(theirs && now && theirs.length < now.length && {theirs}),
  };
}

function file(path: string, text: string, mode: number, why: string): PathStep {
  return {kind: 'path', path, to: {kind: 'file', bytes: Buffer.from(text), mode}, why};
}
