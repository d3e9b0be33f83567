// HTTPS to the proxy's web address: one connection, kept open between requests.

import type {TLSSocket} from 'node:tls';
import type {Client} from 'undici';
import {Failure} from '../errors.js';
import {formatAddress} from '../ssh/address.js';
import {type Deadline, Passing} from './deadline.js';
import {errorCode, networkFailure} from './network-failure.js';
import type {Route} from './open-tls.js';
import {usePlainHeaders} from './plain-headers.js';
import {openWeb, type WebTrust} from './web-trust.js';

export interface WebRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** May be sent again when nobody knows whether it has arrived. */
  readonly repeatable: boolean;
}

export interface WebAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly body: string;
  /** When the answer was given, by the proxy's clock (RFC 9110 6.6.1). */
  readonly date?: string;
}

// Answers are a few kilobytes; whatever is larger comes from something else.
const LARGEST_ANSWER = 1024 * 1024;
const LONGEST_ATTEMPT = 15_000;
// The host is rehearsed between the first request and the second.
const KEEP_ALIVE = 60_000;

export class WebConnection {
  readonly #route: Route;
  readonly #trust: WebTrust;
  readonly userAgent: string;
  readonly #where: string;
  /** Milliseconds that the proxy's clock is ahead of this host's, to the second; 0 before the first answer. */
  ahead = 0;
  #open: {readonly socket: TLSSocket; readonly client: Client} | undefined;

  constructor(route: Route, trust: WebTrust, userAgent: string) {
    this.#route = route;
    this.#trust = trust;
    this.userAgent = userAgent;
    this.#where = formatAddress(route.target);
  }

  /** Whatever answer there is; redirects are not followed. Fails with a Failure, or Passing when it may be repeated. */
  async request(request: WebRequest, deadline: Deadline): Promise<WebAnswer> {
    return deadline.within(LONGEST_ATTEMPT, async (signal) => {
      const client = await this.#connected(signal);
      const answer = await send(client, request, this.userAgent, signal).catch((error) => {
        throw this.#lost(error, request.repeatable);
      });
      const date = Date.parse(answer.date ?? '');
      if (!Number.isNaN(date)) this.ahead = date - Date.now();
      return answer;
    });
  }

  /** A further connection to the same address, trusted by the same rule, for other protocols than HTTP. */
  async dial(protocols: readonly string[], deadline: Deadline): Promise<TLSSocket> {
    return deadline.within(LONGEST_ATTEMPT, (signal) => this.#dialled(signal, protocols));
  }

  async close(): Promise<void> {
    await this.#open?.client.destroy();
    this.#open?.socket.destroy();
  }

  // Dialling is not left to undici: so it is known that a request whose dial has failed was never sent.
  async #connected(signal: AbortSignal): Promise<Client> {
    if (this.#open && !this.#open.socket.destroyed) return this.#open.client;
    // undici takes longer to load than the rest of the client.
    usePlainHeaders();
    const [socket, {Client}] = await Promise.all([this.#dialled(signal), import('./http-client.js')]);
    const client = new Client(`https://${this.#where}`, {
      // Not at once: undici sends nothing over a connection that it gets while it still asks for one.
      connect: (_options, callback) => {
        queueMicrotask(() => {
          if (socket.destroyed)
            callback(Object.assign(new Error('connection lost'), {code: 'ECONNRESET'}), null);
          else callback(null, socket);
        });
      },
      keepAliveTimeout: KEEP_ALIVE,
      maxResponseSize: LARGEST_ANSWER,
    });
    this.#open = {socket, client};
    return client;
  }

  #dialled(signal: AbortSignal, protocols?: readonly string[]): Promise<TLSSocket> {
    return openWeb(this.#route, this.#where, this.#trust, signal, protocols).catch((error) => {
      throw networkFailure(error, this.#where);
    });
  }

  #lost(error: unknown, repeatable: boolean): unknown {
    const code = errorCode(error) ?? '';
    if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || code.startsWith('HPE_')) {
      return notTeleport(`${this.#where} answered with something that a Teleport proxy does not send`, code);
    }
    const failure = networkFailure(error, this.#where);
    if (!(failure instanceof Passing) || repeatable) return failure;
    const {message, cause} = failure.failure;
    const hint =
      'nobody knows whether the request has arrived; a token of type node can be used again until it expires';
    return new Failure('CLUSTER_UNREACHABLE', message, {hint, cause});
  }
}

async function send(
  client: Client,
  {method, path, body}: WebRequest,
  userAgent: string,
  signal: AbortSignal,
): Promise<WebAnswer> {
  const headers = {'user-agent': userAgent, ...(body !== undefined && {'content-type': 'application/json'})};
  const content = body === undefined ? {} : {body: JSON.stringify(body)};
  const {request} = await import('./http-client.js');
  const answer = await request.call(client, {method, path, headers, signal, ...content});
  const {location, date} = answer.headers;
  return {
    status: answer.statusCode,
    location: typeof location === 'string' ? location : undefined,
    body: await answer.body.text(),
    ...(typeof date === 'string' && {date}),
  };
}

export function notTeleport(message: string, detail?: string): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', message, {
    hint: 'give the web address of the Teleport proxy, the one that browsers and `tsh login` use',
    ...(detail && {detail}),
  });
}
