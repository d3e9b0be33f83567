// Who calls Auth: read from the one client certificate, common name and organisation, as Auth does.

import {X509Certificate} from 'node:crypto';
import {createContextKey, type HandlerContext} from '@connectrpc/connect';
import {type Authority, tlsCertificates} from './authority.js';
import {Refusal} from './refusal.js';

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

export type Caller = Anonymous | HostCaller;

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
  const attributes = readSubject(certificate.subject);
  const username = attributes.get('CN') ?? '';
  const suffix = `.${cluster}`;
  const hostId = username.endsWith(suffix) ? username.slice(0, -suffix.length) : username;
  return {kind: 'host', username, hostId, role: attributes.get('O') ?? '', ...peer};
}

/** The host that makes this call; anybody else has been refused before. */
export function hostCaller(call: HandlerContext): HostCaller {
  const caller = call.values.get(callerKey);
  if (caller.kind === 'host') return caller;
  throw new Refusal('access denied', 'access denied');
}

function readSubject(subject: string): ReadonlyMap<string, string> {
  return new Map(
    subject.split('\n').map((line) => {
      const [name = '', ...value] = line.split('=');
      return [name, value.join('=')];
    }),
  );
}
