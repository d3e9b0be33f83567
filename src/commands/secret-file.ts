// A file of a secret: made before the secret is, so that there is a place for it, and there as a whole or not at all.

import {randomBytes} from 'node:crypto';
import {type FileHandle, lstat, open, rename, unlink} from 'node:fs/promises';
import {Failure} from '../errors.js';

export class SecretFile implements AsyncDisposable {
  readonly #path: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #written = false;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.#path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /** USAGE when no file can be written there. What is there stays until `write`. */
  static async open(path: string): Promise<SecretFile> {
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    try {
      const there = await lstat(path).catch(() => undefined);
      // Renaming would put a file in the place of a device or a link.
      if (there !== undefined && !there.isFile()) throw new Error('there is something else than a file');
      return new SecretFile(path, temporary, await open(temporary, 'wx', 0o600));
    } catch (cause) {
      throw unwritable(path, cause);
    }
  }

  /** Replaces what was there. */
  async write(text: string): Promise<void> {
    try {
      await this.#handle.writeFile(text);
      await this.#handle.sync();
      await rename(this.#temporary, this.#path);
      this.#written = true;
    } catch (cause) {
      throw unwritable(this.#path, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    if (!this.#written) await unlink(this.#temporary);
  }
}

function unwritable(path: string, cause: unknown): Failure {
  return new Failure('USAGE', `cannot write ${path}`, {
    detail: cause instanceof Error ? cause.message : String(cause),
    hint: 'name a file in a directory that you may write with --out',
    cause,
  });
}
