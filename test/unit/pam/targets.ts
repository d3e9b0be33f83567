// Files for our lines to include.

const rules = (...lines: readonly string[]) =>
  ['account', 'session'].map((type) => lines.map((line) => `${type} ${line}\n`).join('')).join('');

/** Speaks for no login but where it is the service itself. */
export const SILENT = rules(
  '[default=ignore] pam_exec.so quiet /x',
  '[success=ignore default=1] pam_succeed_if.so quiet service = teleport',
  'required pam_permit.so',
);

/** The same, with a script that may deny a login. */
export const STRICT = SILENT.replaceAll('[default=ignore]', '[success=ignore default=bad]');

/** Speaks for every login. */
export const PLAIN = rules('optional pam_exec.so quiet /x', 'required pam_permit.so');
