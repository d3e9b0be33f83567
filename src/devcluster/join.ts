// Joining: the checks of the real cluster in its order and words, then the certificates.

import {create} from '@bufbuild/protobuf';
import type {Certs, RegisterUsingIAMMethodRequest} from '../cluster/gen/auth_pb.js';
import {type RegisterUsingTokenRequest, RegisterUsingTokenRequestSchema} from '../cluster/gen/types_pb.js';
import type {Authority} from './authority.js';
import {checkInstance, type Ec2Context} from './aws/ec2.js';
import {type AwsCallers, checkCaller} from './aws/iam.js';
import {issueHostCertificates} from './host-certificate.js';
import type {Locks} from './locks.js';
import {Refusal} from './refusal.js';
import {hasService, SYSTEM_ROLES, type Token, type TokenStore} from './tokens.js';
import {within} from './within.js';

export interface JoinContext extends Ec2Context {
  readonly host: Authority;
  readonly tokens: TokenStore;
  readonly locks: Locks;
  /** Absent: method iam is refused. */
  readonly callers: AwsCallers | undefined;
}

/** `address` is the peer's IP address: what the request says of it is not believed. */
export function register(context: JoinContext, request: RegisterUsingTokenRequest, address: string): Certs {
  checkParameters(request);
  const token = findToken(context.tokens, request);
  checkMethod(token, request, context);
  return issue(context, token, request, address);
}

/** The same by the method iam. `challenge` is the one that was sent. */
export function registerByIam(
  context: JoinContext,
  answer: RegisterUsingIAMMethodRequest,
  challenge: string,
  address: string,
): Certs {
  const request = answer.registerUsingTokenRequest ?? create(RegisterUsingTokenRequestSchema);
  within('validating request parameters', () => {
    checkParameters(request);
    if (answer.stsIdentityRequest.length === 0) throw missing('StsIdentityRequest');
  });
  const token = within('completing common token checks', () => findToken(context.tokens, request));
  within('checking iam request', () => checkCaller(token, answer, challenge, context.callers));
  return within('generating certs', () => issue(context, token, request, address));
}

const missing = (name: string) => new Refusal('bad parameter', `missing parameter ${name}`);

function checkParameters({hostId, role, token}: RegisterUsingTokenRequest): void {
  if (hostId === '' && role !== 'Bot') throw missing('HostID');
  if (token === '') throw missing('Token');
  if (!SYSTEM_ROLES.has(role)) throw new Refusal('bad parameter', `role ${role} is not registered`);
}

function findToken(tokens: TokenStore, request: RegisterUsingTokenRequest): Token {
  const {nodeName, role} = request;
  const token = tokens.find(request.token);
  if (token === undefined) {
    const cannot = `"${nodeName}" can not join the cluster with role "${role}"`;
    throw new Refusal('access denied', `${cannot}, token expired or not found`);
  }
  checkRole(token, request);
  return token;
}

function issue(
  {host, locks}: JoinContext,
  token: Token,
  request: RegisterUsingTokenRequest,
  address: string,
): Certs {
  if (request.expires !== undefined) {
    throw new Refusal('bad parameter', "'expires' cannot be set on join for non-bot certificates");
  }
  locks.check(request.hostId);
  const systemRoles = request.role === 'Instance' ? token.roles : [];
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
function checkMethod(token: Token, request: RegisterUsingTokenRequest, context: JoinContext): void {
  const {joinMethod} = token;
  if (joinMethod === 'token') return;
  if (joinMethod === 'ec2' && request.ec2IdentityDocument.length > 0) {
    checkInstance(token, request, context);
    return;
  }
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
