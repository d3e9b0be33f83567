// One configuration file as lines that keep every byte. Nothing here decodes or re-encodes: text is latin-1.
import type {Dialect} from './dialect.js';
import {readDirective} from './words.js';

/** One line of a file. `raw` includes its end of line; a byte order mark belongs to the first line. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  readonly raw: string;
  /** In lower case; undefined for a comment, a blank line and a line that cannot be read. */
  readonly keyword?: string;
  /** Without quotes; one character per byte (see `textOf`). */
  readonly args: readonly string[];
  /** Why sshd refuses this line. */
  readonly problem?: string;
}

export interface ConfigFile {
  readonly lines: readonly Line[];
}

const BYTE_ORDER_MARK = '\xef\xbb\xbf';

/** Reads a file as sshd of this dialect does. Any bytes at all can be read, and `serialize` gives them back. */
export function parseConfig(bytes: Uint8Array, dialect: Dialect): ConfigFile {
  // sshd forgets the rest of a line after a NUL byte, the line end included, so the next line is glued on.
  let glued = '';
  const lines = splitLines(latin1(bytes)).map((raw, index): Line => {
    const base = {number: index + 1, raw, args: []};
    // Unless sshd passes the line over (an unfinished quote in the keyword), the mark is part of an unknown keyword.
    if (index === 0 && raw.startsWith(BYTE_ORDER_MARK) && readDirective(withoutEnd(raw), dialect)) {
      return {...base, problem: 'the file begins with a byte order mark'};
    }
    if (raw.length > dialect.longestLine) return {...base, problem: 'line too long'};
    const nul = raw.indexOf('\0');
    const text = glued + withoutEnd(nul < 0 ? raw : raw.slice(0, nul)).replace(/^[ \t\r]+/, '');
    const goesOn = nul >= 0 && !(dialect.hashCutsAnywhere && text.includes('#'));
    glued = goesOn ? text : '';
    return goesOn ? base : {...base, ...readDirective(text, dialect)};
  });
  const last = lines.at(-1);
  if (glued !== '' && last !== undefined)
    lines[lines.length - 1] = {...last, ...readDirective(glued, dialect)};
  return {lines};
}

/** The bytes a file was read from. */
export function serialize(file: ConfigFile): Uint8Array {
  return bytesOf(file.lines.map((line) => line.raw).join(''));
}

/** Text in lines, each with its \n where it has one. A lone \r ends no line for sshd. */
export function splitLines(text: string): string[] {
  const lines: string[] = [];
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from);
    const to = end < 0 ? text.length : end + 1;
    lines.push(text.slice(from, to));
    from = to;
  }
  return lines;
}

/** A line without its \n or \r\n. */
export function withoutEnd(raw: string): string {
  return raw.replace(/\r?\n$/, '');
}

/** The end of line a file uses, judged by its first line. */
export function lineEnd(text: string): '\n' | '\r\n' {
  return /^[^\n]*\r\n/.test(text) ? '\r\n' : '\n';
}

/** Bytes as text, one character per byte. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** The bytes of text that has one character per byte. */
export function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'));
}

/** An argument as people wrote it, for paths and messages: its bytes read as UTF-8. */
export function textOf(argument: string): string {
  return Buffer.from(argument, 'latin1').toString('utf8');
}

/** The inverse of `textOf`: text of ours on its way into a configuration file. */
export function rawOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
