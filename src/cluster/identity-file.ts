// Identity files, as `tctl auth sign --format=file`, `tsh login --out` and tbot write them: one private key, an SSH
// certificate, a TLS client certificate, known_hosts lines, and the host authorities. Auth is spoken to by the TLS part.
// Nothing of what a file holds is ever quoted.

import {createPrivateKey, createPublicKey, type KeyObject, X509Certificate} from 'node:crypto';
import {Failure, Secret} from '../errors.js';
import {NEW_IDENTITY} from './caller-words.js';
import type {UserIdentity} from './cluster.js';
import {subjectOf} from './tls-certificate.js';

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[\s\S]*?-----END \1-----/g;
const CLUSTER = '1.3.9999.1.7';

/** `source` is the file that the text is from, for people. USAGE when it is no identity file, REQUEST_REFUSED when it has expired. */
export function parseIdentity(text: string, source: string): UserIdentity {
  const {keys, certificates} = readBlocks(text, source);
  const key = readKey(keys, source);
  const [certificate, ...others] = certificates.map((block) => readCertificate(block, source));
  if (certificate === undefined) throw notAnIdentity(source, 'has no TLS certificate');
  if (!certificate.publicKey.equals(createPublicKey(key))) {
    throw unfit(
      `the key in ${source} is not the one of its certificate`,
      'files of two identities were mixed',
    );
  }
  const {user, cluster} = readSubject(certificate, others, source);
  checkValidity(certificate, user, source);
  const authorities = others.filter((one) => one.ca && organizationOf(one) === cluster);
  if (authorities.length === 0) {
    throw notAnIdentity(source, `has no authority of the cluster ${cluster} that it could be verified by`);
  }
  return {
    cluster,
    user,
    expires: new Date(certificate.validTo),
    key: new Secret(key.export({type: 'pkcs8', format: 'pem'}).toString()),
    certificate: certificate.toString(),
    authorities: authorities.map((authority) => authority.toString()),
  };
}

function readBlocks(text: string, source: string): {keys: string[]; certificates: string[]} {
  const blocks = [...text.matchAll(BLOCK)].map(([block, label = '']) => ({block, label}));
  if (blocks.length !== (text.match(/-----BEGIN /g) ?? []).length) {
    throw notAnIdentity(source, 'is cut off, or damaged');
  }
  const of = (what: RegExp) => blocks.filter(({label}) => what.test(label)).map(({block}) => block);
  return {keys: of(/PRIVATE KEY$/), certificates: of(/^CERTIFICATE$/)};
}

function readKey([pem]: readonly string[], source: string): KeyObject {
  if (pem === undefined) throw notAnIdentity(source, 'has no private key');
  if (pem.includes('BEGIN OPENSSH PRIVATE KEY')) throw notAnIdentity(source, 'is a key for ssh');
  if (/BEGIN ENCRYPTED|Proc-Type: 4,ENCRYPTED/.test(pem))
    throw notAnIdentity(source, 'is protected by a passphrase');
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says of it stays here: it may quote.
    throw notAnIdentity(source, 'has a private key that cannot be read');
  }
}

function readCertificate(pem: string, source: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw notAnIdentity(source, 'has a certificate that cannot be read');
  }
}

/** Who it is for, and of which cluster: the certificate says so itself, else its authorities do. */
function readSubject(
  certificate: X509Certificate,
  authorities: readonly X509Certificate[],
  source: string,
): {user: string; cluster: string} {
  const user = subjectOf(certificate, 'CN') ?? '';
  const cluster = subjectOf(certificate, CLUSTER) ?? authorities.map(organizationOf).find(Boolean) ?? '';
  if (user === '' || cluster === '') throw notAnIdentity(source, 'does not say whose it is');
  if (certificate.ca) throw notAnIdentity(source, 'has no TLS certificate of a user before its authorities');
  if (subjectOf(certificate, 'O') !== 'Node' || !user.endsWith(`.${cluster}`)) return {user, cluster};
  throw notAnIdentity(source, 'belongs to a node, not to a person or a bot');
}

const organizationOf = (certificate: X509Certificate) => subjectOf(certificate, 'O');

function checkValidity({validFrom, validTo}: X509Certificate, user: string, source: string): void {
  const now = Date.now();
  const clock = `this host's clock says ${new Date(now).toISOString()}`;
  if (now > Date.parse(validTo)) {
    const message = `the identity of ${user} in ${source} has expired on ${new Date(validTo).toISOString()}`;
    throw new Failure('REQUEST_REFUSED', message, {hint: `${NEW_IDENTITY}; ${clock}`});
  }
  if (now < Date.parse(validFrom)) {
    const message = `the identity of ${user} in ${source} is not valid before ${new Date(validFrom).toISOString()}`;
    throw new Failure('REQUEST_REFUSED', message, {hint: `set the clock; ${clock}`});
  }
}

function unfit(message: string, hint: string): Failure {
  return new Failure('USAGE', message, {hint});
}

function notAnIdentity(source: string, why: string): Failure {
  return unfit(
    `${source} is not an identity file: it ${why}`,
    'make one with `tctl auth sign --format=file --user=USER --out=FILE`, or name the output directory of tbot',
  );
}
