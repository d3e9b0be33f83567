// Whom we take for the cluster's web address. What the client trusts is a certificate that the system's authorities or
// the given ones have signed; after the join, trust moves to the cluster's own authorities.

import type {X509Certificate} from 'node:crypto';
import type {TLSSocket} from 'node:tls';
import {Failure} from '../errors.js';
import {oneLine} from './one-line.js';
import {openTls, type Route} from './open-tls.js';

export interface WebTrust {
  /** PEM texts of authorities that are trusted besides those of the system. */
  readonly authorities: readonly string[];
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** Reads the system's authorities; not called where others suffice. */
  readonly system: () => readonly string[];
}

/** A connection to the web address whose certificate has been checked; CLUSTER_UNTRUSTED when that fails. */
export async function openWeb(
  route: Route,
  where: string,
  trust: WebTrust,
  signal: AbortSignal,
  protocols: readonly string[] = ['http/1.1'],
): Promise<TLSSocket> {
  const given = trust.authorities.length > 0;
  let failure: Failure | undefined;
  for (const authorities of STORES) {
    const ca = authorities(trust);
    if (ca?.length === 0) continue;
    // Node takes `ca` instead of its own authorities.
    const options = {ALPNProtocols: [...protocols], rejectUnauthorized: false, ...(ca && {ca: [...ca]})};
    const socket = await openTls(route, options, signal);
    if (trust.insecure || socket.authorized) return socket;
    const problem = untrusted(socket, where, given);
    socket.destroy();
    failure = problem.failure;
    if (!isUnknownAuthority(problem.reason)) break;
  }
  throw failure;
}

/** Tried in turn while the authority is unknown: those given, Node's own (reading them takes 20 ms), the system's. */
const STORES: readonly ((trust: WebTrust) => readonly string[] | undefined)[] = [
  ({authorities}) => authorities,
  () => undefined,
  ({system}) => system(),
];

const EXPIRED = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID']);
const WRONG_NAME = 'ERR_TLS_CERT_ALTNAME_INVALID';

function isUnknownAuthority(reason: string): boolean {
  return reason !== WRONG_NAME && !EXPIRED.has(reason);
}

function untrusted(socket: TLSSocket, where: string, given: boolean): {reason: string; failure: Failure} {
  const reason = String(socket.authorizationError ?? 'unknown');
  const certificate = socket.getPeerX509Certificate();
  const refuse = (message: string, hint: string, detail: string | undefined) => ({
    reason,
    failure: new Failure('CLUSTER_UNTRUSTED', message, {hint, ...(detail && {detail})}),
  });
  if (reason === WRONG_NAME) {
    const hint = 'use a name that the certificate is for, or have the certificate replaced';
    return refuse(
      `the certificate of ${where} is for another name`,
      hint,
      certificate && describeNames(certificate),
    );
  }
  if (EXPIRED.has(reason)) {
    const [how, validity] =
      reason === 'CERT_HAS_EXPIRED'
        ? ['has expired', certificate && `valid until ${certificate.validTo}`]
        : ['is not valid yet', certificate && `valid from ${certificate.validFrom}`];
    const clock = `this host's clock says ${new Date().toUTCString()}`;
    const hint = "have the proxy's certificate renewed; if it is good, set the clock of this host";
    return refuse(`the certificate of ${where} ${how}`, hint, `${validity ?? 'unknown validity'}; ${clock}`);
  }
  const hint = given
    ? '--ca-file must name the certificate of the authority itself (PEM), not one that it has signed'
    : "give the authority's certificate with --ca-file FILE (PEM)";
  const message = given
    ? `the certificate of ${where} is signed neither by an authority of --ca-file nor by one that this host knows`
    : `the certificate of ${where} is signed by an authority that this host does not know`;
  return refuse(message, hint, certificate && `issued by ${oneLine(certificate.issuer)} (${reason})`);
}

function describeNames({subject, subjectAltName}: X509Certificate): string {
  return `it is for ${subjectAltName ? oneLine(subjectAltName) : oneLine(subject)}`;
}
