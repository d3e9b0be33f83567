// Provision tokens: roles, join method and expiry. A token may be used many times until it expires.

import {randomBytes} from 'node:crypto';

export interface Token {
  readonly name: string;
  /** System roles as the cluster spells them: "Node". */
  readonly roles: readonly string[];
  /** "token", "iam", "ec2" … */
  readonly joinMethod: string;
  /** Milliseconds since 1970; absent: for ever. */
  readonly expires?: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** Methods iam and ec2: who may join; none: nobody. */
  readonly allow?: readonly AllowRule[];
  /** Method ec2: how long after its start an instance may join; 300 when absent. */
  readonly iidTtlSeconds?: number;
}

/** What a rule leaves out may be anything. */
export interface AllowRule {
  readonly awsAccount?: string;
  /** Method iam, with the wildcards * and ?. */
  readonly awsArn?: string;
  /** Method ec2. */
  readonly awsRegions?: readonly string[];
}

export interface TokenRequest {
  readonly roles: readonly string[];
  /** Absent: for ever. Zero or less: created already expired. */
  readonly ttlSeconds?: number;
  readonly value?: string;
  readonly joinMethod?: string;
  readonly allow?: readonly AllowRule[];
  readonly iidTtlSeconds?: number;
}

/** Every system role that a request may name; another one is "not registered". */
export const SYSTEM_ROLES: ReadonlySet<string> = new Set([
  ...['Auth', 'Node', 'Proxy', 'Admin', 'ProvisionToken', 'Trusted_cluster', 'Signup', 'Nop', 'RemoteProxy'],
  ...[
    'Kube',
    'App',
    'Db',
    'WindowsDesktop',
    'Bot',
    'Discovery',
    'Okta',
    'MDM',
    'AccessGraphPlugin',
    'Instance',
  ],
]);

const SERVICES = new Set([
  ...['Auth', 'Node', 'Proxy', 'Kube', 'App', 'Db', 'WindowsDesktop', 'Discovery', 'Okta', 'MDM'],
]);

export const hasService = (token: Token) => token.roles.some((role) => SERVICES.has(role));

export class TokenStore {
  readonly #tokens: Map<string, Token>;
  readonly #save: (tokens: readonly Token[]) => void;

  constructor(stored: readonly Token[], save: (tokens: readonly Token[]) => void) {
    this.#tokens = new Map(stored.map((token) => [token.name, token]));
    this.#save = save;
  }

  /** Creates or replaces; role names are accepted in any case, as at creation in the real cluster. */
  add(request: TokenRequest): Token {
    const {ttlSeconds, allow, iidTtlSeconds} = request;
    const token: Token = {
      name: request.value ?? randomBytes(16).toString('hex'),
      roles: request.roles.map(canonicalRole),
      joinMethod: request.joinMethod ?? 'token',
      ...(ttlSeconds !== undefined && {expires: Date.now() + ttlSeconds * 1000}),
      ...(allow && {allow}),
      ...(iidTtlSeconds !== undefined && {iidTtlSeconds}),
    };
    this.put(token);
    return token;
  }

  /** Creates or replaces. */
  put(token: Token): void {
    this.#tokens.set(token.name, token);
    this.#store();
  }

  /** Those that have not expired, sorted by name. */
  list(): readonly Token[] {
    const live = [...this.#tokens.values()].filter(isLive);
    return live.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The token of that exact name; an expired one is deleted. */
  find(name: string): Token | undefined {
    const token = this.#tokens.get(name);
    if (token === undefined || isLive(token)) return token;
    this.remove(name);
    return undefined;
  }

  remove(name: string): void {
    this.#tokens.delete(name);
    this.#store();
  }

  #store(): void {
    this.#save(this.list());
  }
}

const isLive = ({expires}: Token) => expires === undefined || expires > Date.now();

/** A role in the spelling of the cluster, which takes any case. */
export function canonicalRole(role: string): string {
  const lower = role.toLowerCase();
  for (const known of SYSTEM_ROLES) if (known.toLowerCase() === lower) return known;
  return role;
}
