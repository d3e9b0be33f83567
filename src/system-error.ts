// Errors of the operating system, as node gives them: `code` is ENOSPC and the like.

/** The error's name (ENOSPC, EACCES …), or undefined when it is not an error of the system. */
export function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** The system's own words without its decoration: "ENOSPC: no space left on device, write" gives the middle part. */
export function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return /^[A-Z0-9]+: ([^,]+)(,|$)/.exec(error.message)?.[1] ?? error.message;
}
