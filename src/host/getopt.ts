// The options on a command line of sshd(8), read as its getopt does.

export interface Option {
  readonly letter: string;
  /** The word that belongs to it, attached or the next one; "" for a letter that takes none. */
  readonly value: string;
}

/** Letters that take a word, in every release from 7.2 on. */
const WITH_WORD = 'CEbcfghkopu';

/** Options in their order; several letters may share a word, and the first word that is no option ends them. */
export function readOptions(argv: readonly string[]): Option[] {
  const options: Option[] = [];
  for (let index = 1; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (!/^-./.test(word) || word === '--') break;
    for (let at = 1; at < word.length; at += 1) {
      const letter = word.charAt(at);
      if (!WITH_WORD.includes(letter)) {
        options.push({letter, value: ''});
        continue;
      }
      const attached = word.slice(at + 1);
      options.push({letter, value: attached === '' ? (argv[++index] ?? '') : attached});
      break;
    }
  }
  return options;
}

/**
 * Words of a command line that has been joined by blanks. sshd takes nothing but options, so a bare word that no letter
 * asks for goes on with the word before it.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  for (const word of line.split(' ')) {
    const last = words.at(-1);
    if (last === undefined || word.startsWith('-') || asksForWord(last)) words.push(word);
    else words[words.length - 1] = `${last} ${word}`;
  }
  return words;
}

function asksForWord(word: string): boolean {
  const last = readOptions(['', word]).at(-1);
  return last !== undefined && WITH_WORD.includes(last.letter) && last.value === '';
}
