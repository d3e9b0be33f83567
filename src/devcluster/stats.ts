// What a cluster has seen: for benchmarks and for tests that count round trips.

import type {Socket} from 'node:net';

export class Stats {
  /** Connections accepted. */
  connections = 0;
  /** By "POST /webapi/host/credentials" or "proto.AuthService/Ping". */
  readonly requests: Record<string, number> = {};
  readonly #open = new Set<Socket>();
  #closedIn = 0;
  #closedOut = 0;

  /** Bytes of TCP payload received. */
  get bytesIn(): number {
    return [...this.#open].reduce((sum, socket) => sum + socket.bytesRead, this.#closedIn);
  }

  /** Bytes of TCP payload sent. */
  get bytesOut(): number {
    return [...this.#open].reduce((sum, socket) => sum + socket.bytesWritten, this.#closedOut);
  }

  count(name: string): void {
    this.requests[name] = (this.requests[name] ?? 0) + 1;
  }

  watch(socket: Socket): void {
    this.connections++;
    this.#open.add(socket);
    socket.once('close', () => {
      this.#open.delete(socket);
      this.#closedIn += socket.bytesRead;
      this.#closedOut += socket.bytesWritten;
    });
  }

  closeAll(): void {
    for (const socket of this.#open) socket.destroy();
  }
}
