// A main file with what it includes, and the settings in the order in which sshd reads them.
import {posix} from 'node:path';
import type {Dialect} from './dialect.js';
import {type Line, parseConfig, textOf, withoutEnd} from './file.js';
import {byPath, matchesGlob} from './glob.js';

/** The files sshd reads, by absolute path as sshd names them (symbolic links unresolved). */
export interface Tree {
  /** The file sshd is started with: -f, or /etc/ssh/sshd_config. */
  readonly main: string;
  /** Where the bytes of `main` really lie when it is a symbolic link. */
  readonly mainTarget?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Directories known to exist; those of `files` exist anyway. */
  readonly directories?: ReadonlySet<string>;
}

/** A Match block; `within` is the block whose Include brought in the file this one stands in: both must match. */
export interface Scope {
  /** The words after Match, with single blanks; `all` in lower case. */
  readonly criteria: string;
  readonly file: string;
  readonly line: number;
  readonly within?: Scope;
}

export interface Setting {
  /** In lower case, as written (an old name stays; compare by `canonicalKeyword`). */
  readonly keyword: string;
  readonly args: readonly string[];
  /** The line without its end. */
  readonly raw: string;
  readonly file: string;
  readonly line: number;
  /** The Match block it stands in; undefined: global. */
  readonly scope: Scope | undefined;
}

/** A line that makes sshd refuse the configuration. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly message: string;
  readonly raw: string;
}

/** Relative patterns mean this directory, wherever the file lies. */
const SYSTEM_DIRECTORY = '/etc/ssh';

/** How deep sshd follows Include. */
const DEEPEST = 16;

/** Far more files than any host has: stops a tree that fans out without end. */
const MOST_READS = 2000;

/** Every pattern that the Include lines of a file name, absolute, in order: what a reader has to expand next. */
export function includePatterns(bytes: Uint8Array, dialect: Dialect): string[] {
  return parseConfig(bytes, dialect).lines.flatMap((line) => patternsOf(line, dialect));
}

/** The patterns of one line. A tilde is not expanded: such a pattern finds nothing. */
export function patternsOf(line: Line, dialect: Dialect): string[] {
  if (line.keyword !== 'include') return [];
  const usable = line.args.filter(
    (arg) => arg.startsWith('/') || (dialect.relativeInclude && !arg.startsWith('~')),
  );
  return usable.map((arg) => posix.normalize(posix.resolve(SYSTEM_DIRECTORY, textOf(arg))));
}

/** Every Include line of a file, with its patterns. */
export function includeLines(
  bytes: Uint8Array,
  dialect: Dialect,
): {readonly line: number; readonly raw: string; readonly patterns: readonly string[]}[] {
  return parseConfig(bytes, dialect)
    .lines.filter((line) => line.keyword === 'include')
    .map((line) => ({line: line.number, raw: withoutEnd(line.raw), patterns: patternsOf(line, dialect)}));
}

/** The files of the tree that a pattern names, in the order in which sshd reads them. */
export function filesOf(tree: Tree, pattern: string): string[] {
  return [...tree.files.keys()].filter((path) => matchesGlob(pattern, path)).sort(byPath);
}

/** All settings, global and in Match blocks, in the order in which sshd reads them; Match and Include are resolved. */
export function settings(tree: Tree, dialect: Dialect): Setting[] {
  return new Reading(tree, dialect).settings;
}

/** The lines for which sshd will refuse the tree, as far as this model can know: values are not judged. */
export function problems(tree: Tree, dialect: Dialect): Problem[] {
  return new Reading(tree, dialect).problems;
}

/** One pass over a tree as sshd makes it. */
class Reading {
  readonly settings: Setting[] = [];
  readonly problems: Problem[] = [];
  readonly #open: string[] = [];
  #reads = 0;

  constructor(
    readonly tree: Tree,
    readonly dialect: Dialect,
  ) {
    this.#read(tree.main, undefined);
  }

  /** A Match ends with its file, and the file stays within the block it was included from. */
  #read(file: string, within: Scope | undefined): void {
    this.#open.push(file);
    let scope = within;
    for (const line of parseConfig(this.tree.files.get(file) ?? new Uint8Array(), this.dialect).lines) {
      if (line.problem !== undefined) this.#report(file, line, line.problem);
      if (line.keyword === undefined) continue;
      if (line.keyword === 'match') scope = scopeOf(line, file, within);
      else if (line.keyword === 'include') this.#include(file, line, scope);
      else this.settings.push(settingOf(line, line.keyword, file, scope));
    }
    this.#open.pop();
  }

  #include(file: string, line: Line, scope: Scope | undefined): void {
    for (const path of patternsOf(line, this.dialect).flatMap((pattern) => filesOf(this.tree, pattern))) {
      this.#reads += 1;
      if (this.#open.includes(path)) this.#report(file, line, `Include loops: ${path} is being read already`);
      else if (this.#open.length > DEEPEST)
        this.#report(file, line, 'too many recursive configuration includes');
      else if (this.#reads > MOST_READS) this.#report(file, line, 'Include brings in too many files');
      else this.#read(path, scope);
    }
  }

  #report(file: string, line: Line, message: string): void {
    const last = this.problems.at(-1);
    if (last?.file === file && last.line === line.number && last.message === message) return;
    this.problems.push({file, line: line.number, message, raw: withoutEnd(line.raw)});
  }
}

function scopeOf(line: Line, file: string, within: Scope | undefined): Scope {
  const criteria = line.args.length === 1 ? (line.args[0] ?? '').toLowerCase() : line.args.join(' ');
  return {criteria, file, line: line.number, ...(within && {within})};
}

function settingOf(line: Line, keyword: string, file: string, scope: Scope | undefined): Setting {
  return {keyword, args: line.args, raw: withoutEnd(line.raw), file, line: line.number, scope};
}
