// What went wrong with a connection, in words for people. Certificate problems of the web address are in web-trust.ts,
// those of Auth in auth-peer.ts.

import {Failure} from '../errors.js';
import {CONNECTION_ATTEMPTS, Passing} from './deadline.js';
import {TunnelError} from './http-tunnel.js';

/** Texts by error code of node; `where` is what was dialled. */
const TEXTS: readonly (readonly [codes: RegExp, text: (where: string) => string, hint: string])[] = [
  [
    /^(ENOTFOUND|EAI_\w+|ENODATA)$/,
    (where) => `${where} cannot be found: its name has no address`,
    'check the name, and the DNS of this host',
  ],
  [
    /^ECONNREFUSED$/,
    (where) => `${where} refuses connections`,
    'check the port, and that the proxy is running',
  ],
  [
    /^(EHOSTUNREACH|ENETUNREACH|ENETDOWN|EADDRNOTAVAIL)$/,
    (where) => `there is no route to ${where}`,
    'check the network of this host',
  ],
  [
    /^(EACCES|EPERM)$/,
    (where) => `this host does not let us connect to ${where}`,
    "look at the host's own firewall",
  ],
  [
    /^(ETIMEDOUT)$/,
    (where) => `${where} does not answer`,
    'check the address, and firewalls between this host and the proxy',
  ],
  [
    /^(ECONNRESET|EPIPE|ERR_STREAM_\w+|ERR_HTTP2_\w+)$/,
    (where) => `${where} closed the connection`,
    'check that a Teleport proxy answers there',
  ],
  [
    /^(ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST)|EPROTO)$/,
    (where) => `${where} does not speak TLS`,
    'give the HTTPS port of the proxy',
  ],
];

/**
 * A failed connection as CLUSTER_UNREACHABLE, or the error itself when it is nothing of that kind. Comes as `Passing`
 * where another attempt may help.
 */
export function networkFailure(error: unknown, where: string): unknown {
  if (error instanceof TunnelError) return networkFailure(error.cause, error.where);
  if (error instanceof Failure || error instanceof Passing) return error;
  const code = errorCode(error);
  const [, text, hint] = TEXTS.find(([codes]) => code !== undefined && codes.test(code)) ?? [];
  if (text !== undefined && hint !== undefined) {
    const failure = new Failure('CLUSTER_UNREACHABLE', text(where), {hint, cause: error});
    return code?.startsWith('ERR_SSL') || code === 'EACCES'
      ? failure
      : new Passing(failure, CONNECTION_ATTEMPTS);
  }
  if (code === undefined || !/^(ERR_(SSL|TLS)|E[A-Z]+$)/.test(code)) return error;
  return new Failure('CLUSTER_UNREACHABLE', `no connection to ${where}: ${code}`, {
    hint: 'check that a Teleport proxy answers there, and what stands between',
    cause: error,
  });
}

/** The code that says most, found along the causes; ETIMEDOUT when a signal's time was up. */
export function errorCode(error: unknown): string | undefined {
  for (const one of causes(error)) {
    if (one.name === 'TimeoutError') return 'ETIMEDOUT';
    const code = 'code' in one ? one.code : undefined;
    if (typeof code === 'string' && code !== '') return code;
  }
  return undefined;
}

function causes(error: unknown): readonly Error[] {
  const found: Error[] = [];
  for (let one = error; one instanceof Error && !found.includes(one); one = one.cause) found.push(one);
  return found;
}
