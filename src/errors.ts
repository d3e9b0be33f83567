// The one error class. Everything a user can meet has a code from this closed list; anything else that
// reaches the top is a bug and says so.

/** Exit codes are a contract with scripts: see README, "Exit codes". */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  drift: 3,
  refused: 4,
  unreachable: 5,
  unsuitable: 6,
  restored: 7,
  unrestored: 8,
  interrupted: 130,
} as const;

const EXIT_OF = {
  USAGE: EXIT.usage,
  NOT_JOINED: EXIT.drift,
  TOKEN_REFUSED: EXIT.refused,
  ROLE_REFUSED: EXIT.refused,
  REQUEST_REFUSED: EXIT.refused,
  VERSION_UNSUPPORTED: EXIT.refused,
  NODE_EXISTS: EXIT.refused,
  CLUSTER_UNREACHABLE: EXIT.unreachable,
  CLUSTER_BUSY: EXIT.unreachable,
  CLUSTER_UNTRUSTED: EXIT.unreachable,
  CLUSTER_REPLY_INVALID: EXIT.unreachable,
  HOST_UNSUITABLE: EXIT.unsuitable,
  HOST_LOCKED: EXIT.unsuitable,
  HOST_UNREACHABLE: EXIT.unsuitable,
  SSHD_CONFIG_INVALID: EXIT.unsuitable,
  REHEARSAL_FAILED: EXIT.unsuitable,
  CHANGE_FAILED: EXIT.restored,
  RESTORE_INCOMPLETE: EXIT.unrestored,
  INTERRUPTED: EXIT.interrupted,
} as const satisfies Record<string, number>;

export type FailureCode = keyof typeof EXIT_OF;

export interface FailureDetails {
  /** What to do about it; lines become one `hint:` block. */
  readonly hint?: string;
  /** Somebody else's words, verbatim (sshd's with file and line), shown under the error line. */
  readonly detail?: string;
  readonly cause?: unknown;
  /** True once something on the host was changed and has been put back. */
  readonly restored?: boolean;
  /** True where something was changed before, is right, and stays. */
  readonly changed?: boolean;
}

/**
 * A failure that a user can understand and act on. `message` is one line, lower case, no full stop.
 * oclif 4 reads `exitCode` under --json and `oclif.exit` otherwise, so both are there.
 */
export class Failure extends Error {
  readonly code: FailureCode;
  readonly hint: string | undefined;
  readonly detail: string | undefined;
  readonly restored: boolean;
  readonly changed: boolean;
  readonly exitCode: number;
  readonly oclif: {readonly exit: number};

  constructor(code: FailureCode, message: string, details: FailureDetails = {}) {
    super(message, details.cause === undefined ? undefined : {cause: details.cause});
    this.name = 'Failure';
    this.code = code;
    this.hint = details.hint ?? (code === 'INTERRUPTED' ? 'run it again to begin anew' : undefined);
    // sshd ends its lines with CR LF.
    const detail = details.detail?.replaceAll('\r\n', '\n');
    this.detail = detail?.trim() === '' ? undefined : detail;
    this.restored = details.restored ?? false;
    this.changed = details.changed ?? false;
    this.exitCode = EXIT_OF[code];
    this.oclif = {exit: this.exitCode};
  }
}

/** For a `catch` that goes on with what a user can understand; anything else is thrown. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

/** A value that must not be seen: it prints as [secret] in strings, JSON and inspect. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[secret]';
  }
}
