// The standard input and output of an ssh that forwards to a port, as one stream.

import {Duplex} from 'node:stream';
import type {Child} from './ssh.js';

/** Resolves when the other end has spoken; rejects with ECONNREFUSED and ssh's words when it never does. */
export function firstByteOf(child: Child, signal?: AbortSignal): Promise<Duplex> {
  const {stdin, stdout, stderr} = child;
  const stream = new Duplex({
    read: () => stdout.resume(),
    write: (bytes, _encoding, done) => void stdin.write(bytes, done),
    final: (done) => void stdin.end(done),
    destroy: (error, done) => {
      child.kill();
      done(error);
    },
  });
  const abort = () => stream.destroy(signal?.reason);
  signal?.addEventListener('abort', abort, {once: true});
  stdin.on('error', () => undefined);
  let said = '';
  stderr.on('data', (data: Buffer) => {
    said += data.toString('latin1');
  });
  return new Promise((resolve, reject) => {
    stdout.on('data', (data: Buffer) => {
      resolve(stream);
      if (!stream.push(data)) stdout.pause();
    });
    child.once('close', () => {
      signal?.removeEventListener('abort', abort);
      stream.push(null);
      reject(Object.assign(new Error(`ECONNREFUSED: ${said.trim()}`), {code: 'ECONNREFUSED'}));
    });
  });
}
