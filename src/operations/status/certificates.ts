// The certificates that lie in our directory, and what speaks against them as far as this host alone can tell.

import type {HostKey} from '../../host/facts.js';
import type {Entry, Host} from '../../host/host.js';
import {type Certificate, parseCertificate, verifySignature} from '../../ssh/certificate.js';
import {fingerprint} from '../../ssh/key.js';
import {sameBytes} from '../../ssh/wire.js';
import {shortType} from '../rehearsal.js';
import {type Commands, type Problem, problem} from './problem.js';
import {dateOf, isEnding} from './validity.js';

/** One that can be read. */
export interface Held {
  readonly file: string;
  readonly certificate: Certificate;
}

export interface Certificates {
  readonly held: readonly Held[];
  readonly problems: readonly Problem[];
}

/** Files that are missing, links or pipes are not for us to report: the record's files are compared elsewhere. */
export async function readCertificates(
  host: Host,
  files: readonly string[],
  commands: Commands,
): Promise<Certificates> {
  const held: Held[] = [];
  const problems: Problem[] = [];
  const entries = await Promise.all(
    files.map(async (file) => ({file, entry: await lookQuietly(host, file)})),
  );
  for (const {file, entry} of entries) {
    if (entry?.kind !== 'file') continue;
    try {
      held.push({file, certificate: parseCertificate(Buffer.from(entry.bytes).toString('latin1'))});
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      problems.push(problem('CERTIFICATE_INVALID', `${file} is no certificate: ${why}`, commands.repair));
    }
  }
  return {held, problems};
}

async function lookQuietly(host: Host, path: string): Promise<Entry | undefined> {
  return host.look(path).catch(() => undefined);
}

/** What the certificate itself says against its use. `names`: those that somebody may dial. */
export function judgeCertificate(
  {file, certificate}: Held,
  names: readonly string[],
  commands: Commands,
): Problem[] {
  const invalid = (why: string) => [problem('CERTIFICATE_INVALID', `${file} ${why}`, commands.repair)];
  if (certificate.type !== 'host') return invalid('is a user certificate, which proves no host');
  if (!verifySignature(certificate)) return invalid('is not signed by the authority that it names');
  const missing = names.filter((name) => !certificate.principals.includes(name));
  const unnamed = problem('NAMES_MISSING', `${file} does not name ${missing.join(', ')}`, commands.renew);
  return [...validityProblems(file, certificate, commands), ...(missing.length > 0 ? [unnamed] : [])];
}

function validityProblems(file: string, certificate: Certificate, commands: Commands): Problem[] {
  const now = new Date();
  const clock = `this host's clock says ${now.toISOString()}`;
  const [from, to] = [dateOf(certificate.validAfter) ?? new Date(8.64e15), dateOf(certificate.validBefore)];
  if (now < from) {
    const text = `${file} is not valid before ${from.toISOString()}; ${clock}`;
    const fix = `set the clock of this host; if it is right: ${commands.renew}`;
    return [problem('CERTIFICATE_NOT_YET_VALID', text, fix)];
  }
  if (to === undefined) return [];
  const until = to.toISOString();
  if (now >= to)
    return [problem('CERTIFICATE_EXPIRED', `${file} has expired on ${until}; ${clock}`, commands.renew)];
  return isEnding(from, to, now)
    ? [problem('CERTIFICATE_ENDING', `${file} ends on ${until}`, commands.renew)]
    : [];
}

/** Host keys that sshd serves and that have no certificate of ours, or one for the key that was there before. */
export function uncertifiedKeys(
  keys: readonly HostKey[],
  fileFor: ReadonlyMap<string, string>,
  held: readonly Held[],
  commands: Commands,
): Problem[] {
  return keys.flatMap((key) => {
    if (held.some(({certificate}) => sameBytes(certificate.key, key.blob))) return [];
    const other = held.find(({file}) => file === fileFor.get(key.file));
    const type = shortType(key.type);
    if (other === undefined)
      return [problem('HOST_KEY_NEW', `the ${type} key ${key.file} has no certificate yet`, commands.renew)];
    const was = fingerprint(other.certificate.key);
    const text = `the ${type} key ${key.file} was replaced: ${other.file} is for the key before`;
    return [problem('HOST_KEY_REPLACED', text, commands.renew, `is ${fingerprint(key.blob)}, was ${was}`)];
  });
}

/** What a report says of a certificate. */
export function describeHeld({file, certificate}: Held, key: string | undefined) {
  const [from, to] = [dateOf(certificate.validAfter), dateOf(certificate.validBefore)];
  return {
    type: shortType(certificate.keyType),
    file,
    ...(key !== undefined && {key}),
    signer: fingerprint(certificate.authority),
    ...(from !== undefined && {validAfter: from.toISOString()}),
    ...(to !== undefined && {validBefore: to.toISOString()}),
    principals: certificate.principals,
  };
}
