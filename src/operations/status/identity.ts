// Whether the node's own credential can be used, and how long it holds.

import {X509Certificate} from 'node:crypto';
import {Failure} from '../../errors.js';
import type {Entry, Host} from '../../host/host.js';
import {identityPaths} from '../changes.js';
import {readIdentity} from '../ownership.js';
import type {JoinSettings} from '../settings.js';
import {type Commands, type Problem, problem} from './problem.js';
import {isEnding} from './validity.js';

export interface IdentityValidity {
  readonly validAfter: Date;
  readonly validBefore: Date;
}

/** 'discarded': this host keeps none, and none is missing. What `renew` could not use is a problem. */
export async function judgeIdentity(
  host: Host,
  dataDir: string,
  settings: JoinSettings,
  commands: Commands,
): Promise<{readonly value?: IdentityValidity | 'discarded'; readonly problems: readonly Problem[]}> {
  if (settings.identity === 'discarded') return {value: settings.identity, problems: []};
  const [directory, ...files] = identityPaths(dataDir);
  const entries = await Promise.all(files.map((path) => host.look(path)));
  const absent = files.filter((_, index) => !hasContent(entries[index]));
  if (absent.length > 0) {
    const text = `the identity of this node is missing from ${directory}, so nothing can be renewed with it`;
    return {problems: [problem('IDENTITY_MISSING', text, again(commands), absent.join('\n'))]};
  }
  const [, certificate] = entries;
  const validity = certificate?.kind === 'file' ? validityOf(certificate.bytes) : undefined;
  const [key, shown] = files;
  const damaged = (why: string) => [
    problem('IDENTITY_DAMAGED', `the identity of this node is damaged: ${why}`, again(commands)),
  ];
  if (validity === undefined) return {problems: damaged(`${shown} is no certificate that can be read`)};
  if (!(await isUsable(host, dataDir, settings)))
    return {value: validity, problems: damaged(`${key} is not the key of ${shown}`)};
  return {value: validity, problems: validityProblems(validity, commands)};
}

const hasContent = (entry: Entry | undefined) => entry?.kind === 'file' && entry.bytes.length > 0;

async function isUsable(host: Host, dataDir: string, settings: JoinSettings): Promise<boolean> {
  try {
    await readIdentity(host, dataDir, settings);
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

function again({join}: Commands): string {
  return `restore it from a backup, or join again with a token: ${join}`;
}

function validityOf(bytes: Uint8Array): IdentityValidity | undefined {
  try {
    const {validFrom, validTo} = new X509Certificate(bytes);
    return {validAfter: new Date(validFrom), validBefore: new Date(validTo)};
  } catch {
    return undefined;
  }
}

function validityProblems({validAfter, validBefore}: IdentityValidity, commands: Commands): Problem[] {
  const now = new Date();
  const clock = `this host's clock says ${now.toISOString()}`;
  if (now < validAfter) {
    const text = `the identity of this node is not valid before ${validAfter.toISOString()}; ${clock}`;
    return [problem('IDENTITY_NOT_YET_VALID', text, 'set the clock of this host')];
  }
  if (now >= validBefore) {
    const text = `the identity of this node has expired on ${validBefore.toISOString()}; ${clock}`;
    return [
      problem('IDENTITY_EXPIRED', text, `if the clock is right, join again with a token: ${commands.join}`),
    ];
  }
  if (!isEnding(validAfter, validBefore, now)) return [];
  const text = `the identity of this node ends on ${validBefore.toISOString()}`;
  return [problem('IDENTITY_ENDING', text, commands.renew)];
}
