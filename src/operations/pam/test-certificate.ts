// The certificate of a login that is only tried: one in a file, or one made for it by an authority that nobody trusts.

import {Failure} from '../../errors.js';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';
import {type Certificate, parseCertificate, signCertificate} from '../../ssh/certificate.js';
import {formatPublicKey, generateKey, publicBlob} from '../../ssh/key.js';
import {validity} from '../ephemeral.js';

export interface TestCertificate {
  /** "type base64" */
  readonly line: string;
  readonly user?: string;
  readonly roles?: readonly string[];
  /** Line of the authority to be believed for once; absent: those of the cluster. */
  readonly authority?: string;
  /** Why sshd would refuse it. */
  readonly warnings: readonly string[];
}

const HINT = 'it is the line of a file *-cert.pub, such as tsh and tbot write; without --cert one is made up';

export async function certificateIn(host: Host, file: string, login: string): Promise<TestCertificate> {
  const entry = await lookBehind(host, file);
  if (entry?.kind !== 'file') throw new Failure('USAGE', `there is no file ${file}`, {hint: HINT});
  const text = Buffer.from(entry.bytes).toString('latin1');
  const line = /^[\w@.-]+-cert-v01@openssh\.com [A-Za-z0-9+/]+=*(?=\s|$)/m.exec(text)?.[0];
  if (line === undefined) throw new Failure('USAGE', `${file} holds no certificate of SSH`, {hint: HINT});
  const read = parsed(line);
  if (read?.type === 'host') throw new Failure('USAGE', `${file} is a host certificate`, {hint: HINT});
  if (read === undefined) return {line, warnings: []};
  return {line, user: read.keyId, warnings: objections(read, login)};
}

/** Of kinds that we do not read, the script makes what it can. */
function parsed(line: string): Certificate | undefined {
  try {
    return parseCertificate(line);
  } catch {
    return undefined;
  }
}

function objections({principals, validAfter, validBefore}: Certificate, login: string): string[] {
  const now = BigInt(Math.floor(Date.now() / 1000));
  return [
    ...(principals.includes(login)
      ? []
      : [`the certificate is for ${principals.join(', ') || 'nobody'}: sshd would refuse it for ${login}`]),
    ...(now < validAfter ? ['the certificate is not valid yet: sshd would refuse it'] : []),
    ...(now >= validBefore ? ['the certificate has expired: sshd would refuse it'] : []),
  ];
}

export interface Visitor {
  readonly user: string;
  readonly roles: readonly string[];
  readonly cluster: string;
}

export function certificateFor({user, roles, cluster}: Visitor, login: string): TestCertificate {
  const authority = generateKey('ed25519');
  const extensions = {
    'permit-pty': '',
    'teleport-roles': JSON.stringify({version: 'v1', roles}),
    'teleport-route-to-cluster': cluster,
    'teleport-traits': JSON.stringify({logins: [login]}),
  };
  const line = signCertificate(
    {
      type: 'user',
      key: publicBlob(generateKey('ed25519')),
      keyId: user,
      principals: [login, '-teleport-internal-join'],
      extensions,
      ...validity(),
    },
    authority,
  );
  return {line, user, roles, authority: formatPublicKey(publicBlob(authority)), warnings: []};
}
