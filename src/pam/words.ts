// How Linux-PAM takes a rule apart (_pam_tokenize in libpam/pam_misc.c): blanks separate words, and a word that begins
// with [ goes on to the next ], blanks included. A carriage return is no blank: it is part of the word it stands at.

/** The words of a rule without comment; brackets are stripped, `\]` inside them stands for `]`. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  for (let at = skipBlanks(text, 0); at < text.length; ) {
    const word = text[at] === '[' ? bracketed(text, at + 1) : plain(text, at);
    words.push(word.value);
    at = skipBlanks(text, word.end);
  }
  return words;
}

interface Word {
  readonly value: string;
  /** Where the text goes on. */
  readonly end: number;
}

/** An open bracket that is never closed takes the rest. */
function bracketed(text: string, from: number): Word {
  let value = '';
  let at = from;
  for (; at < text.length && text[at] !== ']'; at += 1) {
    if (text[at] === '\\' && text[at + 1] === ']') at += 1;
    value += text[at];
  }
  return {value, end: at + 1};
}

function plain(text: string, from: number): Word {
  let end = from;
  while (end < text.length && !isBlank(text[end])) end += 1;
  return {value: text.slice(from, end), end};
}

function skipBlanks(text: string, from: number): number {
  let at = from;
  while (isBlank(text[at])) at += 1;
  return at;
}

function isBlank(c: string | undefined): boolean {
  return c === ' ' || c === '\t' || c === '\n';
}
