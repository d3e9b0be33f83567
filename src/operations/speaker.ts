// Who speaks for this host at the cluster: the host itself, or a person or bot in the place of one that keeps no credential.

import {isAboutTime} from '../cluster/clock-hint.js';
import type {Authority, Cluster, HostSession, Identity, Operator, Session} from '../cluster/cluster.js';
import {Failure} from '../errors.js';

export interface HostSpeaker {
  readonly session: HostSession;
  readonly identity: Identity;
}

export interface OperatorSpeaker {
  readonly session: Operator;
  readonly identity?: undefined;
}

export type Speaker = HostSpeaker | OperatorSpeaker;

/** The authorities that matter to a host, as the cluster has them now. */
export interface Authorities {
  readonly hosts: Authority;
  readonly users: Authority;
}

/** A speaker that Auth has answered. */
export type Contact<S extends Speaker = Speaker> = S & {readonly authorities: Authorities};

export async function askAuthorities(session: Session): Promise<Authorities> {
  const [hosts, users] = await Promise.all([session.authority('host'), session.authority('openssh')]);
  return {hosts, users};
}

/**
 * Reaches Auth. A host that was silent since before a rotation began knows none of the authorities that Auth shows by now,
 * although Auth may still accept it: they are then fetched anew under the web certificate and the pins, as at the join
 * (rotation reference A.7).
 */
export async function reach(cluster: Cluster, identity: Identity): Promise<Contact<HostSpeaker>> {
  const session = cluster.as(identity);
  try {
    return {session, identity, authorities: await askAuthorities(session)};
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'CLUSTER_UNTRUSTED') throw error;
    const told = await cluster.hostAuthorities().catch((cause: unknown) => {
      throw unverifiable(error, cause);
    });
    const known = {...identity, authorities: [...new Set([...identity.authorities, ...told.tls])]};
    if (known.authorities.length === identity.authorities.length) throw error;
    const again = cluster.as(known);
    return {session: again, identity: known, authorities: await askAuthorities(again)};
  }
}

function unverifiable(error: Failure, cause: unknown): Failure {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Failure(error.code, error.message, {
    detail: [error.detail, `its authorities could not be fetched again either: ${why}`]
      .filter(Boolean)
      .join('\n'),
    hint:
      isAboutTime(error.detail) && error.hint !== undefined
        ? error.hint
        : 'if the authorities were rotated while this host was off: join again with a token',
    cause: error,
  });
}

/** The same as a person or a bot; REQUEST_REFUSED when the roles do not show the record of this node. */
export async function reachAs(session: Operator, nodeId: string): Promise<Contact<OperatorSpeaker>> {
  const [authorities] = await Promise.all([
    askAuthorities(session),
    // A record that is not shown would look like one that is missing.
    session.node(nodeId),
  ]);
  return {session, authorities};
}
