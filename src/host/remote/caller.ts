// Calls of the functions of the shell at the other end (server.ts), each as one line.

/** What a function of the server has said. */
export interface Answer {
  readonly status: number;
  readonly output: Buffer;
  readonly complaints: string;
}

export class Caller {
  readonly #send: (line: string) => Promise<Answer>;

  /** `send` rejects only when the connection is lost, and so do the calls. */
  constructor(send: (line: string) => Promise<Answer>) {
    this.#send = send;
  }

  /** Calls a function with these arguments. */
  call(name: string, ...words: readonly string[]): Promise<Answer> {
    return this.#send(`ask ${name} ${words.map(quoted).join(' ')}\n`);
  }

  /** The same with something on its standard input. */
  feed(input: string | Uint8Array, name: string, ...words: readonly string[]): Promise<Answer> {
    return this.#send(`feed ${quoted(escapeBytes(input))} ${name} ${words.map(quoted).join(' ')}\n`);
  }

  /** Calls a function that answers by itself. */
  command(name: string, ...words: readonly string[]): Promise<Answer> {
    return this.#send(`${name} ${words.map(quoted).join(' ')}\n`);
  }
}

/** For `printf %b`: one line of letters that every shell reads alike. */
export function escapeBytes(content: string | Uint8Array): string {
  const text = typeof content === 'string' ? Buffer.from(content).toString('latin1') : latin1(content);
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped.
    /[\\\x00-\x1f\x7f-\xff]/g,
    (byte) => `\\0${byte.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

/** A word for the server: on one line, in the bytes of its UTF-8. */
function quoted(word: string): string {
  const bytes = Buffer.from(word).toString('latin1');
  return `'${bytes.replaceAll("'", `'\\''`).replaceAll('\n', `'"$n"'`)}'`;
}
