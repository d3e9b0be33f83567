// The journal of one transaction: a line before and after each step, flushed. It names hashes, never content.

import type {Host} from '../host/host.js';
import type {DataDirectory} from './data-directory.js';
import {type State, sha256} from './state.js';
import type {CommandStep, PathStep, Target} from './step.js';

/** Version of the journal and of the ownership record. A newer one is left to the newer program. */
export const FORMAT = 1;

/** Data of the caller that survives JSON. No secrets. */
export type Plain = null | boolean | number | string | readonly Plain[] | {readonly [key: string]: Plain};
export type Settings = {readonly [key: string]: Plain};

/** How an ownership ends. */
export interface Ending {
  /** The transaction that the record had merged last when the plan was made. */
  readonly transaction: string;
  /** The data directory and those of its parents that were made for it, outermost first: they go as well. */
  readonly made: readonly string[];
  /** Names in `saved/` of copies that could not be put back, and whose owner may want them. */
  readonly keep: readonly string[];
}

export interface Header {
  readonly version: number;
  /** Tells this transaction from every other. */
  readonly id: string;
  /** What the user asked for, e.g. "join openssh". */
  readonly operation: string;
  /** When it began, ISO 8601. */
  readonly at: string;
  readonly host: string;
  readonly settings: Settings;
  /** Present when there is no ownership any more once this transaction is committed. */
  readonly ends?: Ending;
  /** Every `settle` of the plan: after a reboot the system has taken the new files without our command. */
  readonly settle: readonly (readonly string[])[];
}

export type RecordedTarget =
  | {readonly kind: 'file'; readonly sha256: string; readonly size: number; readonly mode?: number}
  | {readonly kind: 'directory'; readonly mode: number}
  | null;

/** A path step that was begun. */
export interface BegunPath {
  readonly path: string;
  readonly via?: string;
  readonly why: string;
  readonly to: RecordedTarget;
  readonly before: State;
  /** Name in `saved/` of the faithful copy, where `before` is a file. */
  readonly saved?: string;
  /** What `before` comes to without what is ours in it, null when all of it is; absent: nothing is. */
  readonly theirs?: {readonly size: number; readonly sha256: string} | null;
  /** What stood there once the step was done; missing when it was interrupted. */
  readonly after?: State;
}

type Line =
  | ({readonly line: 'header'} & Header)
  | ({readonly line: 'begin'; readonly index: number} & ({readonly step: CommandStep} | BegunPath))
  | {readonly line: 'done'; readonly index: number; readonly after?: State}
  | {readonly line: 'note'; readonly data: Settings}
  | {readonly line: 'commit'};

/** What a journal says. */
export interface Journal {
  readonly header: Header;
  readonly paths: readonly BegunPath[];
  readonly commands: readonly CommandStep[];
  readonly notes: readonly Settings[];
  readonly committed: boolean;
}

/** A target cut down to what tells whether it is there. */
function recorded(to: Target | undefined): RecordedTarget {
  if (to === undefined) return null;
  if (to.kind === 'directory') return to;
  const mode = to.mode === undefined ? {} : {mode: to.mode};
  return {kind: 'file', sha256: sha256(to.bytes), size: to.bytes.length, ...mode};
}

function hashed(theirs: Uint8Array | 'nothing'): NonNullable<BegunPath['theirs']> | null {
  return theirs === 'nothing' ? null : {size: theirs.length, sha256: sha256(theirs)};
}

export function begunPath(step: PathStep, before: State, saved: string | undefined): BegunPath {
  const {path, via, why, to, theirs} = step;
  return {
    path,
    ...(via === undefined ? {} : {via}),
    why,
    to: recorded(to),
    before,
    ...(saved === undefined ? {} : {saved}),
    ...(theirs === undefined ? {} : {theirs: hashed(theirs)}),
  };
}

/** Writes the journal; what it has written can be read from it without going to the disk. */
export class JournalWriter {
  readonly #paths = new Map<number, BegunPath>();
  readonly #commands: CommandStep[] = [];
  readonly #notes: Settings[] = [];
  readonly #unsaid: Line[] = [];
  #index = 0;
  #committed = false;

  readonly #host: Host;
  readonly file: string;
  readonly #header: Header;

  constructor(host: Host, directory: DataDirectory, header: Header) {
    this.#host = host;
    this.file = directory.journal;
    this.#header = header;
  }

  start(): Promise<void> {
    return this.#append({line: 'header', ...this.#header});
  }

  /** Flushed before the path is touched. Gives the number of the step, for `done`. */
  async beginPath(path: BegunPath): Promise<number> {
    const index = this.#index++;
    await this.#append({line: 'begin', index, ...path});
    this.#paths.set(index, path);
    return index;
  }

  async beginCommand(step: CommandStep): Promise<number> {
    const index = this.#index++;
    await this.#append({line: 'begin', index, step});
    this.#commands.push(step);
    return index;
  }

  /**
   * A step is done. Said with the next line: it saves a flush, and nothing depends on it, for undoing goes by what stands at a
   * path. Before the commit every step has to be done.
   */
  done(index: number, after?: State): void {
    this.#unsaid.push({line: 'done', index, ...(after === undefined ? {} : {after})});
    const begun = this.#paths.get(index);
    if (begun !== undefined && after !== undefined) this.#paths.set(index, {...begun, after});
  }

  async note(data: Settings): Promise<void> {
    await this.#append({line: 'note', data});
    this.#notes.push(data);
  }

  async commit(): Promise<void> {
    await this.#append({line: 'commit'});
    this.#committed = true;
  }

  get journal(): Journal {
    return {
      header: this.#header,
      paths: [...this.#paths.values()],
      commands: this.#commands,
      notes: this.#notes,
      committed: this.#committed,
    };
  }

  async #append(line: Line): Promise<void> {
    const lines = [...this.#unsaid, line];
    const {length} = this.#unsaid;
    await this.#host.append(this.file, lines.map((one) => `${JSON.stringify(one)}\n`).join(''));
    this.#unsaid.splice(0, length);
  }
}
