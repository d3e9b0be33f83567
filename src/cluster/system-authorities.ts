// The authorities that this system trusts. Node has a list of its own (Mozilla's) and does not look here, where a site
// installs the authority of its internal services and every other program finds it.

import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

/** Where the bundle may be named; as Go programs read it, so that what `tsh` trusts is trusted here. */
export interface AuthorityEnvironment {
  /** A PEM file in place of the system's. */
  readonly SSL_CERT_FILE?: string | undefined;
  /** Directories of PEM files, separated by colons. */
  readonly SSL_CERT_DIR?: string | undefined;
}

/** Debian and Alpine, Fedora and RHEL, SUSE, BSD and macOS. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** PEM texts; none where there is no bundle. What cannot be read is passed over, as other programs do. */
export function systemAuthorities(env: AuthorityEnvironment): readonly string[] {
  const files = env.SSL_CERT_FILE ? [env.SSL_CERT_FILE] : BUNDLES;
  const bundle = files.map(readPem).find((text) => text !== undefined);
  const directories = (env.SSL_CERT_DIR ?? '').split(':').filter((directory) => directory !== '');
  return [...(bundle === undefined ? [] : [bundle]), ...directories.flatMap(readDirectory)];
}

function readDirectory(directory: string): string[] {
  try {
    return readdirSync(directory).flatMap((name) => readPem(join(directory, name)) ?? []);
  } catch {
    return [];
  }
}

function readPem(file: string): string | undefined {
  try {
    const text = readFileSync(file, 'latin1');
    return text.includes('-----BEGIN CERTIFICATE-----') ? text : undefined;
  } catch {
    return undefined;
  }
}
