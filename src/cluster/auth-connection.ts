// The connection of one credential to Auth: made by the first question, and made again when it was lost.

import {formatAddress} from '../ssh/address.js';
import type {AuthClient, AuthServices} from './auth-client.js';
import {dialAuth} from './auth-dial.js';
import type {CallerWords} from './caller-words.js';
import type {Credential} from './cluster.js';
import {type Deadline, retry} from './deadline.js';
import type {Route} from './open-tls.js';

export interface SessionContext {
  readonly route: Route;
  readonly userAgent: string;
  readonly newDeadline: () => Deadline;
  /** Milliseconds since 1970 by the cluster's clock, as far as it is known: ends of validity are told by it. */
  readonly now: () => number;
}

export type Call<T> = (
  services: AuthServices,
  options: {timeoutMs?: number; signal?: AbortSignal},
) => Promise<T>;

const LONGEST_DIAL = 15_000;

export class AuthConnection {
  readonly #credential: Credential;
  readonly #context: SessionContext;
  readonly #caller: CallerWords;
  #client: Promise<AuthClient> | undefined;

  constructor(credential: Credential, context: SessionContext, caller: CallerWords) {
    this.#credential = credential;
    this.#context = context;
    this.#caller = caller;
  }

  /**
   * Everything that is asked of Auth may be asked twice. `doing` completes "the cluster refused to …"; `hide` takes
   * secrets out of what Auth says about it.
   */
  async call<T>(doing: string, call: Call<T>, hide?: (text: string) => string): Promise<T> {
    const deadline = this.#context.newDeadline();
    const where = formatAddress(this.#context.route.target);
    const context = {doing, where, caller: this.#caller, ...(hide && {hide})};
    return retry(deadline, async () => (await this.#connected(deadline)).call(context, deadline, call));
  }

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  async #connected(deadline: Deadline): Promise<AuthClient> {
    const known = this.#client;
    if (known !== undefined && !(await known).closed) return known;
    // Another call may have begun to dial while this one waited.
    if (this.#client === known) this.#client = this.#dial(deadline);
    return await (this.#client ?? this.#connected(deadline));
  }

  #dial(deadline: Deadline): Promise<AuthClient> {
    const {route, userAgent} = this.#context;
    const {remedy} = this.#caller;
    const dialled = deadline.within(LONGEST_DIAL, (signal) =>
      dialAuth(route, this.#credential, signal, remedy),
    );
    const client = Promise.all([dialled, import('./auth-client.js')]).then(
      ([socket, {AuthClient}]) => new AuthClient(socket, userAgent),
    );
    client.catch(() => {
      if (this.#client === client) this.#client = undefined;
    });
    return client;
  }
}
