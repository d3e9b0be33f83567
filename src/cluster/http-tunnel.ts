// A byte pipe through an HTTP proxy, by the CONNECT method.

import http from 'node:http';
import type {Duplex} from 'node:stream';
import {Failure} from '../errors.js';
import {type Address, formatAddress} from '../ssh/address.js';
import {Passing} from './deadline.js';
import type {HttpProxy} from './http-proxy.js';

/** Resolves once the proxy has connected to the target. The error of an unreachable proxy is the socket's own. */
export async function connectThrough(
  proxy: HttpProxy,
  target: Address,
  signal: AbortSignal,
): Promise<Duplex> {
  const {request} = proxy.tls ? await import('node:https') : http;
  const path = formatAddress(target);
  return new Promise((resolve, reject) => {
    const call = request({
      method: 'CONNECT',
      host: proxy.host,
      port: proxy.port,
      path,
      headers: {host: path, ...(proxy.authorization && {'proxy-authorization': proxy.authorization})},
      agent: false,
      signal,
    });
    call.on('connect', (response, socket, head) => {
      if (response.statusCode === 200) {
        socket.unshift(head);
        resolve(socket);
      } else {
        socket.destroy();
        reject(refusal(response.statusCode ?? 0, proxy, path));
      }
    });
    call.on('error', (error) => reject(signal.aborted ? signal.reason : new TunnelError(proxy, error)));
    call.end();
  });
}

/** The HTTP proxy itself could not be reached. */
export class TunnelError extends Error {
  readonly where: string;

  constructor(proxy: HttpProxy, cause: Error) {
    super(cause.message, {cause});
    this.where = `the HTTP proxy ${formatAddress(proxy)}`;
  }
}

function refusal(status: number, proxy: HttpProxy, target: string): Failure | Passing {
  const where = `the HTTP proxy ${formatAddress(proxy)}`;
  if (status === 407) {
    return new Failure('CLUSTER_UNREACHABLE', `${where} wants a user and a password`, {
      hint: 'give them in the variable: HTTPS_PROXY=http://user:password@host:port',
    });
  }
  const failure = new Failure(
    'CLUSTER_UNREACHABLE',
    `${where} does not connect to ${target} (status ${status})`,
    {
      hint: 'allow that address there, or name it in NO_PROXY to go around the HTTP proxy',
    },
  );
  return status >= 500 || status === 429 ? new Passing(failure, 3) : failure;
}
