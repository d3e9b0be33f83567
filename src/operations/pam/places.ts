// Where the PAM half of a join lies. libpam looks for services in one directory only; the rest is ours to choose.

import {join} from 'node:path/posix';

export interface PamPlaces {
  /** Where libpam looks for services. */
  readonly services: string;
  /** Where the exec script and the hooks of the site lie. */
  readonly directory: string;
}

export const PAM_PLACES: PamPlaces = {services: '/etc/pam.d', directory: '/etc/agentless'};

/** The name that Teleport's own SSH service is usually told as well. */
export const SERVICE = 'teleport';

/** What pam_exec runs the script for; each has a directory of hooks. */
export const PHASES = ['account', 'open_session', 'close_session'] as const;

export function pamPaths({services, directory}: PamPlaces) {
  return {
    service: join(services, SERVICE),
    script: join(directory, 'pam-exec'),
    /** Directories of executables, one for each phase. */
    hooks: join(directory, 'pam.d'),
    /** Ready-made hooks, which do nothing until they are linked into one of those. */
    ready: join(directory, 'hooks'),
  };
}
