// Errors of the system in words that say what to do.

import {Failure} from '../errors.js';
import {codeOf, wordsOf} from '../system-error.js';

const HINT_OF: Readonly<Record<string, string>> = {
  EACCES: 'run it as root, for example with sudo',
  EPERM:
    "is the file immutable or append-only (`lsattr`)? that is somebody's decision, so the flag is left alone",
  EROFS: 'the file system is mounted read-only',
  ENOSPC: 'free some space on that file system',
  EDQUOT: 'free some space: the quota is used up',
  ENOTDIR: 'something that is no directory stands where one should be',
};

const ANY_HINT = 'see what is wrong there, then run this again';

/** An error of the system as a Failure that names what was being done; anything else unchanged. */
export function inWords(error: unknown, doing: string): unknown {
  const code = codeOf(error);
  if (error instanceof Failure || code === undefined) return error;
  return new Failure('HOST_UNSUITABLE', `cannot ${doing}: ${wordsOf(error)}`, {
    cause: error,
    hint: HINT_OF[code] ?? ANY_HINT,
  });
}

/** What could not be put back, and what a person can do about it. */
export interface Problem {
  readonly reason: string;
  readonly remedy: string;
  /** True when it was left alone on purpose: somebody else has changed it. */
  readonly foreign: boolean;
  /** Name in `saved/` of what was there before. */
  readonly saved?: string;
}

export function restoreIncomplete(problems: readonly Problem[], journal: string, cause?: unknown): Failure {
  const what = problems.length === 1 ? '1 thing' : `${problems.length} things`;
  const why = cause === undefined ? 'an interrupted run cannot be undone' : wordsOf(cause);
  return new Failure('RESTORE_INCOMPLETE', `${why}; ${what} could not be put back`, {
    detail: problems.map(({reason, remedy}) => `${reason}\n  ${remedy}`).join('\n'),
    hint:
      'remove the cause and run any agentless command: it goes on restoring. ' +
      `Or do by hand what is listed, then remove ${journal}`,
    ...(cause === undefined ? {} : {cause}),
  });
}

/**
 * What a failed transaction ends with once everything is back. If nothing had been changed, the error itself; else
 * CHANGE_FAILED with the words, hint and detail of the error, which is its cause.
 */
export function afterRestore(error: unknown, changed: boolean, interrupted: boolean): unknown {
  if (interrupted) {
    const what = changed ? 'everything is as it was before' : 'nothing was changed';
    return new Failure('INTERRUPTED', `interrupted; ${what}`, {cause: error, restored: changed});
  }
  if (!changed) return error;
  const {hint, detail} = error instanceof Failure ? error : {};
  return new Failure('CHANGE_FAILED', wordsOf(error), {
    cause: error,
    restored: true,
    ...(hint === undefined ? {} : {hint}),
    ...(detail === undefined ? {} : {detail}),
  });
}
