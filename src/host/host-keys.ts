// The host keys that sshd serves, and by which algorithms it lets each of them prove itself.

import {certificateAlgorithms, plainAlgorithms} from '../ssh/algorithms.js';
import {type KeyType, type PublicKey, parsePublicKey} from '../ssh/key.js';
import {sameBytes} from '../ssh/wire.js';
import type {Entry, Host} from './host.js';
import {lookBehind} from './look-behind.js';
import type {Tested} from './sshd.js';

export interface HostKey extends PublicKey {
  /** The private key's file as sshd names it. */
  readonly file: string;
  /** Algorithms by which sshd, as configured, lets this key prove itself plain… */
  readonly plainBy: readonly string[];
  /** …and by a certificate; empty: a certificate would never be served. */
  readonly certificateBy: readonly string[];
}

/**
 * The public halves of what sshd serves, read from .pub files or asked of ssh-keygen; each key once. Of several keys of one
 * type sshd loads all, and serves the first (get_hostkey_by_type in its sshd.c).
 */
export async function readHostKeys(
  host: Host,
  {effective, unloaded}: Tested,
): Promise<{usable: readonly HostKey[]; warnings: readonly string[]}> {
  const allowed = effective.one('hostkeyalgorithms')?.split(',');
  const read = (file: string) => readHostKey(host, file, unloaded.includes(file), allowed);
  const usable: HostKey[] = [];
  const warnings: string[] = [];
  for (const found of await Promise.all(effective.all('hostkey').map(read))) {
    if ('warning' in found) {
      warnings.push(found.warning);
      continue;
    }
    const first = usable.find(({type}) => type === found.type);
    if (first === undefined) usable.push(found);
    else if (!sameBytes(first.blob, found.blob))
      warnings.push(
        `${found.file} is not served: sshd serves one key of each type, and ${first.file} comes first`,
      );
  }
  return {usable, warnings: warnings.filter((warning) => warning !== '')};
}

async function readHostKey(
  host: Host,
  file: string,
  refused: boolean,
  allowed: readonly string[] | undefined,
): Promise<HostKey | {warning: string}> {
  const [secret, beside] = await Promise.all(
    [file, `${file}.pub`].map((path) => lookBehind(host, path).catch(() => undefined)),
  );
  // A default key that was never made is not worth a word; sshd skips it as well.
  if (secret === undefined)
    return {warning: isDefaultKey(file) ? '' : `host key ${file} cannot be read; it is not served`};
  const mode = secret.kind === 'file' ? secret.mode & 0o777 : 0;
  if ((refused || isDefaultKey(file)) && isTooOpen(mode, refused)) {
    return {
      warning: `host key ${file} has mode ${mode.toString(8)}; sshd does not load it (chmod 0600 ${file})`,
    };
  }
  if (refused) return {warning: `sshd cannot load host key ${file}; it is not served`};
  const line = (await publicHalf(host, file, beside)).trim();
  try {
    const key = parsePublicKey(line);
    return {...key, file, ...provenBy(key.type, allowed)};
  } catch {
    const type = line.split(' ')[0] ?? '';
    return {
      warning: `host key ${file} (${type || 'unreadable'}) is of no kind that a cluster certifies; left as it is`,
    };
  }
}

/** HostKeyAlgorithms may leave out plain keys or certificates of a type. SHA-1 is used where there is nothing else. */
function provenBy(type: KeyType, allowed: readonly string[] | undefined) {
  const modern = (names: readonly string[]) => {
    const known = names.filter((name) => allowed === undefined || allowed.includes(name));
    const sha2 = known.filter((name) => !/^ssh-rsa(-cert|$)/.test(name));
    return sha2.length > 0 ? sha2 : known;
  };
  return {plainBy: modern(plainAlgorithms(type)), certificateBy: modern(certificateAlgorithms(type))};
}

async function publicHalf(host: Host, file: string, beside: Entry | undefined): Promise<string> {
  if (beside?.kind === 'file') return Buffer.from(beside.bytes).toString('latin1');
  const {stdout} = await host.run(['ssh-keygen', '-y', '-P', '', '-f', file]);
  return stdout;
}

/** Of these, sshd does not say when it cannot load them. */
function isDefaultKey(file: string): boolean {
  return /^\/etc\/ssh\/ssh_host_(rsa|dsa|ecdsa|ed25519|mldsa44_ed25519|xmss)_key$/.test(file);
}

/** RHEL keeps host keys 0640 root:ssh_keys, and its sshd takes them: there it does not refuse. */
function isTooOpen(mode: number, refused: boolean): boolean {
  return (mode & 0o077) !== 0 && (refused || mode !== 0o640);
}
