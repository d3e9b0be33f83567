// A step is plain data: dry-run prints it, --json serialises it, the journal records it, tests compare it.

/** What a path should be after the step; undefined: nothing there. */
export type Target =
  | {
      readonly kind: 'file';
      readonly bytes: Uint8Array;
      readonly mode?: number;
      readonly secret?: boolean;
      /** A file with these bytes of which it becomes a faithful copy: owner, mode, times, attributes, ACL. */
      readonly like?: string;
    }
  | {readonly kind: 'directory'; readonly mode: number; readonly uid?: number; readonly gid?: number};

/**
 * What takes back a command whose effect lasts (a timer that was enabled), while the files it needs are still there
 * and once they are gone. `leave` knows no other commands. Both must work as well where that is done already: a recovery
 * that was cut off gives them again.
 */
export interface Lasting {
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** How the two read to people; without it they are shown word for word. */
  readonly why?: {readonly before?: string; readonly after?: string};
}

export type Step =
  | {
      readonly kind: 'path';
      readonly path: string;
      readonly to: Target | undefined;
      readonly why: string;
      /** The symbolic link that the plan named, when `path` is the real file behind it. Set by `prune`. */
      readonly via?: string;
      /**
       * What the plan was made from: `fingerprint` of what stood at the path. Set by `prune`; `apply` refuses to go
       * over a path that has changed since. A plan that was made from an earlier look says itself what it saw.
       */
      readonly seen?: string;
      /**
       * What of the file that stands there is not ours, where that is not all of it: leaving has to keep no more. 'nothing':
       * the whole path is ours, and nobody has known that.
       */
      readonly theirs?: Uint8Array | 'nothing';
    }
  /**
   * A command that makes the running system take what the files say. `settle` is its inverse, run once every file
   * step of the plan is undone (a reload undone before the files are back would load the new configuration again).
   */
  | {
      readonly kind: 'command';
      readonly argv: readonly string[];
      readonly settle?: readonly string[];
      readonly lasting?: Lasting;
      readonly why: string;
      /** What a person can do when it fails. */
      readonly hint?: string;
    }
  /** A command that must exit 0 for the plan to go on; it changes nothing. */
  | {
      readonly kind: 'check';
      readonly argv: readonly string[];
      readonly why: string;
      readonly hint?: string;
    };

export type PathStep = Extract<Step, {kind: 'path'}>;
export type CommandStep = Extract<Step, {kind: 'command' | 'check'}>;

/** Mode of a new file whose step names none. */
export function modeOfNew(target: Target): number {
  return target.mode ?? (target.kind === 'file' && target.secret ? 0o600 : 0o644);
}
