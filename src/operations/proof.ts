// The proof after a reload: the running sshd serves what was written, and still serves every plain key it served before.
// One connection for each key and certificate, repeated only while the daemon comes back.

import {Failure} from '../errors.js';
import type {HostFacts} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {servedKey} from '../host/served-key.js';
import {effectiveConfig} from '../host/sshd.js';
import {sameBytes} from '../ssh/wire.js';
import {differences} from './effect.js';
import {shortType} from './rehearsal.js';
import type {Scene} from './scene.js';

const PATIENCE = 10_000;
const PAUSE = 20;

export interface Proof {
  readonly certificates: number;
  readonly keys: number;
}

/**
 * Waits until the daemon answers with exactly these certificates ("type base64" by host key file) and all the plain
 * keys, and sees that nothing but our keywords is in effect that was not before. CHANGE_FAILED with what was seen
 * instead when it does not within ten seconds, or not before the signal: nobody waits for the answer then.
 */
export async function prove(
  host: Host,
  scene: Scene,
  certificates: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<Proof> {
  const {facts, layout, previous} = scene;
  const [missing, now] = await Promise.all([
    untilNothingIsMissing(host, facts, certificates, signal),
    effectiveConfig(host, facts.daemon, facts.config),
  ]);
  const wrong = [...missing, ...differences(facts.effective, now, layout, previous)];
  if (wrong.length === 0) return {certificates: certificates.size, keys: facts.hostKeys.length};
  const silent =
    missing.length >= facts.hostKeys.filter((key) => key.plainBy.length > 0).length + certificates.size;
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

/** True when each of these certificates is served right now; the plain keys are not asked for. */
export async function serves(
  host: Host,
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
): Promise<boolean> {
  const served = facts.hostKeys.flatMap((key) => {
    const line = certificates.get(key.file);
    return line === undefined ? [] : [isServed(host, facts, key.certificateBy, blobOf(line))];
  });
  return (await Promise.all(served)).every(Boolean);
}

async function untilNothingIsMissing(
  host: Host,
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<string[]> {
  const deadline = Date.now() + PATIENCE;
  for (;;) {
    const missing = await missingFrom(host, facts, certificates);
    if (missing.length === 0 || Date.now() > deadline || signal?.aborted) return missing;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

async function missingFrom(
  host: Host,
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
): Promise<string[]> {
  const found = await Promise.all(
    facts.hostKeys.flatMap((key) => {
      const name = `${shortType(key.type)} key ${key.file}`;
      const line = certificates.get(key.file);
      return [
        ...(key.plainBy.length > 0
          ? [
              isServed(host, facts, key.plainBy, key.blob).then((ok) =>
                ok ? [] : [`the plain ${name} is not served`],
              ),
            ]
          : []),
        ...(line !== undefined
          ? [
              isServed(host, facts, key.certificateBy, blobOf(line)).then((ok) =>
                ok ? [] : [`the certificate of the ${name} is not served`],
              ),
            ]
          : []),
      ];
    }),
  );
  return found.flat();
}

/** One connection: sshd counts those that end early, so there are no more than one for each key and certificate. */
async function isServed(
  host: Host,
  facts: HostFacts,
  algorithms: readonly string[],
  blob: Uint8Array,
): Promise<boolean> {
  const served = await askServed(host, facts, algorithms);
  return served !== undefined && sameBytes(served, blob);
}

/** The key or certificate that the daemon shows for these algorithms; undefined: none, or no answer. One connection. */
export async function askServed(
  host: Host,
  facts: HostFacts,
  algorithms: readonly string[],
): Promise<Uint8Array | undefined> {
  const {address, port} = endpoint(facts);
  const stream = await host.dial(address, port).catch(() => undefined);
  return stream && (await servedKey(stream, algorithms));
}

function blobOf(line: string): Uint8Array {
  return Buffer.from(line.split(' ')[1] ?? '', 'base64');
}

/** Where to knock: an unspecified listening address is reached over loopback. */
export function endpoint(facts: HostFacts): {address: string; port: number} {
  const listening = facts.daemon.listening[0] ?? `127.0.0.1:${facts.port}`;
  const at = listening.lastIndexOf(':');
  const host = listening.slice(0, at).replace(/^\[|\]$/g, '');
  const port = Number(listening.slice(at + 1));
  if (host === '0.0.0.0' || host === '*' || host === '') return {address: '127.0.0.1', port};
  if (/^[0:]+$/.test(host)) return {address: '::1', port};
  return {address: host, port};
}
