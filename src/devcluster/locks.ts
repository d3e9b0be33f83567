// Locks on hosts: a locked host neither joins nor calls.

import {Refusal} from './refusal.js';

export class Locks {
  readonly #locks = new Map<string, string>();

  /** `message` is what the person who locks gives as the reason. */
  add(serverId: string, message: string): void {
    this.#locks.set(serverId, message);
  }

  has(serverId: string): boolean {
    return this.#locks.has(serverId);
  }

  /** Refuses a locked host, with the reason. */
  check(serverId: string): void {
    const message = this.#locks.get(serverId);
    if (message === undefined) return;
    throw new Refusal('access denied', `lock targeting ServerID:"${serverId}" is in force: ${message}`);
  }
}
