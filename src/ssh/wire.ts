// The binary encoding that SSH keys, certificates and signatures share (RFC 4251 section 5), read strictly: one
// spelling for each value, nothing left over.

/** Bytes or text that are not a well-formed SSH key, certificate or signature. The only error the readers throw. */
export class SshFormatError extends Error {
  override readonly name = 'SshFormatError';
}

/** Reads values one after another; whatever is malformed or runs past the end is an SshFormatError. */
export class WireReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes have been read. */
  get offset(): number {
    return this.#offset;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  uint32(): number {
    return this.#view(4).getUint32(0);
  }

  uint64(): bigint {
    return this.#view(8).getBigUint64(0);
  }

  /** A length-prefixed byte string, copied. */
  string(): Uint8Array {
    return this.#take(this.uint32()).slice();
  }

  /** A byte string that is UTF-8 without NUL: OpenSSH reads names as C strings, so a NUL would mean two things. */
  text(): string {
    const bytes = this.string();
    if (bytes.includes(0)) throw new SshFormatError('a text contains a NUL byte');
    try {
      return new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes);
    } catch {
      throw new SshFormatError('a text is not UTF-8');
    }
  }

  /** A positive integer in its shortest form, as big-endian bytes without the sign byte. */
  mpint(): Uint8Array {
    const bytes = this.string();
    const [first, second] = bytes;
    if (first === undefined) throw new SshFormatError('an integer is zero');
    if (first >= 0x80) throw new SshFormatError('an integer is negative');
    if (first > 0) return bytes;
    if (second === undefined || second < 0x80)
      throw new SshFormatError('an integer is not in its shortest form');
    return bytes.slice(1);
  }

  /** Fails when anything is left; `what` names the thing that should have ended. */
  end(what: string): void {
    if (!this.atEnd) throw new SshFormatError(`the ${what} goes on after its end`);
  }

  #take(length: number): Uint8Array {
    const end = this.#offset + length;
    if (end > this.#bytes.length) throw new SshFormatError('it ends too early');
    const taken = this.#bytes.subarray(this.#offset, end);
    this.#offset = end;
    return taken;
  }

  #view(length: number): DataView {
    const taken = this.#take(length);
    return new DataView(taken.buffer, taken.byteOffset, length);
  }
}

/** Parts one after another in one new array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

export function encodeUint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

export function encodeUint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

/** Length, then the bytes (text as UTF-8). */
export function encodeString(value: Uint8Array | string): Uint8Array {
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  return concatBytes(encodeUint32(bytes.length), bytes);
}

/** A positive integer given as big-endian bytes, leading zeros allowed. */
export function encodeMpint(magnitude: Uint8Array): Uint8Array {
  const start = magnitude.findIndex((byte) => byte !== 0);
  const shortest = start < 0 ? new Uint8Array() : magnitude.subarray(start);
  const sign = (shortest[0] ?? 0) >= 0x80 ? new Uint8Array(1) : new Uint8Array();
  return encodeString(concatBytes(sign, shortest));
}

export function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
