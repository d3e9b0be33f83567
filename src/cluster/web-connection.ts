// HTTPS to the proxy's web address: one connection, kept open between requests.

import {once} from 'node:events';
import {Agent, type ClientRequestArgs, type IncomingMessage, request} from 'node:http';
import type {Socket} from 'node:net';
import type {Duplex} from 'node:stream';
import type {TLSSocket} from 'node:tls';
import {Failure} from '../errors.js';
import {formatAddress} from '../ssh/address.js';
import {type Deadline, Passing} from './deadline.js';
import {errorCode, networkFailure} from './network-failure.js';
import type {Route} from './open-tls.js';
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
const TOO_LARGE = 'EMSGSIZE';
const LONGEST_ATTEMPT = 15_000;
// Many servers close a connection that is idle for five seconds: a request that is on its way then is lost.
const LONGEST_IDLE = 3000;

export class WebConnection {
  readonly #route: Route;
  readonly #trust: WebTrust;
  readonly userAgent: string;
  readonly #where: string;
  readonly #agent: Agent;
  /** Milliseconds that the proxy's clock is ahead of this host's, to the second; 0 before the first answer. */
  ahead = 0;

  constructor(route: Route, trust: WebTrust, userAgent: string) {
    this.#route = route;
    this.#trust = trust;
    this.userAgent = userAgent;
    this.#where = formatAddress(route.target);
    this.#agent = new KeptOpen((signal) => this.#dialled(signal));
  }

  /** Whatever answer there is; redirects are not followed. Fails with a Failure, or Passing when it may be repeated. */
  async request(request: WebRequest, deadline: Deadline): Promise<WebAnswer> {
    return deadline.within(LONGEST_ATTEMPT, (signal) =>
      this.#send(request, signal).catch((error: unknown) => {
        throw this.#lost(error, request.repeatable);
      }),
    );
  }

  /** A further connection to the same address, trusted by the same rule, for other protocols than HTTP. */
  async dial(protocols: readonly string[], deadline: Deadline): Promise<TLSSocket> {
    return deadline.within(LONGEST_ATTEMPT, (signal) => this.#dialled(signal, protocols));
  }

  async close(): Promise<void> {
    this.#agent.destroy();
  }

  async #send({method, path, body}: WebRequest, signal: AbortSignal): Promise<WebAnswer> {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const options: WebOptions = {
      agent: this.#agent,
      method,
      path,
      signal,
      // Node keeps the other one from the agent.
      dialSignal: signal,
      headers: {
        // Without the port where it is 443: a proxy sends others away.
        host: new URL(`https://${this.#where}`).host,
        'user-agent': this.userAgent,
        ...(content && {'content-type': 'application/json', 'content-length': content.length}),
      },
    };
    const call = request(options);
    // An error after the response has begun shows on the response.
    call.on('error', () => {});
    call.end(content);
    try {
      const [response] = (await once(call, 'response')) as [IncomingMessage];
      const {statusCode = 0, headers} = response;
      const date = Date.parse(headers.date ?? '');
      if (!Number.isNaN(date)) this.ahead = date - Date.now();
      return {status: statusCode, location: headers.location, body: await readAll(response)};
    } catch (error) {
      throw signal.aborted ? signal.reason : error;
    }
  }

  #dialled(signal: AbortSignal, protocols?: readonly string[]): Promise<TLSSocket> {
    return openWeb(this.#route, this.#where, this.#trust, signal, protocols).catch((error) => {
      throw networkFailure(error, this.#where);
    });
  }

  #lost(error: unknown, repeatable: boolean): unknown {
    // The dial itself has failed: nothing was sent.
    if (error instanceof Failure || error instanceof Passing) return error;
    const code = errorCode(error) ?? '';
    if (code === TOO_LARGE || code.startsWith('HPE_')) {
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

interface WebOptions extends ClientRequestArgs {
  readonly dialSignal: AbortSignal;
}

/** One connection that is dialled by ourselves: so it is known that a request whose dial has failed was never sent. */
class KeptOpen extends Agent {
  readonly #dial: (signal: AbortSignal) => Promise<TLSSocket>;

  constructor(dial: (signal: AbortSignal) => Promise<TLSSocket>) {
    super({keepAlive: true, maxSockets: 1});
    this.#dial = dial;
  }

  override keepSocketAlive(socket: Socket): boolean {
    // A boolean, whatever the types say.
    const kept: unknown = super.keepSocketAlive(socket);
    socket.setTimeout(LONGEST_IDLE);
    return kept === true;
  }

  override createConnection(
    {dialSignal}: WebOptions,
    callback?: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    // The second argument is not looked at beside an error.
    const fail = (error: Error) => callback?.(error, undefined as unknown as Duplex);
    this.#dial(dialSignal).then((socket) => callback?.(null, socket), fail);
  }
}

async function readAll(response: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (size > LARGEST_ANSWER) throw Object.assign(new Error('the answer is too large'), {code: TOO_LARGE});
  }
  return Buffer.concat(parts).toString();
}

export function notTeleport(message: string, detail?: string): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', message, {
    hint: 'give the web address of the Teleport proxy, the one that browsers and `tsh login` use',
    ...(detail && {detail}),
  });
}
