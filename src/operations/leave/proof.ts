// The proof that a host has left: the running sshd serves its plain keys and none of our certificates, and what it reads
// is what the site itself has written.

import type {HostFacts} from '../../host/facts.js';
import type {Host} from '../../host/host.js';
import type {OwnershipRecord} from '../../plan/record.js';
import {parseCertificate} from '../../ssh/certificate.js';
import {settings, textOf, winning} from '../../ssh/sshd-config/index.js';
import {sameBytes} from '../../ssh/wire.js';
import {count} from '../describe.js';
import {differencesOfLeaving, type Expected} from '../effect.js';
import type {LeaveTools, LeaveWish} from '../leave.js';
import {proveGone} from '../proof.js';
import {interruptible} from '../reporter.js';
import {readSettings} from '../settings.js';
import type {LeavePlan} from './plan.js';

/** Reads the certificates that will be gone; the proof itself is for after the reload. */
export async function proveLeft(
  tools: LeaveTools,
  wish: LeaveWish,
  record: OwnershipRecord,
  plan: LeavePlan,
  facts: HostFacts | undefined,
): Promise<() => Promise<void>> {
  const {host, report, signal} = tools;
  if (!wish.reload || facts === undefined) {
    return async () => report.warn('sshd was not reloaded, as you asked: what it serves now is unproven');
  }
  if (facts.daemon.state === 'stopped') {
    return async () => report.warn('sshd is not running: that it serves what it served before is unproven');
  }
  const expected = expectedOf(record, plan, facts);
  const certificates = await certificatesIn(host, expected.gone, facts);
  const wrong = (now: HostFacts['effective']) => differencesOfLeaving(facts.effective, now, expected);
  return () =>
    interruptible(
      tools,
      'prove',
      proveGone(host, facts, certificates, wrong, signal),
      (keys) => `sshd serves no certificate of ours; all ${count(keys, 'known host key')} unchanged`,
    ).then(() => undefined);
}

/** Certificates that lie in these files, by host key file. */
async function certificatesIn(
  host: Host,
  paths: ReadonlySet<string>,
  {hostKeys}: HostFacts,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const entry of await Promise.all([...paths].map((path) => host.look(path)))) {
    const certificate = entry?.kind === 'file' ? certificateIn(entry.bytes) : undefined;
    const key = hostKeys.find(({blob}) => certificate !== undefined && sameBytes(blob, certificate.key));
    if (key !== undefined && certificate !== undefined) found.set(key.file, certificate.line);
  }
  return found;
}

function certificateIn(bytes: Uint8Array): ReturnType<typeof parseCertificate> | undefined {
  try {
    return parseCertificate(Buffer.from(bytes).toString('latin1').trim());
  } catch {
    return undefined;
  }
}

function expectedOf(record: OwnershipRecord, {tree}: LeavePlan, {effective, dialect}: HostFacts): Expected {
  const {changes} = record;
  const all = tree === undefined ? [] : settings(tree, dialect);
  const named = new Set(all.flatMap(({args}) => args.map(textOf)));
  const own = changes.flatMap(({path, before}) => (before.kind === 'absent' ? [path] : []));
  const gone = new Set(own.filter((path) => !named.has(path)));
  const now = effective.one('trustedusercakeys') ?? 'none';
  const [argument] = winning(all, 'trustedusercakeys')?.args ?? [];
  const trusted = argument === undefined ? 'none' : textOf(argument);
  const pam = readSettings(record.settings)?.pam;
  const service = typeof pam === 'object' && pam.shape === 'service' ? pam.base : undefined;
  return {gone, trusted: own.includes(now) ? trusted : now, ...(service !== undefined && {service})};
}
