// TrustService.GenerateHostCert: a host certificate for whatever key and names somebody with the right to it asks for.

import type {MessageShape} from '@bufbuild/protobuf';
import type {TrustService} from '../cluster/gen/teleport/trust/v1/trust_pb.js';
import {FOREVER, signCertificate} from '../ssh/certificate.js';
import {parsePublicKey} from '../ssh/key.js';
import type {Authority} from './authority.js';
import {BACKDATING, hostPrincipals} from './host-certificate.js';
import {Refusal} from './refusal.js';
import {SYSTEM_ROLES} from './tokens.js';

type Request = MessageShape<(typeof TrustService.method)['generateHostCert']['input']>;

/** An authorized_keys style line without line end. */
export function issueHostCertificate(authority: Authority, request: Request): string {
  check(request);
  const {hostId, nodeName, principals, clusterName, role, ttl} = request;
  const now = Math.floor(Date.now() / 1000);
  const names = {hostId, nodeName, additionalPrincipals: [], remoteAddress: ''};
  const own = hostId === '' ? [] : hostPrincipals(clusterName, names);
  return signCertificate(
    {
      type: 'host',
      key: readKey(request.key),
      // As they are asked for: who asks need not be the host, so nobody's address takes the place of 0.0.0.0.
      principals: [...new Set([...own, ...principals])],
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

function readKey(line: Uint8Array): Uint8Array {
  try {
    return parsePublicKey(Buffer.from(line).toString()).blob;
  } catch {
    throw new Refusal('unknown', 'ssh: no key found');
  }
}
