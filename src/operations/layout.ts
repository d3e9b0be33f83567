// Which files a join puts where, and the lines that make sshd use them. Pure.

import {basename, dirname, join} from 'node:path/posix';
import {type Dialect, quotePath} from '../ssh/sshd-config/index.js';

/** The owner of a file and the way back, first line of everything we install. */
export const OWNER_LINE = '# Managed by agentless; undo with: sudo agentless leave';

/** In the file of authorities: before it those of the cluster, behind it what the site trusted already. */
export const BORDER = '# Trusted here before';

export interface Layout {
  /** /etc/ssh/agentless, beside the configuration file it serves. */
  readonly directory: string;
  readonly userAuthorities: string;
  /** One certificate file for each host key file, in the order given. */
  readonly certificates: ReadonlyMap<string, string>;
}

/** Certificates are named after their keys, as ssh-keygen does; two keys of one name are told apart by a number. */
export function layoutIn(directory: string, hostKeyFiles: readonly string[]): Layout {
  const certificates = new Map<string, string>();
  const taken = new Set<string>();
  for (const file of hostKeyFiles) {
    let name = `${basename(file)}-cert.pub`;
    for (let n = 2; taken.has(name); n += 1) name = `${basename(file)}-${n}-cert.pub`;
    taken.add(name);
    certificates.set(file, join(directory, name));
  }
  return {directory, certificates, userAuthorities: join(directory, 'trusted_user_ca_keys')};
}

/** Beside sshd_config, so that a private copy of a configuration never writes under /etc/ssh. */
export function installedDirectory(configFile: string): string {
  return join(dirname(configFile), 'agentless');
}

/** What sshd reads: only these two keywords, never HostKey. */
export function directives(layout: Layout, dialect: Dialect): string[] {
  return [
    ...[...layout.certificates.values()].map((path) => `HostCertificate ${quotePath(path, dialect)}`),
    `TrustedUserCAKeys ${quotePath(layout.userAuthorities, dialect)}`,
  ];
}
