// What programs of a remote host say when the system refuses something, as the error that a system call would have been.

import type {Answer} from './caller.js';

/** Words in the C locale; dash and busybox have some of their own. */
const CODE_OF: readonly (readonly [RegExp, string, string])[] = [
  [/No space left on device/, 'ENOSPC', 'no space left on device'],
  [/Disk quota exceeded/, 'EDQUOT', 'disk quota exceeded'],
  [/Permission denied/, 'EACCES', 'permission denied'],
  [/Operation not permitted/, 'EPERM', 'operation not permitted'],
  [/Read-only file system/, 'EROFS', 'read-only file system'],
  [/Directory not empty/, 'ENOTEMPTY', 'directory not empty'],
  [
    /No such file or directory|nonexistent directory|Directory nonexistent/,
    'ENOENT',
    'no such file or directory',
  ],
  [/Not a directory/, 'ENOTDIR', 'not a directory'],
  [/^EISDIR|Is a directory/, 'EISDIR', 'is a directory'],
  [/File exists/, 'EEXIST', 'file already exists'],
  [/^EINVAL/, 'EINVAL', 'is not a regular file'],
  [/^EFBIG/, 'EFBIG', 'file too large'],
  [/Too many levels of symbolic links/, 'ELOOP', 'too many symbolic links'],
];

/** Throws what a function of the server says that the system has refused. */
export function check({status, complaints}: Answer, doing: string, path: string): void {
  if (status !== 0) throw systemError(complaints, doing, path);
}

/** An Error with `code`, in Node's form: "ENOSPC: no space left on device, write '/etc/x'". */
function systemError(complaints: string, doing: string, path: string): Error {
  const [, code, words] = CODE_OF.find(([pattern]) => pattern.test(complaints)) ?? [
    undefined,
    'EIO',
    complaints.trim() || 'it did not work and nothing was said',
  ];
  return Object.assign(new Error(`${code}: ${words}, ${doing} '${path}'`), {code, path});
}
