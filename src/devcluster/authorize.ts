// Who may call what. Anonymous callers may only ask what the cluster is; a locked host may ask nothing.

import type {Caller} from './caller.js';
import type {Locks} from './locks.js';
import {denied, Refusal} from './refusal.js';

const OPEN: ReadonlySet<string> = new Set([
  'proto.AuthService/Ping',
  'proto.AuthService/GetDomainName',
  'proto.AuthService/GetClusterCACert',
  'proto.JoinService/RegisterUsingToken',
  'proto.JoinService/RegisterUsingIAMMethod',
]);

/** What an anonymous caller lacks, by call. */
const NEEDED: Readonly<Record<string, readonly [resource: string, ...verbs: string[]]>> = {
  'proto.AuthService/UpsertNode': ['node', 'create', 'update'],
  'proto.AuthService/GetNode': ['node', 'read'],
  'proto.AuthService/DeleteNode': ['node', 'delete'],
  'proto.AuthService/ListResources': ['node', 'list', 'read'],
  'teleport.trust.v1.TrustService/GetCertAuthority': ['cert_authority', 'readnosecrets'],
  'teleport.trust.v1.TrustService/GetCertAuthorities': ['cert_authority', 'list', 'readnosecrets'],
};

/** Refuses with code 7 what this caller may not do. `name` is "package.Service/Method". */
export function authorize(caller: Caller, name: string, locks: Locks): void {
  if (caller.kind === 'host') {
    if (locks.has(caller.hostId)) throw new Refusal('access denied', 'access denied');
    return;
  }
  if (OPEN.has(name)) return;
  const needed = NEEDED[name];
  throw needed === undefined ? new Refusal('access denied', 'access denied') : denied(...needed);
}
