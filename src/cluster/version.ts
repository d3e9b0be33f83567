// Which clusters this client can work with.

import {Failure} from '../errors.js';

/**
 * The Teleport version whose protocol this client speaks; sent to Auth as `version` metadata. Auth takes clients of its
 * own major version and of the one before, and closes the connection of an older one without a word.
 */
export const PROTOCOL_VERSION = '18.0.0';

const SUPPORTED = {oldest: 17, newest: 19};

/**
 * Fails with VERSION_UNSUPPORTED unless a cluster of that version can be joined. `minClient` is the oldest client that
 * the cluster says it takes.
 */
export function checkVersion(server: string, minClient?: string): void {
  const [major] = numbers(server) ?? [];
  if (major === undefined) {
    throw new Failure(
      'CLUSTER_REPLY_INVALID',
      'the cluster does not tell its version in a form that is known',
      {hint: 'check that a Teleport proxy answers there, and nothing else'},
    );
  }
  const {oldest, newest} = SUPPORTED;
  if (major < oldest) {
    throw unsupported(
      server,
      'is too old',
      `upgrade the cluster: versions ${oldest} to ${newest} are supported`,
    );
  }
  if (major > newest || isOlder(PROTOCOL_VERSION, minClient)) {
    throw unsupported(server, 'is newer than this program knows', 'upgrade agentless, and try again');
  }
}

function unsupported(server: string, how: string, hint: string): Failure {
  return new Failure('VERSION_UNSUPPORTED', `the cluster runs Teleport ${server}, which ${how}`, {hint});
}

/** A bound that cannot be read binds nobody. */
function isOlder(version: string, bound: string | undefined): boolean {
  const [own, least] = [numbers(version), numbers(bound ?? '')];
  if (own === undefined || least === undefined) return false;
  const difference = own.map((number, index) => number - (least[index] ?? 0)).find((number) => number !== 0);
  return (difference ?? 0) < 0;
}

/** Major, minor and patch. Prereleases sort before their release, so a bound with one is met by the release itself. */
function numbers(version: string): readonly number[] | undefined {
  const match = /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})(?:[-+].*)?$/.exec(version);
  return match === null ? undefined : match.slice(1).map(Number);
}
