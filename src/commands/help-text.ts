// How help reads: as wide as the terminal, and each example as it is typed.

interface Described {
  description?: string | undefined;
  examples?: unknown;
}

/** Takes the breaks of the source out of a text, but for those between paragraphs: oclif breaks it to the terminal's width. */
export function unwrapped(text: string): string {
  return text.replace(/(?<!\n)\n(?!\n)/g, ' ');
}

/** oclif marks only those examples as commands that begin with the program's name. */
function marked(example: unknown): unknown {
  return typeof example === 'string' && !example.startsWith('<%= config.bin %>') ? `$ ${example}` : example;
}

export function makeReadable(commands: readonly Described[]): void {
  for (const command of commands) {
    if (command.description !== undefined) command.description = unwrapped(command.description);
    if (Array.isArray(command.examples)) command.examples = command.examples.map(marked);
  }
}
