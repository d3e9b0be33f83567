// The exec script and the ready-made hooks, as they are installed. Pure but for reading the templates.

import {shellWord} from '../../host/shell-word.js';
import {render} from '../../templates.js';
import {PAM_PLACES, type PamPlaces} from './places.js';

export const READY_HOOKS = ['audit', 'groups-from-roles', 'home-directory', 'motd-by-role'] as const;

const HOOK_SECONDS = 10;
const PHASE_SECONDS = 30;

/** `authorities`: file with the keys that sign users of the cluster; other certificates are none of our business. */
export function scriptText({directory}: PamPlaces, authorities: string): string {
  return render('exec/pam-exec', {
    directory,
    authorities: shellWord(authorities),
    path: '/usr/sbin:/usr/bin:/sbin:/bin',
    hookSeconds: String(HOOK_SECONDS),
    phaseSeconds: String(PHASE_SECONDS),
  });
}

export function readyHook(name: (typeof READY_HOOKS)[number]): string {
  return render(`exec/hooks/${name}`, {directory: PAM_PLACES.directory});
}
