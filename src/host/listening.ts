// Edits of Port and ListenAddress that the running sshd has not read yet: our reload would put them into effect.

import type {EffectiveConfig} from '../ssh/sshd-config/index.js';
import type {Daemon} from './daemon.js';

/** What a reload would change, each as "address:port"; both empty when the daemon listens as configured. */
export interface UnreadListening {
  readonly closed: readonly string[];
  readonly opened: readonly string[];
}

/** A daemon that is not running, or is handed its sockets by systemd, listens to nothing of the kind. */
export function unreadListening(daemon: Daemon, effective: EffectiveConfig): UnreadListening {
  const wanted = effective.all('listenaddress').map((value) => value.split(' ')[0] ?? '');
  const live = daemon.listening;
  if (daemon.state !== 'running' || daemon.socket !== undefined || live.length === 0 || wanted.length === 0)
    return {closed: [], opened: []};
  return {
    closed: live.filter((address) => !wanted.some((other) => meets(address, other))),
    opened: wanted.filter((address) => !live.some((other) => meets(address, other))),
  };
}

/** Where a host lacks one family of addresses, sshd goes on with the other: both wildcards are one. */
function meets(one: string, other: string): boolean {
  return withoutFamily(one) === withoutFamily(other);
}

function withoutFamily(address: string): string {
  return address.replace(/^(0\.0\.0\.0|\*|\[[0:]*\]):/, '*:');
}
