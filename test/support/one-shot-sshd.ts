// A real `sshd -i` on a pair of pipes: one connection, no port, no daemon.

import {type ChildProcessWithoutNullStreams, spawn} from 'node:child_process';
import {Duplex} from 'node:stream';
import {findSshd, makePrivsepDirectory} from '../../src/demo/private-sshd.js';

export interface OneShot extends Disposable {
  /** Its standard input and output as one stream, as a connection would be. */
  readonly stream: Duplex;
  /** What it said on standard error. */
  readonly words: () => string;
}

/** Serves one connection with this configuration file. */
export function oneShotSshd(config: string, options: readonly string[] = []): OneShot {
  makePrivsepDirectory();
  const words = ['-i', '-e', '-f', config, ...options.flatMap((option) => ['-o', option])];
  const child: ChildProcessWithoutNullStreams = spawn(process.env['SSHD'] ?? findSshd(), words);
  const said: Buffer[] = [];
  child.stderr.on('data', (data: Buffer) => said.push(data));
  child.stdin.on('error', () => undefined);
  const stream = Duplex.from({readable: child.stdout, writable: child.stdin});
  stream.on('error', () => undefined);
  return {
    stream,
    words: () => Buffer.concat(said).toString('latin1'),
    [Symbol.dispose]: () => {
      stream.destroy();
      child.kill();
    },
  };
}
