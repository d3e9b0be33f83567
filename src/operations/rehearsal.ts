// The dress rehearsal: the configuration as it will be, served once by a throw-away sshd to a real client, before
// anything on the host changes and before a token is spent. Its authorities are ephemeral and of the cluster's kind.
//
// Every certificate of a host carries the same names. So each key type is shown to work once, each name is shown to work
// once, and the product of both is not run.

import {join} from 'node:path/posix';
import type {SignatureSuite} from '../cluster/cluster.js';
import {Failure} from '../errors.js';
import type {HostFacts, HostKey} from '../host/facts.js';
import type {Host} from '../host/host.js';
import {effectiveConfig, sshdCommand} from '../host/sshd.js';
import {signCertificate} from '../ssh/certificate.js';
import {formatPublicKey, generateKey, publicBlob} from '../ssh/key.js';
import {refusedForTime} from './clock.js';
import {describeRehearsal} from './describe.js';
import {differences} from './effect.js';
import {hostValidity, type KeyKind, Visitor} from './ephemeral.js';
import {acceptsHost, type Client, reasonOf} from './handshake.js';
import {type Layout, layoutIn} from './layout.js';
import type {Pam} from './pam/prepare.js';
import {PamRefusal, rehearsePam} from './pam/rehearsal.js';
import {interruptible, type Reporter} from './reporter.js';
import type {Scene} from './scene.js';
import type {JoinWish} from './settings.js';
import {onStage, type Stage} from './stage.js';
import {linesBehind} from './verdict.js';

export type AuthorityKind = KeyKind;

export interface Script {
  readonly facts: HostFacts;
  /** The keys that will get certificates. */
  readonly keys: readonly HostKey[];
  /** Every name that somebody may dial. */
  readonly names: readonly string[];
  /** Logins to try with a certificate; none is tried unless asked for. */
  readonly logins: readonly string[];
  readonly authority: AuthorityKind;
  /** Paths that an earlier join of ours put into effect; they may give way. */
  readonly previous: readonly string[];
  readonly pam: Pam | undefined;
  /** Who tries what PAM is to do. */
  readonly visitor?: string | undefined;
  /** What PAMServiceName is to be, where that is ours to say. */
  readonly service: string | undefined;
  /** The main configuration file as it would read with files in this layout. */
  readonly configFor: (layout: Layout) => Uint8Array;
  /** Further files that it includes then. */
  readonly besides?: Scene['besides'];
}

export interface Rehearsed {
  readonly types: readonly string[];
  readonly names: readonly string[];
  readonly logins: readonly string[];
  /** Who was let in by what PAM is to do, with hooks that saw the certificate. */
  readonly throughPam: string | undefined;
}

/** The kind of key that a cluster of this suite signs with; an older authority of another kind works just as well. */
export function authorityKind(suite: SignatureSuite): AuthorityKind {
  return suite === 'legacy' ? 'rsa2048' : suite === 'balanced-v1' ? 'ed25519' : 'p256';
}

/** The kind of a real authority, for a host that has one already. */
export function kindOfKey(line: string): AuthorityKind {
  return line.startsWith('ssh-rsa') ? 'rsa2048' : line.startsWith('ssh-ed25519') ? 'ed25519' : 'p256';
}

/**
 * The rehearsal as a step of a join, unless it is not wanted. False: all is well but for what PAM is to do, and nobody has
 * asked for that.
 */
export async function rehearseScene(
  tools: {readonly host: Host; readonly report: Reporter; readonly signal: AbortSignal},
  {proveLogins: logins, rehearse: wanted = true, invoker: visitor, pam: asked}: JoinWish,
  scene: Scene,
  authority: AuthorityKind,
): Promise<boolean> {
  if (!wanted) {
    const pam = scene.pam === undefined ? '' : ', and that PAM lets logins in,';
    tools.report.warn(
      `nothing was rehearsed: that clients accept the certificates${pam} is unproven before the host is changed`,
    );
    return true;
  }
  const rehearsing = rehearse(tools.host, {...scene, logins, authority, visitor});
  try {
    await interruptible(tools, 'rehearse', rehearsing, describeRehearsal);
    return true;
  } catch (error) {
    if (!(error instanceof PamRefusal) || Object.keys(asked ?? {}).length > 0) throw error;
    const detail = error.detail === undefined ? '' : ` (${error.detail})`;
    tools.report.warn(`PAM is left alone: ${error.message}${detail}; --prove-login NAME tries another login`);
    return false;
  }
}

/** Throws REHEARSAL_FAILED with sshd's own reason; leaves nothing behind. */
export async function rehearse(host: Host, script: Script): Promise<Rehearsed> {
  await onStage(host, script.facts.probe.uid, (stage) => play(host, script, stage));
  return {
    types: script.keys.map((key) => shortType(key.type)),
    names: script.names,
    logins: script.logins,
    throughPam: script.pam && visitorOf(script),
  };
}

