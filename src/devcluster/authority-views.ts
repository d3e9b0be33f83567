// The authorities as the parts of a running cluster see them. A change is stored at once, and seen up to a second later,
// not at the same moment by every part: what is told and trusted, what signs, what Auth itself presents. Changes are
// seen in their order, and each by all parts before anybody sees the next.

import type {Authorities} from './authority.js';
import type {AuthorityChange} from './authority-files.js';

/** Milliseconds from a change until it is seen, from and to, as measured on 18.0.0. */
const LAG = {
  /** GetCertAuthority, the exports, and which client certificates Auth takes. */
  read: [100, 970],
  /** Joins and GenerateHostCerts. */
  sign: [320, 940],
  /** The certificate that Auth presents. */
  serve: [400, 780],
} as const;

export type View = keyof typeof LAG;

type Times = Readonly<Record<View, number>>;

const AT_ONCE: Times = {read: 0, sign: 0, serve: 0};

interface Seen {
  readonly authorities: Authorities;
  readonly from: Times;
}

export interface AuthorityViewsOptions {
  readonly lag: boolean;
  /** The change of that number, once it has been made. */
  readonly change: (number: number) => AuthorityChange | undefined;
  readonly now?: () => number;
}

export class AuthorityViews {
  readonly #options: AuthorityViewsOptions;
  #latest: Pick<AuthorityChange, 'number' | 'authorities'>;
  #seen: readonly Seen[];

  /** `changes` have led to these authorities, and everybody sees them. */
  constructor(authorities: Authorities, changes: number, options: AuthorityViewsOptions) {
    this.#options = options;
    this.#latest = {number: changes, authorities};
    this.#seen = [{authorities, from: AT_ONCE}];
  }

  /** Without lag. */
  stored(): Authorities {
    this.#lookForChanges();
    return this.#latest.authorities;
  }

  as(view: View): Authorities {
    this.#lookForChanges();
    const now = this.#options.now?.() ?? Date.now();
    const current = this.#seen.findLast(({from}) => from[view] <= now);
    return (current ?? this.#seen[0])?.authorities ?? this.#latest.authorities;
  }

  #lookForChanges(): void {
    const {change, lag} = this.#options;
    for (;;) {
      const next = change(this.#latest.number + 1);
      if (next === undefined) return;
      const before = this.#seen.at(-1)?.from ?? AT_ONCE;
      const from = lag ? later(next.since, Math.max(...Object.values(before))) : AT_ONCE;
      this.#latest = next;
      // Whoever asks is at most a second behind: what came before the last few is seen by nobody.
      this.#seen = [...this.#seen, {authorities: next.authorities, from}].slice(-LONGEST);
    }
  }
}

/** A rotation has five phases; more changes than that do not fit into a second. */
const LONGEST = 16;

function later(since: number, earliest: number): Times {
  const at = ([least, most]: readonly [number, number]) =>
    Math.max(earliest, since + least + Math.random() * (most - least));
  return {read: at(LAG.read), sign: at(LAG.sign), serve: at(LAG.serve)};
}
