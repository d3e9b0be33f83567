// Header fields for gRPC. The global Headers of Node brings in all of fetch with it, its HTTP parser included: 20 ms and
// 5 MiB at every start, for a map of lower-case names.

type Fields = Iterable<readonly [string, string]> | Readonly<Record<string, string>>;

/** The part of the Headers interface of fetch that the gRPC library uses; fields come in order of their names. */
export class PlainHeaders {
  readonly #fields = new Map<string, string>();

  constructor(fields: Fields = []) {
    const entries = Symbol.iterator in fields ? fields : Object.entries(fields);
    for (const [name, value] of entries as Iterable<readonly [string, string]>) this.append(name, value);
  }

  append(name: string, value: string): void {
    const before = this.get(name);
    this.#fields.set(name.toLowerCase(), before === null ? trimmed(value) : `${before}, ${trimmed(value)}`);
  }

  delete(name: string): void {
    this.#fields.delete(name.toLowerCase());
  }

  get(name: string): string | null {
    return this.#fields.get(name.toLowerCase()) ?? null;
  }

  has(name: string): boolean {
    return this.#fields.has(name.toLowerCase());
  }

  set(name: string, value: string): void {
    this.#fields.set(name.toLowerCase(), trimmed(value));
  }

  forEach(visit: (value: string, name: string, headers: this) => void): void {
    for (const [name, value] of this) visit(value, name, this);
  }

  entries(): IterableIterator<[string, string]> {
    return this[Symbol.iterator]();
  }

  *keys(): IterableIterator<string> {
    for (const [name] of this) yield name;
  }

  *values(): IterableIterator<string> {
    for (const [, value] of this) yield value;
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    yield* [...this.#fields].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

/** Blanks around a value belong to the wire, not to the value. */
function trimmed(value: string): string {
  return String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
}

/** Makes it the global Headers of this process, which sends no other HTTP. Called before a library asks for it. */
export function usePlainHeaders(): void {
  Object.defineProperty(globalThis, 'Headers', {value: PlainHeaders, writable: true, configurable: true});
}
