// The way to Auth: TLS through the proxy's web port, routed by name (TLS routing). The proxy passes the bytes on, so
// the other end of this TLS connection is Auth itself.

import {X509Certificate} from 'node:crypto';
import type {TLSSocket} from 'node:tls';
import {Failure} from '../errors.js';
import {formatAddress} from '../ssh/address.js';
import {CLOCK_HINT, isAboutTime} from './clock-hint.js';
import type {Credential} from './cluster.js';
import {Passing} from './deadline.js';
import {beginHttp2, type Http2Connection} from './http2-connection.js';
import {errorCode, networkFailure} from './network-failure.js';
import {openTls, type Route} from './open-tls.js';
import {serverProblem} from './tls-certificate.js';

/** The name that Auth has in TLS: the cluster's name in hex, as a label of a domain that exists nowhere else. */
export function authName(cluster: string): string {
  return `${Buffer.from(cluster).toString('hex')}.teleport.cluster.local`;
}

/**
 * A connection whose peer is proven to be Auth of the identity's cluster, ready for calls. `remedy` is what gets the
 * caller a new identity.
 */
export async function dialAuth(
  route: Route,
  identity: Credential,
  signal: AbortSignal,
  remedy: string,
): Promise<Http2Connection> {
  const name = authName(identity.cluster);
  const where = formatAddress(route.target);
  const socket = await openTls(
    route,
    {
      servername: name,
      ALPNProtocols: [`teleport-auth@${name}`, 'h2'],
      cert: identity.certificate,
      key: identity.key.reveal(),
      // No authorities, not even the system's: OpenSSL would add the issuer it finds among them to the certificate it
      // presents, and Auth closes connections that present more than one without a word.
      ca: [],
      rejectUnauthorized: false,
    },
    signal,
  ).catch((error) => {
    throw dialFailure(error, where);
  });
  try {
    checkPeer(socket, name, identity, where, remedy);
    return beginHttp2(socket);
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

function checkPeer(
  socket: TLSSocket,
  name: string,
  identity: Credential,
  where: string,
  remedy: string,
): void {
  if (socket.alpnProtocol === false || socket.alpnProtocol === 'http/1.1') throw noRouting(where);
  const peer = socket.getPeerX509Certificate();
  const authorities = identity.authorities.map((pem) => new X509Certificate(pem));
  const problem = peer === undefined ? 'is missing' : serverProblem(peer, name, authorities);
  if (problem === undefined) return;
  throw new Failure('CLUSTER_UNTRUSTED', `${where} is not the way to the cluster ${identity.cluster}`, {
    detail: `the certificate presented in the name of its auth service ${problem}`,
    hint: isAboutTime(problem)
      ? CLOCK_HINT
      : `check the proxy's address; if the cluster was rebuilt or its authorities were replaced, ${remedy}`,
  });
}

function dialFailure(error: unknown, where: string): unknown {
  if (/ALERT_NO_APPLICATION_PROTOCOL/.test(errorCode(error) ?? '')) return noRouting(where);
  const failure = networkFailure(error, where);
  if (!(failure instanceof Passing) || errorCode(error) !== 'ECONNRESET') return failure;
  const {message, cause} = failure.failure;
  const hint =
    'the proxy answers, but does not pass the connection on to the auth service; is TLS routing turned on?';
  return new Passing(
    new Failure('CLUSTER_UNREACHABLE', `${message} to the auth service`, {hint, cause}),
    failure.attempts,
  );
}

function noRouting(where: string): Failure {
  return new Failure('CLUSTER_UNREACHABLE', `${where} does not route TLS connections to the auth service`, {
    hint:
      'a layer 7 load balancer in front of the proxy, or TLS routing turned off, is not supported yet: ' +
      'use an address that leads to the proxy itself (layer 4), with proxy_listener_mode: multiplex',
  });
}
