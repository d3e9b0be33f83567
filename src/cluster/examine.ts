// The way to a cluster, taken apart: the name, the connection, the web certificate, the routing to Auth. Each step is tried
// by itself, so that it can be said which of them fails.

import type {X509Certificate} from 'node:crypto';
import {lookup} from 'node:dns/promises';
import {once} from 'node:events';
import {connect, isIP} from 'node:net';
import {Failure} from '../errors.js';
import {type Address, formatAddress, parseAddress} from '../ssh/address.js';
import {authName} from './auth-dial.js';
import {Deadline, Passing} from './deadline.js';
import {httpProxyFor, type ProxyEnvironment} from './http-proxy.js';
import {networkFailure} from './network-failure.js';
import {oneLine} from './one-line.js';
import {openTls, type Route} from './open-tls.js';
import {type AuthorityEnvironment, systemAuthorities} from './system-authorities.js';
import {openWeb} from './web-trust.js';

/** What came of one step. */
export type Step<T> = {readonly value: T} | {readonly failure: Failure};

export interface WebCertificate {
  readonly issuer: string;
  /** DNS names and addresses as the certificate lists them. */
  readonly names: string;
  readonly validTo: Date;
}

export interface Way {
  /** host:port that is dialled: the proxy's, or that of an HTTP proxy in between. */
  readonly first: string;
  readonly throughHttpProxy: boolean;
  /** Addresses behind the name of `first`. */
  resolve(): Promise<Step<readonly string[]>>;
  /** Milliseconds to a TCP connection. */
  connect(): Promise<Step<number>>;
  /** The certificate of the web address, once nothing speaks against it. */
  verify(): Promise<Step<WebCertificate>>;
  /** What TLS routing by the name of Auth of that cluster has led to: the names that its certificate is for. */
  route(cluster: string): Promise<Step<string>>;
}

export interface WayOptions {
  /** Web address of the proxy, host or host:port. */
  readonly proxy: string;
  /** PEM texts of authorities that are trusted besides those of the system. */
  readonly caFile: readonly string[];
  readonly env: ProxyEnvironment & AuthorityEnvironment;
  /** Milliseconds for each step. */
  readonly patience: number;
}

const WEB_PORT = 443;

/** Connects to nothing yet. USAGE for an address that cannot be meant. */
export function wayTo({proxy, caFile, env, patience}: WayOptions): Way {
  const target = parseAddress(proxy, WEB_PORT);
  const route: Route = {target, httpProxy: httpProxyFor(target, env)};
  const first: Address = route.httpProxy ?? target;
  const trust = {authorities: caFile, insecure: false, system: () => systemAuthorities(env)};
  const where = formatAddress(target);
  const step = <T>(at: string, work: (signal: AbortSignal) => Promise<T>) => attempt(at, patience, work);
  return {
    first: formatAddress(first),
    throughHttpProxy: route.httpProxy !== undefined,
    resolve: () => step(formatAddress(first), (signal) => addressesOf(first.host, signal)),
    connect: () => step(formatAddress(first), (signal) => timeToConnect(first, signal)),
    verify: () => step(where, async (signal) => certificateOf(await openWeb(route, where, trust, signal))),
    route: (cluster) => step(where, (signal) => routed(route, cluster, where, signal)),
  };
}

async function attempt<T>(
  where: string,
  patience: number,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Step<T>> {
  const deadline = new Deadline(patience, new AbortController().signal);
  try {
    return {value: await deadline.within(patience, work)};
  } catch (error) {
    const failed = networkFailure(error, where);
    if (failed instanceof Passing) return {failure: failed.failure};
    if (failed instanceof Failure) return {failure: failed};
    throw failed;
  }
}

async function addressesOf(host: string, signal: AbortSignal): Promise<readonly string[]> {
  if (isIP(host) !== 0) return [host];
  // The system's resolver cannot be called off; it is waited for no longer than that.
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), {once: true});
  });
  const found = await Promise.race([lookup(host, {all: true}), late]);
  return found.map(({address}) => address);
}

async function timeToConnect({host, port}: Address, signal: AbortSignal): Promise<number> {
  const start = performance.now();
  const socket = connect({host, port});
  try {
    await once(socket, 'connect', {signal});
    return performance.now() - start;
  } catch (error) {
    throw signal.aborted ? signal.reason : error;
  } finally {
    socket.destroy();
  }
}

type Peer = Awaited<ReturnType<typeof openTls>>;

function certificateOf(socket: Peer): WebCertificate {
  const certificate = socket.getPeerX509Certificate();
  socket.destroy();
  if (certificate === undefined) {
    throw new Failure('CLUSTER_UNTRUSTED', 'the proxy shows no certificate', {
      hint: 'give the HTTPS port of the proxy',
    });
  }
  return {
    issuer: oneLine(certificate.issuer),
    names: namesOf(certificate),
    validTo: new Date(certificate.validTo),
  };
}

function namesOf({subjectAltName, subject}: X509Certificate): string {
  return oneLine(subjectAltName ?? subject, 300);
}

/** Without a client certificate: the handshake of TLS 1.3 has ended before Auth asks for one. */
async function routed(route: Route, cluster: string, where: string, signal: AbortSignal): Promise<string> {
  const name = authName(cluster);
  const protocols = [`teleport-auth@${name}`, 'h2'];
  const socket = await openTls(
    route,
    {servername: name, ALPNProtocols: protocols, ca: [], rejectUnauthorized: false},
    signal,
  );
  const [protocol, certificate] = [socket.alpnProtocol, socket.getPeerX509Certificate()];
  socket.destroy();
  if (protocol === 'h2' && certificate?.checkHost(name, {subject: 'never'}) !== undefined)
    return namesOf(certificate);
  throw new Failure('CLUSTER_UNREACHABLE', `${where} does not route TLS connections to the auth service`, {
    detail: `${protocol === false ? 'no protocol' : `protocol ${protocol}`} was chosen, the certificate is for ${certificate ? namesOf(certificate) : 'nobody'}`,
    hint: 'use an address that leads to the proxy itself (layer 4), with proxy_listener_mode: multiplex',
  });
}
