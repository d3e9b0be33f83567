// Lines of a file exchanged for others, or for none; every other byte stays.
import {bytesOf, latin1, lineEnd, rawOf, splitLines} from './file.js';

/** New lines, without end of line, by the number of the line whose place they take. */
export type Edits = ReadonlyMap<number, readonly string[]>;

/** The file's own end of line is used. */
export function editLines(bytes: Uint8Array, edits: Edits): Uint8Array {
  const text = latin1(bytes);
  const end = lineEnd(text);
  const lines = splitLines(text).map((raw, index) => {
    const instead = edits.get(index + 1);
    return instead === undefined ? raw : instead.map((line) => rawOf(line) + end).join('');
  });
  return bytesOf(lines.join(''));
}
