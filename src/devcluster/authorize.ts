// Who may call what. Anonymous callers may only ask what the cluster is; a locked host may ask nothing; people and bots
// may do what their roles say.

import type {Caller, UserCaller} from './caller.js';
import type {Locks} from './locks.js';
import type {TestHooks} from './options.js';
import {denied, Refusal} from './refusal.js';
import {missingVerbs} from './roles.js';

const OPEN: ReadonlySet<string> = new Set([
  'proto.AuthService/Ping',
  'proto.AuthService/GetDomainName',
  'proto.AuthService/GetClusterCACert',
  'proto.JoinService/RegisterUsingToken',
  'proto.JoinService/RegisterUsingIAMMethod',
]);

/** What each call needs. */
const NEEDED: Readonly<Record<string, readonly [resource: string, ...verbs: string[]]>> = {
  'proto.AuthService/UpsertNode': ['node', 'create', 'update'],
  'proto.AuthService/GetNode': ['node', 'read'],
  'proto.AuthService/DeleteNode': ['node', 'delete'],
  'proto.AuthService/ListResources': ['node', 'list', 'read'],
  'proto.AuthService/GetToken': ['token', 'read'],
  'proto.AuthService/GetTokens': ['token', 'list', 'read'],
  'proto.AuthService/CreateTokenV2': ['token', 'create'],
  'proto.AuthService/UpsertTokenV2': ['token', 'create', 'update'],
  'proto.AuthService/DeleteToken': ['token', 'delete'],
  'teleport.trust.v1.TrustService/GetCertAuthority': ['cert_authority', 'readnosecrets'],
  'teleport.trust.v1.TrustService/GetCertAuthorities': ['cert_authority', 'list', 'readnosecrets'],
  'teleport.trust.v1.TrustService/GenerateHostCert': ['host_cert', 'create'],
};

/** Everybody with a role may do these; which nodes they see is another question. */
const FREE_TO_USERS: ReadonlySet<string> = new Set([
  'proto.AuthService/GetNode',
  'proto.AuthService/ListResources',
  'teleport.trust.v1.TrustService/GetCertAuthority',
  'teleport.trust.v1.TrustService/GetCertAuthorities',
]);

const CLOSED_TO_HOSTS: ReadonlySet<string> = new Set(['token', 'host_cert']);

/** For these a cluster that insists on it asks people for a second factor. */
const ADMIN_ACTIONS: ReadonlySet<string> = new Set([
  'proto.AuthService/GetToken',
  'proto.AuthService/GetTokens',
  'proto.AuthService/CreateTokenV2',
  'proto.AuthService/UpsertTokenV2',
  'proto.AuthService/DeleteToken',
  'teleport.trust.v1.TrustService/GenerateHostCert',
]);

/** Refuses with code 7 what this caller may not do. `name` is "package.Service/Method". */
export function authorize(caller: Caller, name: string, locks: Locks, hooks: TestHooks): void {
  const needed = NEEDED[name];
  if (caller.kind === 'host') {
    if (locks.has(caller.hostId)) throw new Refusal('access denied', 'access denied');
    if (needed !== undefined && CLOSED_TO_HOSTS.has(needed[0])) throw denied(...needed);
    return;
  }
  if (caller.kind === 'user') {
    if (needed !== undefined && !FREE_TO_USERS.has(name)) authorizeUser(caller, name, needed, hooks);
    return;
  }
  if (OPEN.has(name)) return;
  throw needed === undefined ? new Refusal('access denied', 'access denied') : denied(...needed);
}

function authorizeUser(
  caller: UserCaller,
  name: string,
  [resource, ...verbs]: readonly [string, ...string[]],
  hooks: TestHooks,
): void {
  const missing = missingVerbs(caller, resource, verbs, hooks.testOnlyRoles);
  if (missing.length > 0) throw denied(resource, ...missing);
  if (hooks.testOnlyMfa !== true || caller.impersonator !== undefined || !ADMIN_ACTIONS.has(name)) return;
  throw new Refusal('access denied', 'admin-level API request requires MFA verification');
}
