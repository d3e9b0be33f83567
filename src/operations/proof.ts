// The proof after a reload: the running sshd serves what was written, and still serves every plain key it served before.
// Two probes of ssh-keyscan, repeated only while the daemon comes back: sshd counts connections that end early.

import {Failure} from '../errors.js';
import type {HostFacts, HostKey} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {effectiveConfig} from '../host/sshd.js';
import {formatPublicKey} from '../ssh/key.js';
import {differences} from './effect.js';
import type {Scene} from './scene.js';

const PATIENCE = 10_000;
const PAUSE = 150;

export interface Proof {
  readonly certificates: number;
  readonly keys: number;
}

/**
 * Waits until the daemon answers with exactly these certificates ("type base64" by host key file) and all the plain
 * keys, and sees that nothing but our keywords is in effect that was not before. CHANGE_FAILED with what was seen
 * instead when it does not within ten seconds.
 */
export async function prove(
  host: Host,
  scene: Scene,
  certificates: ReadonlyMap<string, string>,
): Promise<Proof> {
  const {facts, layout, previous} = scene;
  const [missing, now] = await Promise.all([
    untilNothingIsMissing(host, facts, certificates),
    effectiveConfig(host, facts.daemon, facts.config),
  ]);
  const wrong = [...missing, ...differences(facts.effective, now, layout, previous)];
  if (wrong.length === 0) return {certificates: certificates.size, keys: facts.hostKeys.length};
  const silent = missing.length >= new Set(facts.hostKeys.map(scanType)).size * 2;
  throw new Failure(
    'CHANGE_FAILED',
    silent ? 'sshd did not come back after the reload' : 'sshd does not serve what was written',
    {
      detail: wrong.join('\n'),
      hint: "look into sshd's log for its own words, and please report this",
    },
  );
}

/** True when the daemon answers with its plain keys: what must hold after everything was put back. */
export async function answers(host: Host, facts: HostFacts): Promise<boolean> {
  return (await untilNothingIsMissing(host, facts, new Map())).length === 0;
}

async function untilNothingIsMissing(
  host: Host,
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
): Promise<string[]> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const missing = await missingFrom(host, facts, certificates);
    if (missing.length === 0 || Date.now() > deadline) return missing;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function missingFrom(
  host: Host,
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
): Promise<string[]> {
  const served = await scan(host, facts, certificates.size > 0);
  const missing: string[] = [];
  for (const type of new Set(facts.hostKeys.map(scanType))) {
    // ssh-keyscan sees one key of each kind, so of two ECDSA keys it is enough that one answers.
    const keys = facts.hostKeys.filter((key) => scanType(key) === type);
    const signed = keys.flatMap((key) => certificates.get(key.file) ?? []);
    if (!keys.some((key) => served.has(formatPublicKey(key.blob))))
      missing.push(`no plain ${type} key is served`);
    if (signed.length > 0 && !signed.some((line) => served.has(line)))
      missing.push(`no ${type} certificate of ours is served`);
  }
  return missing;
}

/** Everything the daemon serves, as "type base64". */
async function scan(host: Host, facts: HostFacts, withCertificates: boolean): Promise<ReadonlySet<string>> {
  const {address, port} = endpoint(facts);
  const types = [...new Set(facts.hostKeys.map(scanType))].join(',');
  const keyscan = (words: readonly string[]) =>
    host.run(['ssh-keyscan', ...words, '-T', '5', '-t', types, '-p', port, address]);
  const results = await Promise.all([keyscan([]), ...(withCertificates ? [keyscan(['-c'])] : [])]);
  const served = new Set<string>();
  for (const line of results.flatMap((result) => result.stdout.split('\n'))) {
    const words = line.trim().split(/\s+/);
    const at = words.findIndex((word) => /^(ssh|ecdsa-sha2)-/.test(word));
    if (at >= 0 && !line.startsWith('#')) served.add(`${words[at]} ${words[at + 1]}`);
  }
  return served;
}

function scanType(key: HostKey): string {
  return key.type === 'ssh-ed25519' ? 'ed25519' : key.type === 'ssh-rsa' ? 'rsa' : 'ecdsa';
}

/** Where to knock: an unspecified listening address is reached over loopback. */
export function endpoint(facts: HostFacts): {address: string; port: string} {
  const listening = facts.daemon.listening[0] ?? `127.0.0.1:${facts.port}`;
  const at = listening.lastIndexOf(':');
  const host = listening.slice(0, at).replace(/^\[|\]$/g, '');
  const port = listening.slice(at + 1);
  if (host === '0.0.0.0' || host === '*' || host === '') return {address: '127.0.0.1', port};
  if (/^[0:]+$/.test(host)) return {address: '::1', port};
  return {address: host, port};
}
