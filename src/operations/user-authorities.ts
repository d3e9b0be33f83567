// The file behind TrustedUserCAKeys. sshd takes one file and stops reading it at the first line it cannot parse, so ours
// come first, what was trusted before is merged behind them, and what cannot be parsed is left out with a warning.

import {Failure} from '../errors.js';
import type {Host} from '../host/host.js';
import {lookBehind} from '../host/look-behind.js';
import {formatPublicKey, parsePublicKey} from '../ssh/key.js';
import {BORDER, OWNER_LINE} from './layout.js';

export interface UserAuthorities {
  readonly text: string;
  /** How many keys of the site's own were merged. */
  readonly own: number;
  readonly warnings: readonly string[];
}

/** `ours`: authorized_keys lines of the cluster. `existing`: the text of the file trusted so far. */
export function mergeAuthorities(
  ours: readonly string[],
  existing: string | undefined,
  from: string | undefined,
): UserAuthorities {
  const keys = new Set(ours.map((line) => formatPublicKey(parsePublicKey(line).blob)));
  const merged: string[] = [];
  const warnings: string[] = [];
  let stopped: number | undefined;
  let behind = 0;
  for (const [index, raw] of (existing ?? '').split('\n').entries()) {
    const line = raw.replace(BYTE_ORDER_MARK, '').trim();
    const key = keyOf(line);
    // Measured: a byte order mark ends sshd's reading, and so does a carriage return on a line of its own.
    if (key === undefined ? /^[ \t]*[^# \t]/.test(raw) : BYTE_ORDER_MARK.test(raw)) stopped ??= index + 1;
    if (key === undefined && line !== '' && !line.startsWith('#')) {
      warnings.push(`${from} line ${index + 1} is no public key that can be merged; it is left out`);
    }
    if (key === undefined || keys.has(key)) continue;
    keys.add(key);
    merged.push(line);
    if (stopped !== undefined) behind += 1;
  }
  if (behind > 0) {
    const what = behind === 1 ? 'a key' : `${behind} keys`;
    warnings.push(
      `sshd stopped reading ${from} at line ${stopped}; ${what} from there on will be trusted now`,
    );
  }
  const lines = [OWNER_LINE, ...ours.map((line) => formatPublicKey(parsePublicKey(line).blob))];
  if (merged.length > 0) lines.push(`${BORDER}, from ${from}`, ...merged);
  return {text: `${lines.join('\n')}\n`, own: merged.length, warnings};
}

/** As the latin-1 text of a file has it. */
const BYTE_ORDER_MARK = /^\u00ef\u00bb\u00bf/;

/** "type base64" of a line that sshd can read; authorities on security keys are not ours to judge and are kept. */
function keyOf(line: string): string | undefined {
  if (/^sk-\S+@openssh\.com AAAA[A-Za-z0-9+/=]+( |$)/.test(line))
    return line.split(' ').slice(0, 2).join(' ');
  try {
    return formatPublicKey(parsePublicKey(line).blob);
  } catch {
    return undefined;
  }
}

/** Reads the authorities trusted so far. A named pipe (Google OS Login uses one) cannot be merged, and is never opened. */
export async function readExisting(host: Host, path: string | undefined): Promise<string | undefined> {
  if (path === undefined || path.toLowerCase() === 'none') return undefined;
  const entry = await lookBehind(host, path).catch(() => undefined);
  if (entry === undefined) return undefined;
  if (entry.kind === 'file') return Buffer.from(entry.bytes).toString('latin1');
  throw new Failure(
    'HOST_UNSUITABLE',
    `the user authorities trusted so far cannot be merged: ${path} is not a regular file`,
    {
      hint: 'sshd reads one TrustedUserCAKeys file only, so joining would cut those users off; put their keys into a regular file first',
    },
  );
}
