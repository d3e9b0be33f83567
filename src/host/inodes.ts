// Kind, mode and owner of many paths at once. Links are not followed, and no file is read, however large it is.

import type {Host} from './host.js';

export interface Inode {
  readonly kind: 'file' | 'directory' | 'symlink' | 'special';
  /** Permission bits, 0o7777. */
  readonly mode: number;
  readonly uid: number;
}

const SCRIPT = 'for path; do stat -c "%f %u" -- "$path" 2>/dev/null || echo; done';

const KINDS: ReadonlyMap<number, Inode['kind']> = new Map([
  [0o100000, 'file'],
  [0o040000, 'directory'],
  [0o120000, 'symlink'],
]);

/** What is not there, or may not be looked at, is left out. */
export async function inodesOf(host: Host, paths: Iterable<string>): Promise<ReadonlyMap<string, Inode>> {
  const asked = [...new Set(paths)];
  if (asked.length === 0) return new Map();
  const {stdout} = await host.run(['/bin/sh', '-c', SCRIPT, 'sh', ...asked]);
  const lines = stdout.split('\n');
  return new Map(
    asked.flatMap((path, index) => {
      const [, raw = '', uid] = /^([0-9a-f]+) (\d+)$/.exec(lines[index] ?? '') ?? [];
      if (uid === undefined) return [];
      const mode = Number.parseInt(raw, 16);
      const kind = KINDS.get(mode & 0o170000) ?? 'special';
      return [[path, {kind, mode: mode & 0o7777, uid: Number(uid)}] as const];
    }),
  );
}
