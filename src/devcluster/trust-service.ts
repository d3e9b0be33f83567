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
import {AUTHORITY_TYPES, type Authority, type KeySet} from './authority.js';
import type {Context} from './context.js';
import {issueHostCertificate} from './manual-host-certificate.js';
import {denied, Refusal} from './refusal.js';
import {authorityType} from './rotation.js';
import {describeRotation} from './rotation-message.js';

export function trustService(context: Context): ServiceImpl<typeof TrustService> {
  return {
    getCertAuthorities: ({type, includeKey}) => {
      refuseKeys(includeKey);
      const authorities = context.authorities();
      // "" asks for all; a type that there is none of has no authorities.
      const types = AUTHORITY_TYPES.filter((known) => type === '' || type === known);
      return {certAuthoritiesV2: types.map((known) => describeAuthority(authorities[known]))};
    },
    getCertAuthority: ({type, domain, includeKey}) => {
      refuseKeys(includeKey);
      if (domain === '') throw new Refusal('bad parameter', 'missing parameter Name');
      const authority = context.authorities()[authorityType(type)];
      if (domain !== context.cluster.name) {
        throw new Refusal('not found', `"cert_authority" "${type}/${domain}" does not exist`);
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

/** The authority as a resource. One that was never rotated carries no rotation. */
export function describeAuthority(authority: Authority): CertAuthorityV2 {
  const {type, cluster, revision, active, additional, rotation} = authority;
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
      ...(rotation && {rotation: describeRotation(rotation)}),
    },
  });
}

function describeKeys(sets: readonly KeySet[]): CAKeySet {
  return create(CAKeySetSchema, {
    ssh: sets.map(({ssh}) => ({publicKey: Buffer.from(`${formatPublicKey(publicBlob(ssh))}\n`)})),
    tls: sets.flatMap(({tls}) => (tls === undefined ? [] : [{cert: Buffer.from(tls.certificate)}])),
  });
}
