// Who calls Auth: read from the one client certificate, common name and organisation, as Auth does.

import {X509Certificate} from 'node:crypto';
import {createContextKey, type HandlerContext} from '@connectrpc/connect';
import {type Authority, tlsCertificates} from './authority.js';
import {Refusal} from './refusal.js';
import {SYSTEM_ROLES} from './tokens.js';

interface Peer {
  /** IP address. */
  readonly address: string;
  /** host:port. */
  readonly endpoint: string;
}

type Anonymous = Peer & {readonly kind: 'anonymous'};

export interface HostCaller extends Peer {
  readonly kind: 'host';
  /** "<uuid>.<cluster>". */
  readonly username: string;
  /** The part of the username before the cluster. */
  readonly hostId: string;
  /** "Node", "Instance" … */
  readonly role: string;
}

/** A person or a bot. */
export interface UserCaller extends Peer {
  readonly kind: 'user';
  readonly username: string;
  readonly roles: readonly string[];
  /** Who has made the identity in the user's name: Auth's own host, or a bot. */
  readonly impersonator: string | undefined;
}

export type Caller = Anonymous | HostCaller | UserCaller;

/** Where a call's caller is found in its context. */
export const callerKey = createContextKey<Caller>({kind: 'anonymous', address: '', endpoint: ''});

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** True when one of the authority's certificates has issued this one, it may be used by a client, and now. */
export function isTrusted(certificate: X509Certificate, authority: Authority, now = Date.now()): boolean {
  const issuers = tlsCertificates(authority).map((pem) => new X509Certificate(pem));
  const issued = issuers.some((ca) => certificate.checkIssued(ca) && certificate.verify(ca.publicKey));
  const valid = Date.parse(certificate.validFrom) <= now && now <= Date.parse(certificate.validTo);
  return issued && valid && (certificate.keyUsage ?? []).includes(CLIENT_AUTH);
}

/** The caller that a certificate names, which has been verified; anonymous without one. */
export function readCaller(certificate: X509Certificate | undefined, peer: Peer, cluster: string): Caller {
  if (certificate === undefined) return {kind: 'anonymous', ...peer};
  const {CN, O, [IMPERSONATOR]: impersonator} = certificate.toLegacyObject().subject as Subject;
  const [username = ''] = [CN].flat();
  const roles = [O ?? []].flat();
  const role = roles.find((name) => SYSTEM_ROLES.has(name));
  if (role === undefined) {
    return {kind: 'user', username, roles, impersonator: [impersonator].flat()[0], ...peer};
  }
  const suffix = `.${cluster}`;
  const hostId = username.endsWith(suffix) ? username.slice(0, -suffix.length) : username;
  return {kind: 'host', username, hostId, role, ...peer};
}

/** The host that makes this call in the name of `hostId`. */
export function hostCaller(call: HandlerContext, hostId: string, cluster: string): HostCaller {
  const caller = call.values.get(callerKey);
  if (caller.kind === 'host') return caller;
  if (caller.kind === 'user') {
    const mismatch = `username mismatch "${caller.username}" and "${hostId}.${cluster}"`;
    throw new Refusal('access denied', mismatch);
  }
  throw new Refusal('access denied', 'access denied');
}

/** Attributes by short name or number; one that occurs several times has several values. */
type Subject = Readonly<Record<string, string | readonly string[] | undefined>>;

const IMPERSONATOR = '1.3.9999.2.7';
