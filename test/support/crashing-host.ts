import {writeFile} from 'node:fs/promises';
import type {Duplex} from 'node:stream';
import type {Entry, Host, Lock, Ownership, RunOptions, RunResult} from '../../src/host/host.js';
import {temporaryName} from '../../src/host/temporary.js';

/** How the n-th mutating operation ends. `torn` is for appends, `temporary` (temp file written, not renamed) for writes and copies. */
export type Fault =
  | {readonly at: number; readonly die: 'before' | 'after' | 'torn' | 'temporary'}
  | {readonly at: number; readonly error: string}
  /** From that operation on nothing can be written any more; removing and running still work. */
  | {readonly from: number; readonly error: string};

class PowerCut extends Error {}

interface Operation {
  readonly kind: 'write' | 'makeDirectory' | 'remove' | 'copy' | 'append' | 'run' | 'lock' | 'release';
  readonly what: string;
}

/** The ways an operation of a kind can be cut off. */
export function deathsOf({kind}: Operation): readonly ('before' | 'after' | 'torn' | 'temporary')[] {
  if (kind === 'append') return ['before', 'torn', 'after'];
  if (kind === 'write' || kind === 'copy') return ['before', 'temporary', 'after'];
  return ['before', 'after'];
}

type Partway = Partial<Record<'torn' | 'temporary', () => Promise<void>>>;

/**
 * A real host on which the n-th mutating operation fails, or the power goes: then every further call is refused, so
 * that nothing can be undone, and its locks are those of a process that no longer exists.
 */
export class CrashingHost implements Host {
  readonly name: string;
  readonly uid: number;
  readonly pid: number;
  readonly operations: Operation[] = [];
  dead = false;
  /** Called before every mutating operation, with its number from 1. */
  onOperation: (number: number, operation: Operation) => void = () => undefined;
  readonly #locks = new Map<string, Lock>();

  constructor(
    private readonly real: Host,
    private readonly fault?: Fault,
    private readonly isMutating: (argv: readonly string[]) => boolean = () => false,
  ) {
    this.name = real.name;
    this.uid = real.uid;
    this.pid = real.pid;
  }

  async #mutate<T>(operation: Operation, act: () => Promise<T>, partway: Partway = {}): Promise<T> {
    this.#refuseDead();
    const number = this.operations.push(operation);
    this.onOperation(number, operation);
    const fault = this.fault;
    if (!this.#isFaulty(number, operation) || fault === undefined) return act();
    if ('error' in fault) {
      throw Object.assign(new Error(`${fault.error}: injected, ${operation.kind}`), {code: fault.error});
    }
    if (fault.die === 'after') await act();
    else if (fault.die !== 'before') await partway[fault.die]?.();
    return this.#die();
  }

  #isFaulty(number: number, {kind}: Operation): boolean {
    const fault = this.fault;
    if (fault === undefined) return false;
    if ('at' in fault) return fault.at === number;
    return number >= fault.from && ['write', 'copy', 'append', 'makeDirectory'].includes(kind);
  }

  async #die(): Promise<never> {
    this.dead = true;
    for (const [path, lock] of this.#locks) {
      await lock.release();
      await writeFile(path, JSON.stringify({pid: process.pid, start: '1', boot: 'before the power cut'}));
    }
    throw new PowerCut('the power is gone');
  }

  #refuseDead(): void {
    if (this.dead) throw new PowerCut('the power is gone');
  }

  async look(path: string): Promise<Entry | undefined> {
    this.#refuseDead();
    return this.real.look(path);
  }

  async resolve(path: string): Promise<string> {
    this.#refuseDead();
    return this.real.resolve(path);
  }

  write(path: string, bytes: Uint8Array, ownership?: Partial<Ownership>): Promise<void> {
    return this.#mutate({kind: 'write', what: path}, () => this.real.write(path, bytes, ownership), {
      temporary: () => this.real.write(temporaryName(path), bytes, ownership),
    });
  }

  makeDirectory(path: string, ownership: Partial<Ownership> & {readonly mode: number}): Promise<void> {
    return this.#mutate({kind: 'makeDirectory', what: path}, () => this.real.makeDirectory(path, ownership));
  }

  remove(path: string): Promise<void> {
    return this.#mutate({kind: 'remove', what: path}, () => this.real.remove(path));
  }

  copy(from: string, to: string): Promise<void> {
    return this.#mutate({kind: 'copy', what: to}, () => this.real.copy(from, to), {
      temporary: () => this.real.copy(from, temporaryName(to)),
    });
  }

  append(path: string, text: string): Promise<void> {
    return this.#mutate({kind: 'append', what: path}, () => this.real.append(path, text), {
      torn: () => this.real.append(path, text.slice(0, text.length / 2)),
    });
  }

  dial(address: string, port: number): Promise<Duplex> {
    return this.real.dial(address, port);
  }

  async run(argv: readonly string[], options?: RunOptions): Promise<RunResult> {
    this.#refuseDead();
    if (!this.isMutating(argv)) return this.real.run(argv, options);
    return this.#mutate({kind: 'run', what: argv.join(' ')}, () => this.real.run(argv, options));
  }

  async lock(path: string): Promise<Lock> {
    return this.#mutate({kind: 'lock', what: path}, async () => {
      const lock = await this.real.lock(path);
      this.#locks.set(path, lock);
      return {
        release: () =>
          this.#mutate({kind: 'release', what: path}, async () => {
            this.#locks.delete(path);
            await lock.release();
          }),
      };
    });
  }
}
