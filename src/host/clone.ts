// What node cannot copy by itself (extended attributes, ACL, SELinux label) is copied by cp.

import {constants} from 'node:fs';
import {chmod, chown, copyFile, lstat, utimes, writeFile} from 'node:fs/promises';
import {runLocally} from './run.js';

// cp's words for errno in the C locale, to give its failures the `code` that a system call would have had.
const CODE_OF: readonly (readonly [string, string])[] = [
  ['No space left on device', 'ENOSPC'],
  ['Disk quota exceeded', 'EDQUOT'],
  ['Permission denied', 'EACCES'],
  ['Operation not permitted', 'EPERM'],
  ['Read-only file system', 'EROFS'],
  ['No such file or directory', 'ENOENT'],
];

/** False when this cp does not know the options (busybox has neither --attributes-only nor --preserve). */
async function coreutilsCp(options: readonly string[], from: string, to: string): Promise<boolean> {
  const {status, stderr} = await runLocally([
    'cp',
    '--no-dereference',
    '--preserve=all',
    ...options,
    '--',
    from,
    to,
  ]);
  if (status === 0) return true;
  if (status === 127 || /(unrecognized|invalid|unknown|illegal) option|usage:/i.test(stderr)) return false;
  const [words, code] = CODE_OF.find(([text]) => stderr.includes(text)) ?? [stderr.trim(), 'EIO'];
  throw Object.assign(new Error(`${code}: ${words.toLowerCase()}, copy '${from}' -> '${to}'`), {code});
}

/** Makes sure of owner and mode: cp says nothing when it may not set the owner. */
async function matchOwnership(from: string, to: string): Promise<void> {
  const [wanted, now] = await Promise.all([lstat(from), lstat(to)]);
  if (wanted.uid !== now.uid || wanted.gid !== now.gid) await chown(to, wanted.uid, wanted.gid);
  await chmod(to, wanted.mode & 0o7777);
}

/**
 * Creates `to`, empty, with the owner, extended attributes and ACL of `from`; writable for its owner until the
 * caller sets the mode. Where cp cannot do it, mode and owner only.
 */
export async function cloneAttributes(from: string, to: string): Promise<void> {
  if (!(await coreutilsCp(['--attributes-only'], from, to)))
    await writeFile(to, '', {flag: 'wx', mode: 0o600});
  await matchOwnership(from, to);
  await chmod(to, 0o600);
}

/** Creates `to` with everything `from` has: bytes, mode, owner, times, extended attributes, ACL. */
export async function clone(from: string, to: string): Promise<void> {
  if (!(await coreutilsCp([], from, to))) {
    await copyFile(from, to, constants.COPYFILE_EXCL);
    await matchOwnership(from, to);
    const {atime, mtime} = await lstat(from);
    await utimes(to, atime, mtime);
    return;
  }
  await matchOwnership(from, to);
}
