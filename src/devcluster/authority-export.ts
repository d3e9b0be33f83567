// The formats of /webapi/auth/export: what anybody may know of the authorities.

import {type Authorities, type Authority, sshPublicKeys, tlsIssuer} from './authority.js';
import {Refusal} from './refusal.js';

const EXPORTS: Readonly<Record<string, (authorities: Authorities) => readonly string[]>> = {
  '': ({host, user}) => [hostLines(host) + userLines(user)],
  host: ({host}) => [hostLines(host)],
  user: ({user}) => [userLines(user)],
  openssh: ({openssh}) => [userLines(openssh)],
  tls: ({host}) => [tlsIssuer(host).certificate],
  'tls-host': ({host}) => [tlsIssuer(host).certificate],
  'tls-user': ({user}) => [tlsIssuer(user).certificate],
  // Known to the real one, and empty there too.
  jwt: () => [],
  spiffe: () => [],
};

/** `format` "json": an array of base64 documents; "": the text itself. */
export function exportAuthorities(authorities: Authorities, type: string, format: string): string {
  const documents = Object.hasOwn(EXPORTS, type) ? EXPORTS[type]?.(authorities) : undefined;
  if (documents === undefined) {
    throw new Refusal('bad parameter', `${JSON.stringify(type)} authority type is not supported`);
  }
  if (format === '') return documents.join('');
  if (format !== 'json') {
    throw new Refusal('bad parameter', `unsupported export format ${JSON.stringify(format)}`);
  }
  return JSON.stringify(documents.map((document) => ({data: Buffer.from(document).toString('base64')})));
}

/** known_hosts lines. */
function hostLines(authority: Authority): string {
  const {cluster} = authority;
  return sshPublicKeys(authority)
    .map((key) => `@cert-authority ${cluster},*.${cluster} ${key} type=host\n`)
    .join('');
}

/** authorized_keys lines. */
function userLines(authority: Authority): string {
  return sshPublicKeys(authority)
    .map((key) => `cert-authority ${key} clustername=${authority.cluster}&type=user\n`)
    .join('');
}
