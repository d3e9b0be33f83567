// What an earlier join of this host has left: its settings, its identity, its files. Every command reads this first, and
// an interrupted run is finished or undone on the way.

import {createPrivateKey, X509Certificate} from 'node:crypto';
import type {Identity} from '../cluster/cluster.js';
import {readCertificates} from '../cluster/tls-certificate.js';
import {Failure, Secret} from '../errors.js';
import type {Host} from '../host/host.js';
import {isUnfinished} from '../plan/data-directory.js';
import {recover} from '../plan/plan.js';
import {type OwnershipRecord, readRecord} from '../plan/record.js';
import {identityPaths} from './changes.js';
import type {Reporter} from './reporter.js';
import {type JoinSettings, readSettings} from './settings.js';

/** A host that is joined, whether its identity can still be read or not. */
export interface Membership {
  readonly record: OwnershipRecord;
  readonly settings: JoinSettings;
}

export interface Ownership {
  readonly settings: JoinSettings;
  /** 'absent': there is none here, because none is kept (`settings.identity`), or because it was lost. */
  readonly identity: Identity | 'absent';
  /** Files that are ours or that we have changed. */
  readonly files: readonly string[];
  /** When this host was joined, ISO 8601. */
  readonly since: string;
  /** What has changed this host last. */
  readonly transaction: string;
  /** What it was called when that was written: its name now, unless it was renamed or is a copy. */
  readonly host: string;
}

/**
 * undefined: this host is not joined. `takeOver` is told of a node whose record an interrupted first join may have
 * written; without it the user is. `renewable`: a credential that is missing may be made anew; else that is a failure.
 */
export async function readOwnership(
  host: Host,
  dataDir: string,
  report: Reporter,
  takeOver?: (nodeId: string) => void,
  renewable = false,
): Promise<Ownership | undefined> {
  const joined = await readMembership(host, dataDir, report, takeOver);
  if (joined === undefined) return undefined;
  const {record, settings} = joined;
  const identity =
    settings.identity === 'discarded'
      ? 'absent'
      : await readIdentity(host, dataDir, settings).catch((error: unknown) => {
          if (renewable && error instanceof Failure) return 'absent' as const;
          throw error;
        });
  const files = record.changes.map((change) => change.path);
  const {since, transaction, host: written} = record;
  return {settings, identity, files, since, transaction, host: written};
}

/** The same without the identity. */
export async function readMembership(
  host: Host,
  dataDir: string,
  report: Reporter,
  takeOver?: (nodeId: string) => void,
): Promise<Membership | undefined> {
  // Not at once: another run that ends between the two would be taken for none at all.
  await clearUp(host, dataDir, report, takeOver);
  const record = await readRecord(host, dataDir);
  if (record === undefined) return undefined;
  const settings = readSettings(record.settings);
  if (settings === undefined) {
    throw new Failure('HOST_UNSUITABLE', `the ownership record in ${dataDir} says nothing about a join`, {
      hint: 'it was written by another version, or by hand; nothing was changed',
    });
  }
  return {record, settings};
}

/** HOST_LOCKED when another run has joined this host, or is at it, since this one has begun. */
export async function refuseJoinedMeanwhile(host: Host, dataDir: string): Promise<void> {
  if (!(await isUnfinished(host, dataDir)) && (await readRecord(host, dataDir)) === undefined) return;
  throw new Failure('HOST_LOCKED', 'another agentless is at work on this host, or has just joined it', {
    hint: 'run this again: where it has joined there is nothing left to do',
  });
}

async function clearUp(
  host: Host,
  dataDir: string,
  report: Reporter,
  takeOver: ((nodeId: string) => void) | undefined,
): Promise<void> {
  const {outcome, operation, at, notes, noted} = await recover(host, dataDir);
  if (outcome === 'nothing') return;
  const which = operation === undefined ? '' : ` (${operation}, ${at})`;
  report.warn(`an interrupted run${which} was ${outcome}`);
  for (const note of notes) report.warn(note);
  if (outcome !== 'undone') return;
  // The record of a host that stays joined is its own, and is looked at again; one that cannot be read is told of later.
  const stays = await readRecord(host, dataDir).catch(() => undefined);
  for (const {registering, unregistering} of noted) {
    if (typeof unregistering === 'string')
      report.warn(`the node record ${unregistering} may be gone already; \`join openssh\` writes it again`);
    if (typeof registering !== 'string' || stays !== undefined) continue;
    if (takeOver) takeOver(registering);
    else
      report.warn(
        `it may have left a node record; remove it with \`tctl rm node/${registering}\`, or join with --yes`,
      );
  }
}

/** The credential of this node as it is stored; HOST_UNSUITABLE when a part of it is missing or cannot be used. */
export async function readIdentity(host: Host, dataDir: string, settings: JoinSettings): Promise<Identity> {
  const [, key, certificate, authorities] = identityPaths(dataDir);
  const [keyText, certificateText, authoritiesText] = await Promise.all(
    [key, certificate, authorities].map((path) => readText(host, path)),
  );
  if (!keyText || !certificateText || !authoritiesText) {
    throw new Failure('HOST_UNSUITABLE', `the identity of this node is missing from ${dataDir}/identity`, {
      hint: NEW_IDENTITY,
    });
  }
  refuseUnusable(keyText, certificateText, settings.cluster);
  return {
    cluster: settings.cluster,
    nodeId: settings.nodeId,
    key: new Secret(keyText),
    certificate: certificateText,
    // Those that cannot be read are as good as none: they are fetched again under the web certificate.
    authorities: (readCertificates([authoritiesText]) ?? []).map(String),
  };
}

const NEW_IDENTITY = 'restore it from a backup, or join again with a token';

function refuseUnusable(key: string, certificate: string, cluster: string): void {
  const damaged = (cause?: unknown) =>
    new Failure('HOST_UNSUITABLE', `the identity of this node at ${cluster} is damaged`, {
      hint: NEW_IDENTITY,
      ...(cause !== undefined && {cause}),
    });
  let belong: boolean;
  try {
    belong = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw damaged(cause);
  }
  if (!belong) throw damaged();
}

async function readText(host: Host, path: string): Promise<string | undefined> {
  const entry = await host.look(path);
  return entry?.kind === 'file' ? Buffer.from(entry.bytes).toString('latin1') : undefined;
}
