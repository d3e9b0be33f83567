// The standard input and output of an ssh that leads to a port, as one stream.

import {Duplex} from 'node:stream';
import {MADE} from './relay.js';
import type {Child} from './ssh.js';

/** How it is told that a connection was made; where it is not, its first byte tells. */
export interface Signs {
  /** Words of ssh's own. */
  readonly said?: RegExp;
  /** On standard output a line that begins with this comes before the bytes, and goes on where the connection was made. */
  readonly mark?: string;
}

/** Nobody is waited for longer who neither listens nor refuses. */
const PATIENCE = 10_000;

export class NotConnected extends Error {
  readonly code: 'ECONNREFUSED' | 'ETIMEDOUT';
  /** Exit status of that ssh, which is that of the program it has run. */
  readonly status: number | undefined;

  constructor(code: NotConnected['code'], words: string, status?: number) {
    super(`${code}: ${words}`);
    this.code = code;
    this.status = status;
  }
}

/** Resolves when the other end is there; rejects with NotConnected and ssh's words, or with the signal's reason. */
export function connectionOf(child: Child, {said, mark}: Signs, signal?: AbortSignal): Promise<Duplex> {
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
  stdin.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    const give = (error: unknown) => {
      reject(error);
      stream.destroy();
    };
    const timer = setTimeout(() => give(new NotConnected('ETIMEDOUT', 'nobody answers')), PATIENCE);
    const made = () => {
      clearTimeout(timer);
      resolve(stream);
    };
    // Nobody listens to the errors of a stream that was never handed out.
    const abort = () =>
      stream.listenerCount('error') > 0 ? stream.destroy(signal?.reason) : give(signal?.reason);
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort, {once: true});

    let words = '';
    stderr.on('data', (data: Buffer) => {
      words += data.toString('latin1');
      if (said?.test(words)) made();
    });
    const take = (data: Buffer) => {
      if (data.length === 0 || stream.destroyed) return;
      made();
      if (!stream.push(data)) stdout.pause();
    };
    let head: Buffer | undefined = mark === undefined ? undefined : Buffer.alloc(0);
    stdout.on('data', (data: Buffer) => {
      if (head === undefined || mark === undefined) return take(data);
      head = Buffer.concat([head, data]);
      const start = head.indexOf(`\n${mark}`);
      const end = start < 0 ? -1 : head.indexOf('\n', start + 1);
      if (end < 0) return;
      const rest = head.subarray(end + 1);
      if (head.subarray(start, end).toString().endsWith(` ${MADE}`)) made();
      head = undefined;
      take(rest);
    });
    child.once('close', (status: number | null) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      if (!stream.destroyed) stream.push(null);
      reject(
        new NotConnected('ECONNREFUSED', withoutTraces(words) || 'connection refused', status ?? undefined),
      );
    });
  });
}

function withoutTraces(words: string): string {
  return words
    .split(/\r?\n/)
    .filter((line) => line !== '' && !/^(debug\d: |OpenSSH_|Warning: Permanently added)/.test(line))
    .join('\n');
}
