// teleport.trust.v1.TrustService: the authorities' public halves.

import {create} from '@bufbuild/protobuf';
import type {ServiceImpl} from '@connectrpc/connect';
import type {TrustService} from '../cluster/gen/teleport/trust/v1/trust_pb.js';
import {
  type CAKeySet,
  CAKeySetSchema,
  type CertAuthorityV2,
  CertAuthorityV2Schema,
} from '../cluster/gen/types_pb.js';
import {formatPublicKey, publicBlob} from '../ssh/key.js';
import {AUTHORITY_TYPES, type Authority, type AuthorityType, type KeySet} from './authority.js';
import type {Context} from './context.js';
import {issueHostCertificate} from './manual-host-certificate.js';
import {denied, Refusal} from './refusal.js';

export function trustService(context: Context): ServiceImpl<typeof TrustService> {
  const find = (type: string): Authority => {
    if (!isAuthorityType(type)) {
      throw new Refusal('bad parameter', `authority type is not supported: ${JSON.stringify(type)}`);
    }
    return context.authorities()[type];
  };
  return {
    getCertAuthorities: ({type, includeKey}) => {
      refuseKeys(includeKey);
      return {certAuthoritiesV2: [describeAuthority(find(type))]};
    },
    getCertAuthority: ({type, domain, includeKey}) => {
      refuseKeys(includeKey);
      const authority = find(type);
      if (domain !== context.cluster.name) {
        throw new Refusal('not found', `key "/authorities/${type}/${domain}" is not found`);
      }
      return describeAuthority(authority);
    },
    generateHostCert: (request) => ({
      sshCertificate: Buffer.from(`${issueHostCertificate(context.authorities().host, request)}\n`),
    }),
  };
}

function refuseKeys(includeKey: boolean): void {
  if (includeKey) throw denied('cert_authority', 'read');
}

const isAuthorityType = (type: string): type is AuthorityType =>
  (AUTHORITY_TYPES as readonly string[]).includes(type);

/** The authority as a resource. One that was never rotated carries no rotation. */
export function describeAuthority({type, cluster, revision, active, additional}: Authority): CertAuthorityV2 {
  return create(CertAuthorityV2Schema, {
    kind: 'cert_authority',
    subKind: type,
    version: 'v2',
    metadata: {name: cluster, namespace: 'default', revision},
    spec: {
      type,
      clusterName: cluster,
      activeKeys: describeKeys([active]),
      additionalTrustedKeys: describeKeys(additional),
    },
  });
}

function describeKeys(sets: readonly KeySet[]): CAKeySet {
  return create(CAKeySetSchema, {
    ssh: sets.map(({ssh}) => ({publicKey: Buffer.from(`${formatPublicKey(publicBlob(ssh))}\n`)})),
    tls: sets.flatMap(({tls}) => (tls === undefined ? [] : [{cert: Buffer.from(tls.certificate)}])),
  });
}
