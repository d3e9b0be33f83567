// X.509 in a cluster: host authorities, and what they issue to nodes and to Auth.

import {type KeyObject, X509Certificate} from 'node:crypto';
// Node 20 must load it before a subject is read, or it has no createSecureContext for the rest of the process.
import 'node:tls';

const SERVER = '1.3.6.1.5.5.7.3.1';
const CLIENT = '1.3.6.1.5.5.7.3.2';

/** Every certificate in PEM texts; undefined when one cannot be read, or there is none in a text. */
export function readCertificates(texts: readonly string[]): readonly X509Certificate[] | undefined {
  const certificates: X509Certificate[] = [];
  for (const text of texts) {
    const blocks = text.match(
      /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]+?-----END [A-Z0-9 ]+-----/g,
    );
    if (blocks === null) return undefined;
    try {
      certificates.push(...blocks.map((block) => new X509Certificate(block)));
    } catch {
      return undefined;
    }
  }
  return certificates;
}

/** An attribute of the subject by its short name or object identifier, the first where there are several. */
export function subjectOf(certificate: X509Certificate, attribute: string): string | undefined {
  const subject: Readonly<Record<string, string | string[] | undefined>> = {
    ...certificate.toLegacyObject().subject,
  };
  return [subject[attribute]].flat()[0];
}

/** What speaks against an authority of this cluster; undefined when nothing does. */
export function authorityProblem(authority: X509Certificate, cluster: string): string | undefined {
  if (!authority.ca) return 'is not a certificate of an authority';
  // The organisation is how Auth itself tells whose authority it is.
  const organization = subjectOf(authority, 'O');
  if (organization !== cluster) return `belongs to ${JSON.stringify(organization)}, not to ${cluster}`;
  return validityProblem(authority);
}

/** What speaks against a node's client certificate. */
export function clientProblem(
  certificate: X509Certificate,
  expected: {readonly key: KeyObject; readonly name: string; readonly role: string},
  authorities: readonly X509Certificate[],
): string | undefined {
  const [organization, name] = [subjectOf(certificate, 'O'), subjectOf(certificate, 'CN')];
  if (!certificate.publicKey.equals(expected.key)) return 'is for another key';
  if (name !== expected.name) return `is for ${JSON.stringify(name)}, not for ${expected.name}`;
  if (organization !== expected.role)
    return `has the role ${JSON.stringify(organization)}, not ${expected.role}`;
  return issueProblem(certificate, authorities, CLIENT);
}

/** What speaks against the certificate of a server that calls itself `name`. */
export function serverProblem(
  certificate: X509Certificate,
  name: string,
  authorities: readonly X509Certificate[],
): string | undefined {
  const problem = issueProblem(certificate, authorities, SERVER);
  if (problem !== undefined) return problem;
  return certificate.checkHost(name, {subject: 'never'}) === undefined ? `is not for ${name}` : undefined;
}

function issueProblem(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  purpose: string,
): string | undefined {
  const issuer = authorities.find((authority) => isIssuer(authority, certificate));
  if (issuer === undefined) return 'is not signed by an authority of the cluster';
  // What node calls keyUsage are the extended key usages.
  if (!certificate.keyUsage?.includes(purpose))
    return `is not for TLS ${purpose === SERVER ? 'servers' : 'clients'}`;
  const expired = validityProblem(issuer);
  return validityProblem(certificate) ?? (expired && `is signed by an authority that ${expired}`);
}

/** PEM of the one among the authorities that has signed a certificate; undefined when none has. */
export function signerOf(certificate: string, authorities: readonly string[]): string | undefined {
  const signed = new X509Certificate(certificate);
  return authorities.find((authority) => isIssuer(new X509Certificate(authority), signed));
}

function isIssuer(authority: X509Certificate, certificate: X509Certificate): boolean {
  return authority.ca && certificate.checkIssued(authority) && certificate.verify(authority.publicKey);
}

function validityProblem({validFrom, validTo}: X509Certificate): string | undefined {
  const now = Date.now();
  const clock = `this host's clock says ${new Date(now).toISOString()}`;
  if (now < Date.parse(validFrom)) return `is not valid before ${validFrom}; ${clock}`;
  return now > Date.parse(validTo) ? `has expired on ${validTo}; ${clock}` : undefined;
}
