// Joining with a token: the checks of the real cluster in its order and words, then the certificates.

import type {Certs} from '../cluster/gen/auth_pb.js';
import type {RegisterUsingTokenRequest} from '../cluster/gen/types_pb.js';
import type {Authority} from './authority.js';
import {issueHostCertificates} from './host-certificate.js';
import type {Locks} from './locks.js';
import {Refusal} from './refusal.js';
import {hasService, SYSTEM_ROLES, type Token, type TokenStore} from './tokens.js';

export interface JoinContext {
  readonly host: Authority;
  readonly tokens: TokenStore;
  readonly locks: Locks;
}

/** `address` is the peer's IP address: what the request says of it is not believed. */
export function register(
  {host, tokens, locks}: JoinContext,
  request: RegisterUsingTokenRequest,
  address: string,
): Certs {
  const {hostId, nodeName, role} = request;
  if (hostId === '' && role !== 'Bot') throw new Refusal('bad parameter', 'missing parameter HostID');
  if (request.token === '') throw new Refusal('bad parameter', 'missing parameter Token');
  if (!SYSTEM_ROLES.has(role)) throw new Refusal('bad parameter', `role ${role} is not registered`);
  const token = tokens.find(request.token);
  if (token === undefined) {
    const cannot = `"${nodeName}" can not join the cluster with role "${role}"`;
    throw new Refusal('access denied', `${cannot}, token expired or not found`);
  }
  checkRole(token, request);
  checkMethod(token, request);
  if (request.expires !== undefined) {
    throw new Refusal('bad parameter', "'expires' cannot be set on join for non-bot certificates");
  }
  locks.check(hostId);
  const systemRoles = role === 'Instance' ? token.roles : [];
  return issueHostCertificates(host, {...request, systemRoles, remoteAddress: address});
}

function checkRole(token: Token, {nodeName, hostId, role}: RegisterUsingTokenRequest): void {
  if (role === 'Instance') {
    if (hasService(token)) return;
    const why = 'cannot requisition instance certs (token contains no local service roles)';
    throw new Refusal('access denied', `${nodeName} [${hostId}] ${why}`);
  }
  if (token.roles.includes(role)) return;
  const why = `can not join the cluster, the token does not allow "${role}" role`;
  throw new Refusal('bad parameter', `node "${nodeName}" [${hostId}] ${why}`);
}

const ID_TOKEN_METHODS: Readonly<Record<string, string>> = {github: 'Github', gcp: 'GCP', gitlab: 'gitlab'};

/** The token names the method; whatever needs more than this endpoint carries is refused as the real one does. */
function checkMethod({joinMethod}: Token, request: RegisterUsingTokenRequest): void {
  if (joinMethod === 'token') return;
  const method = ID_TOKEN_METHODS[joinMethod];
  if (method !== undefined && request.idToken === '') {
    throw new Refusal('bad parameter', `IDToken not provided for ${method} join request`);
  }
  const only = `this token is only valid for the ${joinMethod === 'ec2' ? 'EC2' : joinMethod} join method`;
  if (joinMethod === 'ec2') {
    const but = 'but the node has not included an EC2 Instance Identity Document';
    throw new Refusal('access denied', `${only} ${but}, ${configured('EC2')}`);
  }
  const but = 'but the node has connected to the wrong endpoint';
  throw new Refusal('access denied', `${only} ${but}, ${configured(joinMethod)}`);
}

const configured = (method: string) => `make sure your node is configured to use the ${method} join method`;
