// What a host is given when it joins or renews: one SSH host certificate, one TLS certificate, and the host
// authorities. Contents and order as issued by 18.0.0.

import {createPublicKey, type KeyObject} from 'node:crypto';
import {create} from '@bufbuild/protobuf';
import {type Certs, CertsSchema} from '../cluster/gen/auth_pb.js';
import {FOREVER, signCertificate} from '../ssh/certificate.js';
import {parsePublicKey} from '../ssh/key.js';
import {type Authority, sshPublicKeys, tlsCertificates, tlsIssuer} from './authority.js';
import {Refusal} from './refusal.js';
import {issueLeaf, type Name, TEN_YEARS} from './x509.js';

export interface HostRequest {
  readonly hostId: string;
  /** May be empty: then the two principals made of it are left out. */
  readonly nodeName: string;
  readonly role: string;
  readonly additionalPrincipals: readonly string[];
  /** PEM, SPKI or PKCS#1. */
  readonly publicTlsKey: Uint8Array;
  /** authorized_keys line. */
  readonly publicSshKey: Uint8Array;
  /** Takes the place of an asked-for 0.0.0.0. */
  readonly remoteAddress: string;
  /** For role Instance: the roles that the certificate names. */
  readonly systemRoles?: readonly string[];
}

/** Roles whose TLS certificate also serves the cluster's internal name. */
const INTERNAL = new Set(['Auth', 'Admin', 'Proxy', 'Kube', 'App', 'Db', 'WindowsDesktop', 'Okta']);
export const INTERNAL_NAMES = ['*.teleport.cluster.local', 'teleport.cluster.local'] as const;

export const BACKDATING = 60;

/** Certificates for any host key and TLS key; the caller has checked who asks. */
export function issueHostCertificates(authority: Authority, request: HostRequest): Certs {
  const tlsKey = readTlsKey(request.publicTlsKey);
  const sshKey = readSshKey(request.publicSshKey);
  return create(CertsSchema, {
    ssh: Buffer.from(`${signSshCertificate(authority, request, sshKey)}\n`),
    tls: Buffer.from(signTlsCertificate(authority, request, tlsKey)),
    tlsCaCerts: tlsCertificates(authority).map((certificate) => Buffer.from(certificate)),
    sshCaCerts: sshPublicKeys(authority).map((key) => Buffer.from(`${key}\n`)),
  });
}

/** Seven names of the cluster's own, then those asked for; duplicates and empty ones dropped. */
export function hostPrincipals(
  cluster: string,
  request: Pick<HostRequest, 'hostId' | 'nodeName' | 'additionalPrincipals' | 'remoteAddress'>,
): readonly string[] {
  const {hostId, nodeName, additionalPrincipals, remoteAddress} = request;
  const asked = additionalPrincipals.map((name) => (name === '0.0.0.0' ? remoteAddress : name));
  const named = nodeName === '' ? [] : [`${nodeName}.${cluster}`, nodeName];
  const own = [`${hostId}.${cluster}`, hostId, ...named, 'localhost', '127.0.0.1', '::1'];
  return [...new Set([...own, ...asked])].filter((name) => name !== '');
}

function signSshCertificate(authority: Authority, request: HostRequest, key: Uint8Array): string {
  return signCertificate(
    {
      type: 'host',
      key,
      principals: hostPrincipals(authority.cluster, request),
      validAfter: BigInt(Math.floor(Date.now() / 1000) - BACKDATING),
      validBefore: FOREVER,
      extensions: {'x-teleport-authority': authority.cluster, 'x-teleport-role': request.role},
    },
    authority.active.ssh,
  );
}

function signTlsCertificate(authority: Authority, request: HostRequest, publicKey: KeyObject): string {
  const {cluster} = authority;
  const roles = (request.systemRoles ?? []).map((role) => ['systemRole', role] as const);
  const subject: Name = [
    ['street', ''],
    ['postalCode', 'null'],
    ['organization', request.role],
    ['commonName', `${request.hostId}.${cluster}`],
    ['teleportCluster', cluster],
    ...roles,
  ];
  const asked = request.additionalPrincipals.map((name) =>
    name === '0.0.0.0' ? request.remoteAddress : name,
  );
  const names = INTERNAL.has(request.role) ? [...asked, ...INTERNAL_NAMES] : asked;
  const now = Date.now();
  return issueLeaf(tlsIssuer(authority), {
    subject,
    publicKey,
    names: [...new Set(names)].filter((name) => name !== ''),
    validFrom: new Date(now - BACKDATING * 1000),
    validTo: new Date(now + TEN_YEARS),
  });
}

/** SPKI or PKCS#1 under either label: the label does not decide. */
function readTlsKey(pem: Uint8Array): KeyObject {
  const text = Buffer.from(pem).toString();
  const [, body] = /-----BEGIN [A-Z ]+-----([\s\S]+?)-----END [A-Z ]+-----/.exec(text) ?? [];
  if (body === undefined) throw new Refusal('bad parameter', 'failed to decode public key PEM block');
  const der = Buffer.from(body, 'base64');
  for (const type of ['spki', 'pkcs1'] as const) {
    try {
      return createPublicKey({key: der, format: 'der', type});
    } catch {}
  }
  throw new Refusal('bad parameter', 'failed to parse public key PEM');
}

function readSshKey(line: Uint8Array): Uint8Array {
  try {
    return parsePublicKey(Buffer.from(line).toString()).blob;
  } catch {
    throw new Refusal('bad parameter', 'failed to parse SSH public key');
  }
}
