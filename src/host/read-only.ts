// A host that can be looked at and not changed: what only reports gets this one, so that it cannot do more by mistake.

import type {Duplex} from 'node:stream';
import type {DialOptions, Entry, Host, Lock, RunOptions, RunResult} from './host.js';

/** Refuses every change with EROFS before it is tried. Programs are run as told: they are the caller's to choose. */
export class ReadOnlyHost implements Host {
  readonly name: string;
  readonly uid: number;
  readonly pid: number;
  readonly reachedBy?: string;
  readonly clockAhead?: number;
  readonly #host: Host;

  constructor(host: Host) {
    this.name = host.name;
    this.uid = host.uid;
    this.pid = host.pid;
    if (host.reachedBy !== undefined) this.reachedBy = host.reachedBy;
    if (host.clockAhead !== undefined) this.clockAhead = host.clockAhead;
    this.#host = host;
  }

  look(path: string): Promise<Entry | undefined> {
    return this.#host.look(path);
  }

  resolve(path: string): Promise<string> {
    return this.#host.resolve(path);
  }

  run(argv: readonly string[], options?: RunOptions): Promise<RunResult> {
    return this.#host.run(argv, options);
  }

  dial(address: string, port: number, options?: DialOptions): Promise<Duplex> {
    return this.#host.dial(address, port, options);
  }

  write(path: string): Promise<never> {
    return refuse(path);
  }

  makeDirectory(path: string): Promise<never> {
    return refuse(path);
  }

  remove(path: string): Promise<never> {
    return refuse(path);
  }

  copy(_from: string, to: string): Promise<never> {
    return refuse(to);
  }

  append(path: string): Promise<never> {
    return refuse(path);
  }

  lock(path: string): Promise<Lock> {
    return refuse(path);
  }
}

async function refuse(path: string): Promise<never> {
  throw Object.assign(new Error(`EROFS: nothing is changed here, '${path}'`), {code: 'EROFS', path});
}
