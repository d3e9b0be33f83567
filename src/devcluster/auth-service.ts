// proto.AuthService: what a node needs of it.

import {create} from '@bufbuild/protobuf';
import type {HandlerContext, ServiceImpl} from '@connectrpc/connect';
import type {SignatureSuite} from '../cluster/cluster.js';
import {
  type AuthService,
  type Certs,
  type HostCertsRequest,
  PingResponseSchema,
  SignatureAlgorithmSuite as Suite,
} from '../cluster/gen/auth_pb.js';
import {
  type KeepAlive,
  KeepAliveSchema,
  KeepAliveType,
  type ResourceInNamespaceRequest,
  type ServerV2,
} from '../cluster/gen/types_pb.js';
import {tlsCertificates} from './authority.js';
import {type Caller, callerKey, type HostCaller, hostCaller} from './caller.js';
import type {Context} from './context.js';
import {issueHostCertificates} from './host-certificate.js';
import {listNodes} from './node-list.js';
import {acceptNode} from './node-record.js';
import {Refusal} from './refusal.js';
import {seesNodes} from './roles.js';
import {checkExpected} from './rotation-message.js';
import {zeroTime} from './timestamps.js';
import {tokenService} from './token-service.js';

const SUITE_NUMBERS: Readonly<Record<SignatureSuite, Suite>> = {
  legacy: Suite.LEGACY,
  'balanced-v1': Suite.BALANCED_V1,
  'fips-v1': Suite.FIPS_V1,
  'hsm-v1': Suite.HSM_V1,
};

export function authService(context: Context): ServiceImpl<typeof AuthService> {
  const {cluster, nodes, hooks} = context;
  const sees = (call: HandlerContext): boolean => {
    const caller = call.values.get(callerKey);
    return caller.kind !== 'user' || seesNodes(caller, hooks.testOnlyRoles);
  };
  return {
    ping: (_, call) => ping(context, call),
    getDomainName: () => ({domainName: cluster.name}),
    getClusterCACert: () => ({tlsCa: Buffer.from(tlsCertificates(context.authorities().host).join(''))}),
    generateHostCerts: (request, call) =>
      generateHostCerts(context, hostCaller(call, request.hostId, cluster.name), request),
    upsertNode: (node, call) => upsertNode(context, call.values.get(callerKey), node),
    getNode: (request, call) => getNode(context, request, sees(call)),
    deleteNode: (request) => deleteNode(context, request),
    listResources: (request, call) => listNodes(sees(call) ? nodes.list() : [], request),
    ...tokenService(context.tokens),
  };
}

function ping({cluster, version, publicAddress}: Context, call: HandlerContext) {
  return create(PingResponseSchema, {
    clusterName: cluster.name,
    serverVersion: version,
    proxyPublicAddr: publicAddress(),
    remoteAddr: call.values.get(callerKey).endpoint,
    signatureAlgorithmSuite: SUITE_NUMBERS[cluster.suite],
    licenseExpiry: zeroTime(),
  });
}

/** A host renews for itself: any principals and any keys, but only under its own id and role. */
function generateHostCerts(context: Context, caller: HostCaller, request: HostCertsRequest): Certs {
  const asked = `${request.hostId}.${context.cluster.name}`;
  if (caller.username !== asked) {
    throw new Refusal('access denied', `username mismatch "${caller.username}" and "${asked}"`);
  }
  const held = request.role === 'Instance' && request.systemRoles.every((role) => role === caller.role);
  if (request.role !== caller.role && !held) {
    throw new Refusal('access denied', `roles do not match: ${caller.role} and ${request.role}`);
  }
  if (request.role === 'Instance' && request.systemRoles.length === 0) {
    throw new Refusal('bad parameter', 'cannot generate instance cert with no system roles');
  }
  const {views} = context;
  if (request.rotation !== undefined) checkExpected(request.rotation, views.stored().host.rotation);
  return issueHostCertificates(views.as('sign').host, {...request, remoteAddress: caller.address});
}

/** Whoever may write records may write any record, as on a real cluster. */
function upsertNode({nodes}: Context, caller: Caller, sent: ServerV2): KeepAlive {
  const node = acceptNode(sent, caller.address);
  nodes.put(node);
  const permanent = node.metadata?.expires === undefined;
  return create(KeepAliveSchema, {
    expires: zeroTime(),
    ...(!permanent && {name: node.metadata?.name ?? '', type: KeepAliveType.NODE}),
  });
}

/** A record that the caller may not see is not there, in fewer words. */
function getNode(
  {nodes}: Context,
  {name, namespace}: ResourceInNamespaceRequest,
  visible: boolean,
): ServerV2 {
  if (namespace === '') throw new Refusal('bad parameter', 'missing parameter namespace');
  if (name === '') throw new Refusal('bad parameter', 'missing parameter name');
  const node = nodes.get(name);
  if (node === undefined) throw new Refusal('not found', `"node" "${name}" does not exist`);
  if (!visible) throw new Refusal('not found', 'not found');
  return node;
}

function deleteNode({nodes}: Context, {name, namespace}: ResourceInNamespaceRequest) {
  if (namespace !== 'default' || !nodes.remove(name)) {
    throw new Refusal('not found', `key "/nodes/${namespace}/${name}" is not found`);
  }
  return {};
}
