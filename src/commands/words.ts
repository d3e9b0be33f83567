// A command as one value of a flag: words between blanks. Quotes of either kind keep blanks; nothing else means
// anything, for no shell will read it.

import {Failure} from '../errors.js';

/** USAGE where a quote is not closed. */
export function splitWords(text: string, flag: string): string[] {
  const words: string[] = [];
  const pattern = /\s*((?:[^\s"']|"[^"]*"|'[^']*')+)\s*/y;
  while (pattern.lastIndex < text.length) {
    const [, word] = pattern.exec(text) ?? [];
    if (word === undefined) {
      if (text.trim() === '') return [];
      throw new Failure('USAGE', `${flag} has a quote that is not closed`, {
        hint: 'write blanks within a word as "two words"',
      });
    }
    words.push(
      word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ''),
    );
  }
  return words;
}
