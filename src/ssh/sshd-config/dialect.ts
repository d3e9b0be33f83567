// What differs between sshd releases in how sshd_config is read. Each rule was read in the release's own parser.

export interface Dialect {
  /** Include is a keyword: from 8.2, and in vendor builds that carry it back (RHEL 8 calls itself 8.0), so probe. */
  readonly include: boolean;
  /** Include takes patterns relative to /etc/ssh; 8.2 skips those without a word. */
  readonly relativeInclude: boolean;
  /** An included file makes sshd listen on port 22 as well when Port stands further down: 8.2 and 8.3. */
  readonly includeAddsPort: boolean;
  /** Arguments are split as by a shell, with single quotes and backslashes (8.7); before, only "…" quotes. */
  readonly singleQuotes: boolean;
  /** A # ends the line wherever it stands, quotes included; from 8.7 only where an argument begins. */
  readonly hashCutsAnywhere: boolean;
  /** The criteria of Match are split like any other arguments (9.9); before, by blanks, "…" and =. */
  readonly matchSplitsLikeArguments: boolean;
  /** Bytes in the longest line sshd takes, end of line included: 4094 before 7.8. */
  readonly longestLine: number;
}

/** The dialect of an upstream release, given as [major, minor]. What a probe has found wins: `{...dialectOf(v), include}`. */
export function dialectOf(version: readonly [number, number]): Dialect {
  const since = (major: number, minor: number) =>
    version[0] > major || (version[0] === major && version[1] >= minor);
  return {
    include: since(8, 2),
    relativeInclude: since(8, 3),
    includeAddsPort: since(8, 2) && !since(8, 4),
    singleQuotes: since(8, 7),
    hashCutsAnywhere: !since(8, 7),
    matchSplitsLikeArguments: since(9, 9),
    longestLine: since(7, 8) ? Number.POSITIVE_INFINITY : 4094,
  };
}
