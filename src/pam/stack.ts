// A PAM service file such as /etc/pam.d/sshd as lines that keep every byte. Text is latin-1: one character per byte.
// What a line means is Linux-PAM's _pam_parse_conf_file in libpam/pam_handlers.c, and for @include Debian's patch to it.
import {ALWAYS_BAD, type Control, isMisread, readControl} from './control.js';
import {assemble, type LogicalLine} from './lines.js';
import {splitWords} from './words.js';

export const TYPES = ['auth', 'account', 'password', 'session'] as const;

export type Type = (typeof TYPES)[number];

/** A rule that calls a module. */
export interface Rule {
  readonly kind: 'rule';
  readonly type: Type;
  /** A `-` in front of the type: a module that is not there is not logged. It is a failed module all the same. */
  readonly silent: boolean;
  readonly control: Control;
  /** As written: a path, or a name that PAM looks for in its own folder; `.so` is part of it. */
  readonly module: string;
  readonly args: readonly string[];
}

/** Other rules, read from another file. */
export interface Include {
  readonly kind: 'include';
  /** A `substack` counts as one rule for jumps, and `done` and `die` end no more than it. */
  readonly how: 'include' | 'substack' | '@include';
  /** Undefined for @include, which takes in the rules of every type. */
  readonly type: Type | undefined;
  /** As written: a path, or the name of a service. */
  readonly service: string;
}

/** A line that is no rule. PAM puts one in its place that always fails. */
export interface Broken {
  readonly kind: 'broken';
  /** The stack it stands in; undefined where no type can be read: PAM then takes the most sensitive one at hand. */
  readonly type: Type | undefined;
  readonly control: Control;
  /** In lower case, one line. */
  readonly problem: string;
  /** PAM gives up the whole file for this line, and with it every login. */
  readonly rejectsFile?: true;
}

export type Content = {readonly kind: 'blank'} | {readonly kind: 'comment'} | Rule | Include | Broken;

export interface Line {
  /** Of its first physical line, counted from 1. */
  readonly number: number;
  /** Every byte of it, continuation lines and ends of line included. */
  readonly raw: string;
  readonly content: Content;
}

export interface Stack {
  readonly lines: readonly Line[];
}

/** Reads a service file. Any text at all can be read, and `serializeStack` gives it back. */
export function parseStack(text: string): Stack {
  return {
    lines: assemble(text).map((line) => ({number: line.number, raw: line.raw, content: readContent(line)})),
  };
}

/** The text a stack was read from. */
export function serializeStack(stack: Stack): string {
  return stack.lines.map(({raw}) => raw).join('');
}

/** The names and paths a stack includes, each once, as written. Whoever wants to know what PAM does reads these too. */
export function serviceIncludes(stack: Stack): string[] {
  const names = stack.lines.flatMap(({content}) => (content.kind === 'include' ? [content.service] : []));
  return [...new Set(names)];
}

function readContent({raw, text, problem, rejectsFile}: LogicalLine): Content {
  if (problem !== undefined) {
    return {kind: 'broken', type: undefined, control: ALWAYS_BAD, problem, ...(rejectsFile && {rejectsFile})};
  }
  if (text === '') return raw.includes('#') ? {kind: 'comment'} : {kind: 'blank'};
  return readRule(splitWords(text));
}

function readRule([first = '', word, target, ...args]: readonly string[]): Content {
  const name = first.replace(/^-/, '').toLowerCase();
  if (name === '@include') return readInclude('@include', undefined, word);
  const type = TYPES.find((known) => known === name);
  const broken = (problem: string) => brokenRule(type, word, target, problem);
  if (type === undefined) return broken(`"${shown(first)}" is no type of rule`);
  if (word === undefined) return broken('no control');
  const how = word.toLowerCase();
  if (how === 'include' || how === 'substack') return readInclude(how, type, target);
  const control = readControl(word);
  if (isMisread(control)) return broken(control.problem);
  if (target === undefined) return broken('no module');
  if (target.includes('\r')) return broken(carriageReturn(target));
  if (isNameless(target)) return broken(`"${shown(target)}" names no module`);
  return {kind: 'rule', type, silent: first.startsWith('-'), control, module: target, args};
}

function readInclude(how: Include['how'], type: Type | undefined, service: string | undefined): Content {
  const broken = (problem: string) => brokenRule(type, undefined, service, problem);
  if (service === undefined) return broken(`${how} without a name`);
  if (service.includes('\r')) return broken(carriageReturn(service));
  if (how === 'substack' && isNameless(service)) return broken(`"${shown(service)}" names no file`);
  return {kind: 'include', how, type, service};
}

/** The rule that PAM makes of the line has the control it names, and a module that always fails. */
function brokenRule(
  type: Type | undefined,
  word: string | undefined,
  target: string | undefined,
  problem: string,
): Broken {
  const read = readControl(word ?? '');
  const control = isMisread(read) ? read.control : read;
  return {
    kind: 'broken',
    type,
    control,
    problem,
    ...(target !== undefined && isNameless(target) && {rejectsFile: true}),
  };
}

/** PAM logs a module under the last part of its path, without what follows the last dot, and insists on a name. */
function isNameless(path: string): boolean {
  return /(^|\/)\??(\.[^./]*)?$/.test(path);
}

/** No file is called that: the line ends in CR LF, and PAM knows no line end but LF. */
function carriageReturn(word: string): string {
  return `pam takes the carriage return at the end for a part of "${shown(word)}"`;
}

function shown(word: string): string {
  return word.replace(/[^\x20-\x7e]/g, (c) => (c === '\r' ? '' : '?'));
}
