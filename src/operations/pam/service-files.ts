// The files of services as libpam finds them, with all that they include.

import {join} from 'node:path/posix';
import type {Host} from '../../host/host.js';
import {lookBehind} from '../../host/look-behind.js';
import type {Includes} from '../../pam/chain.js';
import {parseStack, type Stack, serviceIncludes} from '../../pam/index.js';

/** Where a distribution keeps what /etc/pam.d may replace. */
const VENDOR = '/usr/lib/pam.d';

export interface FoundService {
  readonly path: string;
  /** latin-1 */
  readonly text: string;
}

/** Undefined when there is none, or nothing that can be read. */
export async function readService(
  host: Host,
  services: string,
  name: string,
): Promise<FoundService | undefined> {
  const places = name.startsWith('/') ? [name] : [join(services, name), join(VENDOR, name)];
  for (const path of places) {
    const entry = await lookBehind(host, path).catch(() => undefined);
    if (entry?.kind === 'file') return {path, text: Buffer.from(entry.bytes).toString('latin1')};
  }
  return undefined;
}

/** Everything that the stacks include, and what that includes, by the names they have for it. */
export async function readIncludes(
  host: Host,
  services: string,
  stacks: readonly Stack[],
): Promise<Includes> {
  const found = new Map<string, string>();
  const waiting = stacks.flatMap(serviceIncludes);
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (found.has(name)) continue;
    const file = await readService(host, services, name);
    if (file === undefined) continue;
    found.set(name, file.text);
    waiting.push(...serviceIncludes(parseStack(file.text)));
  }
  return found;
}
