/** A server's words, fit for one line of a terminal: no control characters, no great length. */
export function oneLine(text: string, longest = 500): string {
  const line = text.trim().replace(/\s*\n\s*/g, ', ');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return line.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?').slice(0, longest);
}
