// The real ssh-keygen as the second opinion on keys and certificates.

import {execFileSync} from 'node:child_process';
import {generateKeyPairSync, type KeyObject} from 'node:crypto';
import {mkdtempSync, readFileSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {type Certificate, FOREVER} from '../../../src/ssh/certificate.js';
import {fingerprint, generateKey, opensshPrivateKey} from '../../../src/ssh/key.js';

/** A private key of each type that OpenSSH and we know. */
export const KEYS: Readonly<Record<string, KeyObject>> = {
  ed25519: generateKey('ed25519'),
  p256: generateKey('p256'),
  p384: generateKeyPairSync('ec', {namedCurve: 'P-384'}).privateKey,
  p521: generateKeyPairSync('ec', {namedCurve: 'P-521'}).privateKey,
  rsa: generateKey('rsa2048'),
};

/** One of KEYS, or a test that names a key that is not there. */
export function keyNamed(name: string): KeyObject {
  const key = KEYS[name];
  if (key === undefined) throw new Error(`no key named ${name}`);
  return key;
}

/** A private directory that goes away with `using`. */
export class Scratch {
  readonly path = mkdtempSync(join(tmpdir(), 'agentless-ssh-'));

  file(name: string, text: string, mode = 0o644): string {
    const path = join(this.path, name);
    writeFileSync(path, text, {mode});
    return path;
  }

  read(name: string): string {
    return readFileSync(join(this.path, name), 'utf8');
  }

  async keyFile(name: string, key: KeyObject): Promise<string> {
    return this.file(name, await opensshPrivateKey(key), 0o600);
  }

  keygen(...args: readonly string[]): string {
    return execFileSync('ssh-keygen', args, {
      cwd: this.path,
      encoding: 'utf8',
      env: {...process.env, TZ: 'UTC'},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** What `ssh-keygen -L` says about a certificate. */
  list(line: string): Listing {
    return readListing(this.keygen('-L', '-f', this.file('listed-cert.pub', `${line}\n`)));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, {recursive: true, force: true});
  }
}

export interface Listing {
  readonly type: string;
  readonly key: string;
  readonly authority: string;
  readonly algorithm: string;
  readonly keyId: string;
  readonly serial: string;
  readonly valid: string;
  readonly principals: readonly string[];
  readonly criticalOptions: Readonly<Record<string, string>>;
  readonly extensions: Readonly<Record<string, string>>;
}

function readListing(text: string): Listing {
  const field = (name: string, pattern: string): string =>
    new RegExp(`^ {8}${name}: ${pattern}$`, 'm').exec(text)?.[1] ?? `no ${name} in ${text}`;
  return {
    type: field('Type', '(.*)'),
    key: field('Public key', '\\S+ (\\S+)'),
    authority: field('Signing CA', '\\S+ (\\S+) .*'),
    algorithm: field('Signing CA', '.* \\(using (.*)\\)'),
    keyId: field('Key ID', '"(.*)"'),
    serial: field('Serial', '(.*)'),
    valid: field('Valid', '(.*)'),
    principals: items(text, 'Principals'),
    criticalOptions: Object.fromEntries(items(text, 'Critical Options').map(readOption)),
    extensions: Object.fromEntries(items(text, 'Extensions').map(readOption)),
  };
}

/** The lines below a heading, which are indented by another eight blanks. */
function items(text: string, heading: string): readonly string[] {
  const block = new RegExp(`^ {8}${heading}: *\\n((?: {16}.*\\n)*)`, 'm').exec(text)?.[1] ?? '';
  return block
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.slice(16));
}

/** "name", "name value" or "name UNKNOWN OPTION: hex", whose hex starts with the inner length. */
function readOption(item: string): readonly [name: string, value: string] {
  const [, name = '', rest = ''] = /^(\S+) ?(.*)$/.exec(item) ?? [];
  const hex = /^UNKNOWN OPTION: ([0-9a-f]{8})([0-9a-f]*)/.exec(rest);
  if (hex !== null) return [name, Buffer.from(hex[2] ?? '', 'hex').toString()];
  return [name, rest.startsWith('UNKNOWN') ? '' : rest];
}

/** What `ssh-keygen -L` should say about a certificate that was read. */
export function asListed(certificate: Certificate): Listing {
  const {keyType, type, key, authority, signatureAlgorithm, keyId, serial, principals} = certificate;
  return {
    type: `${keyType}-cert-v01@openssh.com ${type} certificate`,
    key: fingerprint(key),
    authority: fingerprint(authority),
    algorithm: signatureAlgorithm,
    keyId,
    serial: `${serial}`,
    valid: validity(certificate),
    principals,
    criticalOptions: Object.fromEntries(certificate.criticalOptions),
    extensions: Object.fromEntries(certificate.extensions),
  };
}

function validity({validAfter, validBefore}: Certificate): string {
  const time = (seconds: bigint) => new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (validAfter === 0n) return validBefore === FOREVER ? 'forever' : `before ${time(validBefore)}`;
  if (validBefore === FOREVER) return `after ${time(validAfter)}`;
  return `from ${time(validAfter)} to ${time(validBefore)}`;
}
