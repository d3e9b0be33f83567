// A cluster as this host sees it from outside: the proxy's web address before the join, Auth after it.

import {Failure} from '../errors.js';
import {formatAddress, parseAddress} from '../ssh/address.js';
import type {SessionContext} from './auth-connection.js';
import {exportAuthorities, exportUserAuthorities} from './authority-export.js';
import type {
  Cluster,
  ClusterInfo,
  ExportedAuthorities,
  Identity,
  JoinRequest,
  JoinResult,
  Operator,
  UserIdentity,
} from './cluster.js';
import {Deadline} from './deadline.js';
import {find} from './find.js';
import {HostSession} from './host-session.js';
import {httpProxyFor, type ProxyEnvironment} from './http-proxy.js';
import {join} from './join-request.js';
import type {Route} from './open-tls.js';
import {OperatorSession} from './operator.js';
import {checkPins, readPin} from './pin.js';
import type {AuthSession} from './session.js';
import {type AuthorityEnvironment, systemAuthorities} from './system-authorities.js';
import {readCertificates} from './tls-certificate.js';
import {WebConnection} from './web-connection.js';

export interface ConnectOptions {
  /** Web address of the proxy, host or host:port. Without a port it is 443, where public proxies are. */
  readonly proxy: string;
  /** PEM texts (not paths) of authorities to trust for the web certificate, besides those the system trusts. */
  readonly caFile?: readonly string[];
  /** sha256:HEX; every host authority received must match one. */
  readonly caPin?: readonly string[];
  /** Takes any web certificate. Auth is verified all the same. */
  readonly insecure?: boolean;
  /** This program's version, for the user agent. */
  readonly clientVersion: string;
  /** Milliseconds that one thing asked of the cluster may take, repetitions included; 30 000 when absent. */
  readonly deadline?: number;
  /** Where HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR are looked up. */
  readonly env?: ProxyEnvironment & AuthorityEnvironment;
  readonly onWarning?: (text: string) => void;
}

const WEB_PORT = 443;
const DEADLINE = 30_000;

/** Connects to nothing yet. USAGE for options that cannot be meant. */
export function connect(options: ConnectOptions): Cluster {
  return new ClusterClient(options);
}

class ClusterClient implements Cluster {
  readonly #route: Route;
  readonly #web: WebConnection;
  readonly #pins: readonly string[];
  readonly #userAgent: string;
  readonly #milliseconds: number;
  readonly #closing = new AbortController();
  readonly #sessions: AuthSession[] = [];
  #info: Promise<ClusterInfo> | undefined;

  constructor(options: ConnectOptions) {
    const {caFile = [], caPin = [], insecure = false, env = {}, onWarning = () => {}} = options;
    const target = parseAddress(options.proxy, WEB_PORT);
    for (const text of caFile) checkAuthorities(text);
    if (insecure) onWarning(insecureWarning(formatAddress(target)));
    this.#route = {target, httpProxy: httpProxyFor(target, env)};
    this.#pins = caPin.map(readPin);
    this.#userAgent = `agentless/${options.clientVersion}`;
    this.#milliseconds = options.deadline ?? DEADLINE;
    const trust = {authorities: caFile, insecure, system: () => systemAuthorities(env)};
    this.#web = new WebConnection(this.#route, trust, this.#userAgent);
  }

  /** Asks once; a failed question is asked again. May be called early and awaited late. */
  describe(): Promise<ClusterInfo> {
    const info = this.#info ?? find(this.#web, formatAddress(this.#route.target), this.#newDeadline());
    this.#info = info;
    info.then(
      // What comes next needs the gRPC library: it loads while the host is looked at.
      () => import('./auth-client.js'),
      () => {
        if (this.#info === info) this.#info = undefined;
      },
    );
    return info;
  }

  async now(): Promise<Date> {
    await this.describe();
    return new Date(Date.now() + this.#web.ahead);
  }

  async join(request: JoinRequest): Promise<JoinResult> {
    const info = await this.describe();
    return join({web: this.#web, info, pins: this.#pins, deadline: this.#newDeadline()}, request);
  }

  async hostAuthorities(): Promise<ExportedAuthorities> {
    const info = await this.describe();
    return exportAuthorities({web: this.#web, info, pins: this.#pins, deadline: this.#newDeadline()});
  }

  async userAuthorities(): Promise<readonly string[]> {
    const info = await this.describe();
    return exportUserAuthorities({web: this.#web, info, deadline: this.#newDeadline()});
  }

  as(identity: Identity): HostSession {
    return this.#opened(new HostSession(identity, this.#context));
  }

  asOperator(identity: UserIdentity): Operator {
    checkPins(readCertificates(identity.authorities) ?? [], this.#pins);
    return this.#opened(new OperatorSession(identity, this.#context));
  }

  /** Ends what is under way with INTERRUPTED, and lets the process exit. */
  async close(): Promise<void> {
    this.#closing.abort(new Failure('INTERRUPTED', 'the connection to the cluster was closed'));
    await Promise.all([this.#web.close(), ...this.#sessions.map((session) => session.close())]);
  }

  get #context(): SessionContext {
    return {
      route: this.#route,
      userAgent: this.#userAgent,
      newDeadline: () => this.#newDeadline(),
      now: () => Date.now() + this.#web.ahead,
    };
  }

  #opened<S extends AuthSession>(session: S): S {
    this.#sessions.push(session);
    return session;
  }

  #newDeadline(): Deadline {
    return new Deadline(this.#milliseconds, this.#closing.signal);
  }
}

function checkAuthorities(text: string): void {
  if (readCertificates([text]) !== undefined) return;
  throw new Failure('USAGE', 'a --ca-file holds no certificate that can be read', {
    hint: 'it must be PEM: blocks that begin with -----BEGIN CERTIFICATE-----',
  });
}

function insecureWarning(where: string): string {
  return `the certificate of ${where} is not verified (--insecure): whoever answers there is given the token`;
}
