// What survives a restart: one directory (0700) of JSON files (0600). Every write is whole-file and atomic.

import {randomBytes} from 'node:crypto';
import {chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync} from 'node:fs';
import {join} from 'node:path';
import {Failure} from '../errors.js';
import {withChanges} from './authority-files.js';
import {type ClusterState, restoreCluster, type StoredCluster, storeCluster} from './cluster-state.js';

const CLUSTER_FILE = 'cluster.json';

export class StateDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  create(): void {
    try {
      mkdirSync(this.path, {recursive: true, mode: 0o700});
      chmodSync(this.path, 0o700);
    } catch (cause) {
      throw new Failure('USAGE', `${this.path} cannot be made a directory of the cluster`, {
        detail: cause instanceof Error ? cause.message : String(cause),
        hint: 'name another one with --dir',
        cause,
      });
    }
  }

  file(name: string): string {
    return join(this.path, name);
  }

  read<T>(name: string): T | undefined {
    if (!existsSync(this.file(name))) return undefined;
    return JSON.parse(readFileSync(this.file(name), 'utf8')) as T;
  }

  write(name: string, value: unknown): void {
    this.writeText(name, `${JSON.stringify(value, null, 1)}\n`);
  }

  writeText(name: string, text: string): void {
    renameSync(this.#temporary(name, text), this.file(name));
  }

  /** Writes JSON that has no name yet; gives its path, which is of this directory. */
  writeTemporary(name: string, value: unknown): string {
    return this.#temporary(name, `${JSON.stringify(value, null, 1)}\n`);
  }

  /** The stored cluster; undefined before the first start. */
  loadCluster(): ClusterState | undefined {
    const stored = this.read<StoredCluster>(CLUSTER_FILE);
    return stored && withChanges(this, restoreCluster(stored));
  }

  /** The stored cluster, for commands that need one. */
  requireCluster(): ClusterState {
    const cluster = this.loadCluster();
    if (cluster !== undefined) return cluster;
    throw new Failure('USAGE', `no development cluster in ${this.path}`, {
      hint: `start one first: agentless cluster start --dir ${this.path}`,
    });
  }

  saveCluster(cluster: ClusterState): void {
    this.write(CLUSTER_FILE, storeCluster(cluster));
  }

  #temporary(name: string, text: string): string {
    const temporary = this.file(`.${name}.${process.pid}-${randomBytes(4).toString('hex')}`);
    writeFileSync(temporary, text, {mode: 0o600});
    return temporary;
  }
}
