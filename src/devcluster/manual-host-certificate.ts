// TrustService.GenerateHostCert: a host certificate for whatever key and names somebody with the right to it asks for.

import type {MessageShape} from '@bufbuild/protobuf';
import type {TrustService} from '../cluster/gen/teleport/trust/v1/trust_pb.js';
import {FOREVER, signCertificate} from '../ssh/certificate.js';
import type {Authority} from './authority.js';
import {BACKDATING, hostPrincipals, readSshKey} from './host-certificate.js';
import {Refusal} from './refusal.js';
import {SYSTEM_ROLES} from './tokens.js';

type Request = MessageShape<(typeof TrustService.method)['generateHostCert']['input']>;

/** An authorized_keys style line without line end. */
export function issueHostCertificate(authority: Authority, request: Request): string {
  check(request);
  const {hostId, nodeName, principals, clusterName, role, ttl} = request;
  const now = Math.floor(Date.now() / 1000);
  // Nobody's address takes the place of 0.0.0.0 here: who asks need not be the host.
  const names = {hostId, nodeName, additionalPrincipals: principals, remoteAddress: '0.0.0.0'};
  return signCertificate(
    {
      type: 'host',
      key: readSshKey(request.key),
      principals: hostId === '' ? [...new Set(principals)] : hostPrincipals(clusterName, names),
      validAfter: BigInt(now - BACKDATING),
      validBefore: ttl === undefined || ttl.seconds === 0n ? FOREVER : BigInt(now) + ttl.seconds,
      extensions: {'x-teleport-authority': clusterName, 'x-teleport-role': role},
    },
    authority.active.ssh,
  );
}

function check({hostId, principals, clusterName, role}: Request): void {
  const missing = (what: string) =>
    new Refusal('bad parameter', `ssh host certificate request missing ${what}`);
  if (hostId === '' && principals.length === 0) throw missing('host ID and principals');
  if (clusterName === '') throw missing('cluster name');
  if (!SYSTEM_ROLES.has(role)) throw new Refusal('bad parameter', `role ${role} is not registered`);
}
