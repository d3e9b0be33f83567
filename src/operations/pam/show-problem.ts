// What can keep an installed PAM half from working: a closed list, so that scripts can rely on the codes.

const WORDS = {
  PAM_UNUSED: 'unused',
  MODULE_MISSING: 'missing',
  FILE_MISSING: 'missing',
  FILE_CHANGED: 'changed',
  FILE_REPLACED: 'replaced',
  SERVICE_NOT_ASKED: 'not asked',
  LINES_MISSING: 'missing',
  LINES_DAMAGED: 'damaged',
  LINES_MISPLACED: 'misplaced',
  NOT_REACHED: 'not reached',
  LOGINS_DENIED: 'denied',
  SCRIPT_UNUSABLE: 'script',
  HOOK_LEFT_OUT: 'left out',
} as const;

export type PamProblemCode = keyof typeof WORDS;

/** Every code there is, for schemas. */
export const PAM_PROBLEM_CODES = Object.keys(WORDS) as readonly PamProblemCode[];

export interface PamProblem {
  readonly code: PamProblemCode;
  /** One line, lower case, no full stop. */
  readonly message: string;
  /** What to do: a command where there is one. */
  readonly fix: string;
}

export function pamProblem(code: PamProblemCode, message: string, fix: string): PamProblem {
  return {code, message, fix};
}

export function pamWordOf({code}: PamProblem): string {
  return WORDS[code];
}

export function isPamProblemCode(code: string): code is PamProblemCode {
  return Object.hasOwn(WORDS, code);
}