async function play(host: Host, script: Script, stage: Stage): Promise<void> {
  const {path, put} = stage;
  const layout = layoutIn(
    path,
    script.keys.map((key) => key.file),
  );
  const authority = generateKey(script.authority);
  const line = formatPublicKey(publicBlob(authority));
  const [config, knownHosts] = await Promise.all([
    put('sshd_config', script.configFor(layout)),
    put('known_hosts', `@cert-authority * ${line}\n`),
    put(layout.userAuthorities, `${line}\n`),
    ...(script.besides?.(layout) ?? []).map((file) => put(file.path, file.bytes)),
    ...script.keys.map((key) =>
      put(layout.certificates.get(key.file) ?? '', hostCertificate(key, script, authority, host)),
    ),
  ]);
  const client: Client = {
    knownHosts,
    server: sshdCommand(script.facts.daemon, '-i', config),
    log: join(path, 'log'),
  };
  await allOf([checkEffect(host, script, config, layout), tryNames(host, client, script)]);
  const server = [...client.server, '-o', `TrustedUserCAKeys=${layout.userAuthorities}`];
  const visitor = new Visitor(put, authority, script.authority);
  await tryLogins(host, {...client, server}, script, visitor);
  if (script.pam === undefined) return;
  const [name = ''] = script.names;
  const trial = {
    pam: script.pam,
    login: visitorOf(script),
    name,
    facts: script.facts,
    authorities: layout.userAuthorities,
  };
  await rehearsePam(host, stage, visitor, {...client, server}, trial);
}

const visitorOf = ({logins, visitor}: Script): string => logins[0] ?? visitor ?? 'root';

/** Waits for all of them, also when one has failed: they work on the stage. The first failure counts. */
async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(work)).find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
}

/** sshd's view of the staged tree may differ from today's in our two keywords only. */
async function checkEffect(host: Host, script: Script, config: string, layout: Layout): Promise<void> {
  const staged = await effectiveConfig(host, script.facts.daemon, config);
  const unexpected = differences(script.facts.effective, staged, layout, script.previous, script.service);
  if (unexpected.length === 0) return;
  throw new Failure('REHEARSAL_FAILED', 'sshd would not read the new lines as they are meant', {
    detail: unexpected.join('\n'),
    hint: "seen in a rehearsal, nothing was changed; an option on sshd's command line or an earlier line wins over ours",
  });
}

async function tryNames(host: Host, client: Client, script: Script): Promise<void> {
  const {keys, names} = script;
  const attempts = Array.from({length: Math.max(keys.length, names.length)}, (_, index) => {
    const key = pick(keys, index);
    return {key, name: pick(names, index), algorithms: key.certificateBy};
  });
  const results = await acceptsHost(host, client, attempts);
  for (const [index, {key, name}] of attempts.entries()) {
    const {ok = false, client: words = '', log = ''} = results[index] ?? {};
    if (ok) continue;
    throw new Failure(
      'REHEARSAL_FAILED',
      `no client could verify this host as ${name} by its ${shortType(key.type)} key`,
      {
        detail: [reasonOf(log), words].filter(Boolean).join('\n'),
        hint: 'seen in a rehearsal, nothing was changed',
      },
    );
  }
}

/** A certificate login through the ephemeral authority, which the command line puts before every file. */
async function tryLogins(host: Host, client: Client, script: Script, visitor: Visitor): Promise<void> {
  for (const [index, user] of script.logins.entries()) {
    const result = await visitor.tries(host, client, pick(script.names, index), user);
    if (result.ok) continue;
    const reason = reasonOf(result.log) ?? result.client;
    const untimely = refusedForTime(host, user, reason);
    if (untimely !== undefined) throw untimely;
    throw new Failure('REHEARSAL_FAILED', `${user} would be refused`, {
      detail: [`sshd says: ${reason}`, ...linesBehind(script.facts, reason)].join('\n'),
      hint: 'seen in a rehearsal with a throw-away certificate, nothing was changed',
    });
  }
}

function hostCertificate(
  {blob: key}: HostKey,
  {names: principals}: Script,
  authority: ReturnType<typeof generateKey>,
  {clockAhead}: Host,
): string {
  return `${signCertificate({type: 'host', key, principals, ...hostValidity(clockAhead)}, authority)}\n`;
}

function pick<T>(items: readonly T[], index: number): T {
  const item = items[index % items.length];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

/** "ed25519", "ecdsa" or "rsa": what people call a key. */
export function shortType(type: string): string {
  return type
    .replace(/^(ssh|ecdsa-sha2)-/, (prefix) => (prefix === 'ecdsa-sha2-' ? 'ecdsa-' : ''))
    .replace(/-nistp256$/, '');
}
