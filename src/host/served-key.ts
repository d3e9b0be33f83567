// Asks a listening sshd which key it serves for an algorithm.

import type {Duplex} from 'node:stream';
import {KeyExchange} from '../ssh/key-exchange.js';
import {SshFormatError} from '../ssh/wire.js';

/**
 * Blob of the host key or certificate; undefined when the server has none of these algorithms, or has not answered
 * after `patience` milliseconds.
 */
export async function servedKey(
  stream: Duplex,
  algorithms: readonly string[],
  patience = 5000,
): Promise<Uint8Array | undefined> {
  const exchange = new KeyExchange(algorithms);
  const timer = setTimeout(() => stream.destroy(), patience);
  try {
    stream.write(exchange.start());
    for await (const bytes of stream) {
      const {send, key} = exchange.feed(bytes as Uint8Array);
      if (key !== undefined) return key;
      if (send !== undefined) stream.write(send);
    }
    return undefined;
  } catch (error) {
    // No answer is an answer: whoever asks knows what should have been there.
    if (error instanceof SshFormatError || (error instanceof Error && 'code' in error)) return undefined;
    throw error;
  } finally {
    clearTimeout(timer);
    stream.destroy();
  }
}
