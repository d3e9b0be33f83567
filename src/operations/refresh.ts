// What a joined host gets from the cluster, by its own identity or by somebody else's: the authorities of now, and, for what
// is due, new certificates. A certificate that is still the right one is kept.

import {setTimeout as sleep} from 'node:timers/promises';
import type {Authority, Certificates, HostCertificateRequest} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import {parseCertificate} from '../ssh/certificate.js';
import {formatPublicKey} from '../ssh/key.js';
import type {Credentials, Wanted} from './credentials.js';
import {type Due, reasonsOf, whatIsDue} from './due.js';
import {type Authorities, askAuthorities, type Contact, type Speaker} from './speaker.js';

/** While a phase changes an answer may be half old; the cluster has settled within a second (rotation reference A.4). */
const SETTLING = 1100;
const ATTEMPTS = 3;

/**
 * `held`: "type base64" by host key file, as they lie on the host. `fewerNames`: a new certificate may leave out names of
 * the one that it replaces; else that is refused.
 */
export async function refresh(
  contact: Contact,
  held: ReadonlyMap<string, string>,
  wanted: Wanted,
  fewerNames: boolean,
): Promise<Credentials & {readonly authorities: Authorities}> {
  let told = contact.authorities;
  for (let attempt = 1; ; attempt += 1) {
    const due = whatIsDue({...contact, certificates: held}, told.hosts, wanted);
    const {lines, speaker, settled} = await reissue(contact, due, told.hosts, wanted);
    if (settled || attempt === ATTEMPTS) {
      const certificates = new Map<string, string>();
      for (const {file} of wanted.keys) {
        const line = lines.get(file) ?? held.get(file);
        certificates.set(file, parseCertificate(line ?? '').line);
      }
      if (!fewerNames) refuseFewerNames(held, lines);
      return {
        ...credentialsOf(speaker, told, certificates),
        renewed: reasonsOf(due),
        authorities: told,
      };
    }
    await sleep(SETTLING);
    told = await askAuthorities(contact.session);
  }
}

/** What is on the host, as credentials: for looking, without having anything signed. */
export function credentialsOf(
  speaker: Speaker,
  {hosts, users}: Authorities,
  certificates: ReadonlyMap<string, string>,
): Credentials {
  return {
    ...knowing(speaker, [...hosts.tls.active, ...hosts.tls.additional]),
    certificates,
    userAuthorities: [...users.active, ...users.additional],
    signer: hosts.active[0] ?? '',
    renewed: [],
  };
}

/** The union of now is stored at every contact: so this host can verify Auth in every phase to come. */
function knowing(speaker: Speaker, authorities: readonly string[]): Speaker {
  if (speaker.identity === undefined) return {session: speaker.session};
  return {session: speaker.session, identity: {...speaker.identity, authorities}};
}

interface Reissued {
  /** New certificates by host key file. */
  readonly lines: ReadonlyMap<string, string>;
  readonly speaker: Speaker;
  /** True unless the cluster was seen in the middle of a change. */
  readonly settled: boolean;
}

async function reissue(speaker: Speaker, due: Due, hosts: Authority, wanted: Wanted): Promise<Reissued> {
  const keys = [...due.certificates.keys()];
  // Auth signs both kinds together: for a new certificate of its own a node asks for one of a key as well, and keeps what it has.
  const asked = keys.length === 0 && due.identity !== undefined ? wanted.keys.slice(0, 1) : keys;
  if (asked.length === 0) return {lines: new Map(), speaker, settled: true};
  const {nodeId, nodeName, additionalPrincipals} = wanted;
  const certified = await certify(
    speaker,
    {nodeId, nodeName, additionalPrincipals},
    asked.map((key) => formatPublicKey(key.blob)),
  );
  const {ssh, tls} = certified.signers;
  const isActive =
    ssh.every((line) => hosts.active.includes(line)) && tls.every((pem) => isAmong(pem, hosts.tls.active));
  return {
    lines: new Map(keys.map((key, index) => [key.file, certified.certificates[index] ?? ''])),
    speaker: certified.speaker,
    settled: isActive && ssh.length === 1 && tls.length === (speaker.identity === undefined ? 0 : 1),
  };
}

/** A host gets a new certificate for itself each time. */
async function certify(
  speaker: Speaker,
  request: HostCertificateRequest,
  hostKeys: readonly string[],
): Promise<Certificates & {readonly speaker: Speaker}> {
  if (speaker.identity === undefined) return {...(await speaker.session.certify(request, hostKeys)), speaker};
  const {identity, ...certified} = await speaker.session.certify(request, hostKeys);
  return {...certified, speaker: {session: speaker.session, identity}};
}

const isAmong = (pem: string, list: readonly string[]) => list.some((one) => one.trim() === pem.trim());

/** Names that clients use may be lost on the way, by a change in the cluster: nobody finds out until a login fails. */
function refuseFewerNames(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): void {
  for (const [file, line] of after) {
    const old = namesOf(before.get(file));
    const names = new Set(namesOf(line));
    const lost = old.filter((name) => !names.has(name));
    if (lost.length === 0) continue;
    throw new Failure('REQUEST_REFUSED', `a new certificate would no longer be for ${lost.join(', ')}`, {
      hint: 'nothing was changed; if that is meant, say so with --allow-fewer-names',
    });
  }
}

function namesOf(line: string | undefined): readonly string[] {
  try {
    return line === undefined ? [] : parseCertificate(line).principals;
  } catch {
    return [];
  }
}
