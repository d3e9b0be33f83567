// What a cluster hands to a host that joins or renews, checked before anybody else sees it.

import type {KeyObject, X509Certificate} from 'node:crypto';
import {isIP} from 'node:net';
import {Failure} from '../errors.js';
import {type Certificate, parseCertificate} from '../ssh/certificate.js';
import {checkHostCertificate} from '../ssh/certificate-verify.js';
import {parsePublicKey} from '../ssh/key.js';
import {SshFormatError} from '../ssh/wire.js';
import {hintFor} from './clock-hint.js';
import type {HostCertificateRequest} from './cluster.js';
import type {Certs} from './gen/auth_pb.js';
import {authorityProblem, clientProblem, readCertificates} from './tls-certificate.js';

export const ROLE = 'Node';

/** Auth replaces it by the address from which it sees the request. */
export const UNSPECIFIED = '0.0.0.0';

/** A cluster's answer to a join or to GenerateHostCerts, as texts. */
export interface Issued {
  readonly sshCertificate: string;
  readonly tlsCertificate: string;
  readonly tlsAuthorities: readonly string[];
  readonly sshAuthorities: readonly string[];
}

/** The same from a gRPC answer. */
export function readCerts({ssh, tls, tlsCaCerts, sshCaCerts}: Certs): Issued {
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();
  return {
    sshCertificate: text(ssh).trim(),
    tlsCertificate: text(tls),
    tlsAuthorities: tlsCaCerts.map(text),
    sshAuthorities: sshCaCerts.map((line) => text(line).trim()),
  };
}

export interface Expected extends HostCertificateRequest {
  readonly cluster: string;
  /** authorized_keys line. */
  readonly hostKey: string;
}

/** The host certificate as "type base64", once nothing speaks against it; CLUSTER_REPLY_INVALID otherwise. */
export function checkSshCertificate(
  issued: Pick<Issued, 'sshCertificate' | 'sshAuthorities'>,
  expected: Expected,
): string {
  const certificate = readSsh('the host certificate', () => parseCertificate(issued.sshCertificate));
  const authorities = readSsh('a host authority', () =>
    issued.sshAuthorities.map((line) => parsePublicKey(line).blob),
  );
  const problems = checkHostCertificate(certificate, {
    authorities,
    key: parsePublicKey(expected.hostKey).blob,
    principals: wantedPrincipals(expected),
  });
  const [problem] = [...problems, ...memberProblems(certificate, expected)];
  if (problem !== undefined) throw invalid('the host certificate', problem);
  return certificate.line;
}

/** The TLS side of an answer to a request with that public key: PEM of the one client certificate and of each authority, once nothing speaks against them. */
export function checkTlsIdentity(
  issued: Issued,
  expected: Expected,
  key: KeyObject,
): {readonly certificate: string; readonly authorities: readonly X509Certificate[]} {
  const authorities = checkTlsAuthorities(issued.tlsAuthorities, expected.cluster);
  const [certificate, ...others] = readCertificates([issued.tlsCertificate]) ?? [];
  if (certificate === undefined) throw invalid('the client certificate', 'it cannot be read');
  // Auth closes connections that present more than one.
  if (others.length > 0) throw invalid('the client certificate', 'there is more than one');
  const name = `${expected.nodeId}.${expected.cluster}`;
  const problem = clientProblem(certificate, {key, name, role: ROLE}, authorities);
  if (problem !== undefined) throw invalid('the client certificate', `it ${problem}`);
  return {certificate: certificate.toString(), authorities};
}

/** Authorities of this cluster, CLUSTER_REPLY_INVALID when one is not, or there is none. */
export function checkTlsAuthorities(texts: readonly string[], cluster: string): readonly X509Certificate[] {
  const authorities = readCertificates(texts);
  if (authorities === undefined || authorities.length === 0)
    throw invalid('the TLS authorities', 'they cannot be read');
  for (const authority of authorities) {
    const problem = authorityProblem(authority, cluster);
    if (problem !== undefined) throw invalid('a TLS authority', `it ${problem}`);
  }
  return authorities;
}

function memberProblems({principals, extensions}: Certificate, {nodeId, cluster}: Expected): string[] {
  const [first] = principals;
  const [role, authority] = [extensions.get('x-teleport-role'), extensions.get('x-teleport-authority')];
  return [
    ...(first === `${nodeId}.${cluster}`
      ? []
      : [`it is for ${JSON.stringify(first)}, not for ${nodeId}.${cluster}`]),
    ...(role === ROLE ? [] : [`its role is ${JSON.stringify(role)}, not ${ROLE}`]),
    ...(authority === cluster
      ? []
      : [`it is of the cluster ${JSON.stringify(authority)}, not of ${cluster}`]),
  ];
}

function wantedPrincipals({nodeId, nodeName, cluster, additionalPrincipals}: Expected): readonly string[] {
  const wanted = [...ownPrincipals(nodeId, nodeName, cluster), ...additionalPrincipals];
  return wanted.filter((name) => name !== UNSPECIFIED && name !== '');
}

/** Those that Auth adds by itself. */
function ownPrincipals(nodeId: string, nodeName: string, cluster: string): readonly string[] {
  const named = nodeName === '' ? [] : [`${nodeName}.${cluster}`, nodeName];
  return [`${nodeId}.${cluster}`, nodeId, ...named, 'localhost', '127.0.0.1', '::1'];
}

/**
 * The address from which the cluster sees this host: what stands in the certificate where 0.0.0.0 was asked for.
 * `known` are the principals that were asked for by name. Undefined when it is one of those, or loopback.
 */
export function seenAddress(certificate: string, known: readonly string[]): string | undefined {
  const {principals} = parseCertificate(certificate);
  const told = new Set([...known, UNSPECIFIED, '127.0.0.1', '::1']);
  return principals.find((name) => isIP(name) !== 0 && !told.has(name));
}

function readSsh<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SshFormatError) throw invalid(what, error.message);
    throw error;
  }
}

function invalid(what: string, problem: string): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', `${what} from the cluster is not right: ${problem}`, {
    hint: hintFor(problem),
  });
}
