// What a TLS client says first, read without decrypting anything: the name it asks for and the protocols it offers.

/** `undefined`: more bytes are needed. Not TLS, or malformed: `ClientHelloError`. */
export interface ClientHello {
  readonly serverName: string | undefined;
  /** ALPN names in the client's order. */
  readonly protocols: readonly string[];
}

export class ClientHelloError extends Error {}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
const LONGEST = 64 * 1024;

export function readClientHello(bytes: Buffer): ClientHello | undefined {
  const message = handshakeMessage(bytes);
  if (message === undefined) return undefined;
  try {
    return parse(message);
  } catch {
    throw new ClientHelloError('malformed client hello');
  }
}

/** The first handshake message, put together from as many records as it takes. */
function handshakeMessage(bytes: Buffer): Buffer | undefined {
  const fragments: Buffer[] = [];
  let offset = 0;
  while (bytes.length >= offset + 5) {
    if (bytes[offset] !== HANDSHAKE) throw new ClientHelloError('not a TLS handshake');
    const end = offset + 5 + bytes.readUInt16BE(offset + 3);
    if (end > LONGEST) throw new ClientHelloError('client hello is too long');
    if (bytes.length < end) return undefined;
    fragments.push(bytes.subarray(offset + 5, end));
    offset = end;
    const message = Buffer.concat(fragments);
    if (message.length < 4) continue;
    if (message[0] !== CLIENT_HELLO) throw new ClientHelloError('not a client hello');
    const length = message.readUIntBE(1, 3);
    if (message.length >= 4 + length) return message.subarray(4, 4 + length);
  }
  if (offset === 0 && bytes.length > 0 && bytes[0] !== HANDSHAKE) {
    throw new ClientHelloError('not a TLS handshake');
  }
  return undefined;
}

function parse(message: Buffer): ClientHello {
  let rest = message.subarray(2 + 32);
  rest = skip(rest, 1); // session id
  rest = skip(rest, 2); // cipher suites
  rest = skip(rest, 1); // compression methods
  let serverName: string | undefined;
  let protocols: readonly string[] = [];
  for (let list = vector(rest, 2); list.length > 0; ) {
    const type = list.readUInt16BE(0);
    const body = vector(list.subarray(2), 2);
    if (type === SERVER_NAME) serverName = readServerName(body);
    if (type === ALPN) protocols = readProtocols(body);
    list = list.subarray(4 + body.length);
  }
  return {serverName, protocols};
}

function readServerName(body: Buffer): string | undefined {
  const entry = vector(body, 2);
  return entry[0] === 0 ? vector(entry.subarray(1), 2).toString('latin1') : undefined;
}

function readProtocols(body: Buffer): readonly string[] {
  const names: string[] = [];
  for (let list = vector(body, 2); list.length > 0; ) {
    const name = vector(list, 1);
    names.push(name.toString('latin1'));
    list = list.subarray(1 + name.length);
  }
  return names;
}

/** The bytes after a length of `size` bytes; an empty buffer where there is nothing. */
function vector(bytes: Buffer, size: 1 | 2): Buffer {
  if (bytes.length === 0) return bytes;
  const length = bytes.readUIntBE(0, size);
  if (bytes.length < size + length) throw new RangeError('short vector');
  return bytes.subarray(size, size + length);
}

const skip = (bytes: Buffer, size: 1 | 2) => bytes.subarray(size + vector(bytes, size).length);
