// Whether sshd asks PAM at all, and for which service.

import {basename} from 'node:path/posix';
import {type Glance, isForRootOnly} from '../../host/glance.js';
import {firstGlobal, settings} from '../../ssh/sshd-config/index.js';

export interface Asked {
  /** Undefined: nobody could tell. */
  readonly usePam: boolean | undefined;
  readonly service: string | undefined;
  readonly unseen: readonly string[];
}

/** From here on sshd can be told the name of its service, and takes "sshd" where it is not. */
const NAMED_SINCE = [9, 8] as const;

export function whatSshdAsks(sight: Glance): Asked {
  const {facts, daemon, tree, dialect, version, obstacles, probe} = sight;
  if (daemon === undefined) return {usePam: undefined, service: undefined, unseen: ['there is no sshd']};
  const program = basename(daemon.process?.argv[0] ?? daemon.program);
  if (facts !== undefined) {
    const service = facts.effective.one('pamservicename') ?? program;
    return {usePam: facts.effective.one('usepam') === 'yes', service, unseen: []};
  }
  // What the files say is all that is left; the first line wins, unless a Match says otherwise.
  const said = (keyword: string) => tree && firstGlobal(settings(tree, dialect), keyword)?.args[0];
  const [usePam, named] = [said('usepam'), said('pamservicename')];
  const [major = 0, minor = 0] = version ?? [];
  const renamed = major > NAMED_SINCE[0] || (major === NAMED_SINCE[0] && minor >= NAMED_SINCE[1]);
  const why = obstacles
    .map((one) => (isForRootOnly(one, probe) ? 'only root can ask it' : one.message))
    .join('; ');
  return {
    usePam: usePam === undefined ? undefined : usePam.toLowerCase() === 'yes',
    service: named ?? (renamed ? 'sshd' : program),
    unseen: [`what sshd makes of its configuration: ${why}; this is what its files say`],
  };
}
