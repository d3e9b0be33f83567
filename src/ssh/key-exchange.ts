// The first half of an SSH key exchange, just far enough to see which host key or certificate a server serves
// (RFC 4253, RFC 5656, RFC 8731). It proves nothing about the peer and sets up no session: the connection ends here.
//
// ssh-keyscan does the same, at the price of a post-quantum exchange for each key.

import {createECDH, randomBytes} from 'node:crypto';
import {generateX25519} from './generate.js';
import {concatBytes, encodeString, encodeUint32, SshFormatError, WireReader} from './wire.js';

const KEXINIT = 20;
const ECDH_INIT = 30;
const ECDH_REPLY = 31;
const DISCONNECT = 1;
/** IGNORE, UNIMPLEMENTED, DEBUG: may come at any time and mean nothing here. */
const NOISE = new Set([2, 3, 4]);

/** Nothing is ever encrypted, so every algorithm is fine: a hardened server must find one of its own. */
const CIPHERS = [
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-cbc',
  'aes256-cbc',
];
const MACS = [
  'hmac-sha2-256',
  'hmac-sha2-512',
  'hmac-sha2-256-etm@openssh.com',
  'hmac-sha2-512-etm@openssh.com',
  'umac-128@openssh.com',
  'umac-128-etm@openssh.com',
  'umac-64@openssh.com',
  'umac-64-etm@openssh.com',
  'hmac-sha1',
  'hmac-sha1-etm@openssh.com',
];

/** The first that the server knows is taken: OpenSSH computes curve25519 itself and slowly, the other in OpenSSL. */
const CURVES = {
  'ecdh-sha2-nistp256': 'prime256v1',
  'curve25519-sha256': undefined,
  'curve25519-sha256@libssh.org': undefined,
  'ecdh-sha2-nistp384': 'secp384r1',
  'ecdh-sha2-nistp521': 'secp521r1',
} as const;

const LARGEST_PACKET = 256 * 1024;
const LONGEST_GREETING = 8192;

/** What came of the bytes so far. `send` goes to the server; `key` is the host key's or certificate's blob. */
export interface Progress {
  readonly send?: Uint8Array;
  readonly key?: Uint8Array;
}

/** One exchange, fed with what the server sends. Throws SshFormatError when the server refuses or talks nonsense. */
export class KeyExchange {
  #buffer: Uint8Array = new Uint8Array();
  #greeted = false;

  /** `algorithms`: host key algorithms that we pretend to accept, best first. */
  constructor(private readonly algorithms: readonly string[]) {}

  /** The client's first words; they do not wait for the server's. */
  start(): Uint8Array {
    const payload = concatBytes(
      Uint8Array.of(KEXINIT),
      randomBytes(16),
      ...[Object.keys(CURVES), this.algorithms, CIPHERS, CIPHERS, MACS, MACS, ['none'], ['none'], [], []].map(
        (names) => encodeString(names.join(',')),
      ),
      Uint8Array.of(0),
      encodeUint32(0),
    );
    return concatBytes(Buffer.from('SSH-2.0-agentless\r\n'), packet(payload));
  }

  feed(bytes: Uint8Array): Progress {
    this.#buffer = concatBytes(this.#buffer, bytes);
    if (!this.#greeted && !this.#readGreeting()) return {};
    for (let payload = this.#nextPacket(); payload !== undefined; payload = this.#nextPacket()) {
      const type = payload[0] ?? 0;
      if (NOISE.has(type)) continue;
      if (type === KEXINIT) return {send: packet(openExchange(payload))};
      if (type === ECDH_REPLY) return {key: new WireReader(payload.subarray(1)).string()};
      throw new SshFormatError(
        type === DISCONNECT ? 'the server ended the exchange' : 'an unexpected message',
      );
    }
    return {};
  }

  /** Lines before "SSH-2.0-…" are the server's to say what it likes. */
  #readGreeting(): boolean {
    const text = Buffer.from(this.#buffer).toString('latin1');
    const found = /(?:^|\n)SSH-(?:2\.0|1\.99)-[^\n]*\n/.exec(text);
    if (found === null) {
      if (text.length > LONGEST_GREETING) throw new SshFormatError('it does not greet as an SSH server');
      return false;
    }
    this.#buffer = this.#buffer.subarray(found.index + found[0].length);
    this.#greeted = true;
    return true;
  }

  /** Payload of the next whole packet: length, padding length, payload, padding. */
  #nextPacket(): Uint8Array | undefined {
    if (this.#buffer.length < 5) return undefined;
    const reader = new WireReader(this.#buffer);
    const length = reader.uint32();
    if (length > LARGEST_PACKET || length < 2) throw new SshFormatError('a packet of an impossible length');
    if (this.#buffer.length < 4 + length) return undefined;
    const padding = this.#buffer[4] ?? 0;
    if (padding >= length) throw new SshFormatError('a packet of an impossible length');
    const payload = this.#buffer.subarray(5, 4 + length - padding);
    this.#buffer = this.#buffer.subarray(4 + length);
    return payload;
  }
}

/** Our half of the exchange the server will choose: its first method that is also ours (we are asked in our order). */
function openExchange(kexinit: Uint8Array): Uint8Array {
  const reader = new WireReader(kexinit.subarray(17));
  const offered = reader.text().split(',');
  const method = (Object.keys(CURVES) as (keyof typeof CURVES)[]).find((name) => offered.includes(name));
  if (method === undefined) throw new SshFormatError('no key exchange method in common');
  return concatBytes(Uint8Array.of(ECDH_INIT), encodeString(publicHalf(CURVES[method])));
}

function publicHalf(curve: string | undefined): Uint8Array {
  if (curve !== undefined) return createECDH(curve).generateKeys();
  return generateX25519();
}

function packet(payload: Uint8Array): Uint8Array {
  const padding = 16 - ((5 + payload.length) % 8);
  return concatBytes(
    encodeUint32(1 + payload.length + padding),
    Uint8Array.of(padding),
    payload,
    new Uint8Array(padding),
  );
}
