// A host that has only some of what can connect to a port there.

import {execFileSync} from 'node:child_process';
import {existsSync, mkdirSync, symlinkSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';

export const RELAYS = ['perl', 'bash', 'nc'] as const;
export type Relay = (typeof RELAYS)[number];

/**
 * A line of sshd_config for a login that finds no more than `relay`: in place of the others stands what is of no use.
 * Undefined: this machine has no such program.
 */
export function withOnly(relay: Relay | undefined, directory: string): string | undefined {
  mkdirSync(directory, {recursive: true});
  const program = relay === undefined ? undefined : find(relay);
  if (relay !== undefined && program === undefined) return undefined;
  for (const name of RELAYS) {
    const path = join(directory, name);
    if (name === relay) symlinkSync(program ?? '', path);
    else writeFileSync(path, '#!/bin/sh\nexit 127\n', {mode: 0o755});
  }
  return `ForceCommand PATH=${directory}:$PATH; export PATH; exec sh -c "$SSH_ORIGINAL_COMMAND"`;
}

/** NC may name another than the one on PATH. */
function find(relay: Relay): string | undefined {
  const named = relay === 'nc' ? process.env['NC'] : undefined;
  if (named !== undefined) return named;
  const found = [relay, ...(relay === 'nc' ? ['busybox'] : [])].map((name) => {
    try {
      return execFileSync('/bin/sh', ['-c', `command -v ${name}`])
        .toString()
        .trim();
    } catch {
      return '';
    }
  });
  return found.find((path) => path !== '' && existsSync(path));
}
