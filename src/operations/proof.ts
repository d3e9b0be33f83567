// The proof after a reload: the running sshd serves what was written, and still serves every plain key it served before.
// One connection for each key and certificate; while the daemon comes back, one at a time.

import {Failure} from '../errors.js';
import type {HostFacts, HostKey} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {servedKey} from '../host/served-key.js';
import {effectiveConfig} from '../host/sshd.js';
import type {EffectiveConfig} from '../ssh/sshd-config/index.js';
import {sameBytes} from '../ssh/wire.js';
import {shortType} from './rehearsal.js';
import type {Scene} from './scene.js';

const PATIENCE = 10_000;
const SHORTEST_PAUSE = 4;
const LONGEST_PAUSE = 100;

export interface Proof {
  readonly certificates: number;
  readonly keys: number;
}

/**
 * Waits until the daemon answers with exactly these certificates ("type base64" by host key file) and all the plain
 * keys. CHANGE_FAILED with what was seen instead when it does not within ten seconds, or not before the signal: nobody
 * waits for the answer then.
 */
export async function prove(
  host: Host,
  {facts}: Pick<Scene, 'facts'>,
  certificates: ReadonlyMap<string, string>,
  signal?: AbortSignal,
): Promise<Proof> {
  const missing = await untilNothingIsMissing(host, facts, certificates, signal);
  if (missing.length === 0) return {certificates: certificates.size, keys: facts.hostKeys.length};
  const silent =
    missing.length >= facts.hostKeys.filter((key) => key.plainBy.length > 0).length + certificates.size;
  throw new Failure(
    'CHANGE_FAILED',
    silent ? 'sshd did not come back after the reload' : 'sshd does not serve what was written',
    {
      detail: missing.join('\n'),
      hint: "look into sshd's log for its own words, and please report this",
    },
  );
}

/**
 * The same after leaving: every plain key is served and none of the certificates that are `gone`; `wrong` says what of
 * `sshd -T` is not as it should be.
 */
export async function proveGone(
  host: Host,
  facts: HostFacts,
  gone: ReadonlyMap<string, string>,
  wrong: (now: EffectiveConfig) => readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const [missing, now] = await Promise.all([
    untilNothingIsMissing(host, facts, new Map(), signal, gone),
    effectiveConfig(host, facts.daemon, facts.config),
  ]);
  const found = [...missing, ...wrong(now)];
  const plain = facts.hostKeys.filter((key) => key.plainBy.length > 0).length;
  if (found.length === 0) return plain;
  const silent = plain > 0 && missing.filter((line) => line.startsWith('the plain ')).length === plain;
  throw new Failure(
    'CHANGE_FAILED',
    silent ? 'sshd did not come back after the reload' : 'sshd does not serve what it served before the join',
    {
      detail: found.join('\n'),
      hint: "look into sshd's log for its own words; this host is joined as before",
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
    return line === undefined
      ? []
      : [isServed(host, facts, {algorithms: key.certificateBy, blob: blobOf(line)})];
  });
  return (await Promise.all(served)).every(Boolean);
}

/** Asks for all at once when the daemon listens, and then for what was missing, one by one: each costs it a process. */
async function untilNothingIsMissing(
  host: Host,
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
  signal?: AbortSignal,
  gone: ReadonlyMap<string, string> = new Map(),
): Promise<string[]> {
  const wanted = [...servable(facts, certificates), ...servable(facts, gone, true)];
  const deadline = Date.now() + PATIENCE;
  const over = () => Date.now() > deadline || signal?.aborted === true;
  await repeat(over, () => listens(host, facts));
  const missing = await missingFrom(host, facts, wanted);
  const [first] = missing;
  if (first === undefined) return [];
  let left = missing;
  await repeat(over, async () => {
    if ((await missingFrom(host, facts, [left[0] ?? first])).length > 0) return false;
    left = await missingFrom(host, facts, left.slice(1));
    return left.length === 0;
  });
  return left.length === 0 ? [] : (await missingFrom(host, facts, wanted)).map(({words}) => words);
}

async function repeat(over: () => boolean, isDone: () => Promise<boolean>): Promise<void> {
  for (let pause = SHORTEST_PAUSE; !(await isDone()) && !over(); pause = Math.min(LONGEST_PAUSE, pause * 2)) {
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** A reload closes the port for a few milliseconds. */
async function listens(host: Host, facts: HostFacts): Promise<boolean> {
  const {address, port} = endpoint(facts);
  const stream = await host.dial(address, port).catch(unlessImpossible);
  stream?.destroy();
  return stream !== undefined;
}

async function missingFrom(
  host: Host,
  facts: HostFacts,
  wanted: readonly Servable[],
): Promise<readonly Servable[]> {
  const served = await Promise.all(wanted.map((one) => isServed(host, facts, one)));
  return wanted.filter(({gone}, index) => served[index] === gone);
}

interface Servable {
  readonly algorithms: readonly string[];
  readonly blob: Uint8Array;
  /** True: it must not be served any more. */
  readonly gone: boolean;
  /** What to say when that is not so. */
  readonly words: string;
}

/** Certificates first: what a daemon serves that has not been told yet are the plain keys. */
function servable(
  facts: HostFacts,
  certificates: ReadonlyMap<string, string>,
  gone = false,
): readonly Servable[] {
  const named = (key: HostKey) => `${shortType(key.type)} key ${key.file}`;
  const certified = facts.hostKeys.flatMap((key) => {
    const line = certificates.get(key.file);
    if (line === undefined) return [];
    const words = `the certificate of the ${named(key)} is ${gone ? 'still' : 'not'} served`;
    return [{algorithms: key.certificateBy, blob: blobOf(line), gone, words}];
  });
  if (gone) return certified;
  const plain = facts.hostKeys
    .filter((key) => key.plainBy.length > 0)
    .map((key) => ({
      algorithms: key.plainBy,
      blob: key.blob,
      gone,
      words: `the plain ${named(key)} is not served`,
    }));
  return [...certified, ...plain];
}

/** One connection: sshd counts those that end early, so there are no more than one for each key and certificate. */
async function isServed(
  host: Host,
  facts: HostFacts,
  {algorithms, blob}: Pick<Servable, 'algorithms' | 'blob'>,
): Promise<boolean> {
  const served = await askServed(host, facts, algorithms);
  return served !== undefined && sameBytes(served, blob);
}

/**
 * The key or certificate that the daemon shows for these algorithms; undefined: none, or no answer. One connection.
 * HOST_UNSUITABLE where no connection can be made from that host at all, so that no answer would say nothing.
 */
export async function askServed(
  host: Host,
  facts: HostFacts,
  algorithms: readonly string[],
): Promise<Uint8Array | undefined> {
  const {address, port} = endpoint(facts);
  const stream = await host.dial(address, port).catch(unlessImpossible);
  return stream && (await servedKey(stream, algorithms));
}

function unlessImpossible(error: unknown): undefined {
  if (error instanceof Failure) throw error;
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
