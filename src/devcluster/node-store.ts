// Node records. A write is durable when it returns; reads answer from a view that lags behind by up to a second, as
// Auth's cache does.

import {fromJson, type JsonValue, toJson} from '@bufbuild/protobuf';
import {type ServerV2, ServerV2Schema} from '../cluster/gen/types_pb.js';
import {milliseconds} from './timestamps.js';

const LAG = {least: 200, spread: 700};

export class NodeStore {
  readonly #stored: Map<string, ServerV2>;
  readonly #visible: Map<string, ServerV2>;
  readonly #save: (nodes: readonly JsonValue[]) => void;
  readonly #lag: boolean;

  constructor(stored: readonly JsonValue[], save: (nodes: readonly JsonValue[]) => void, lag: boolean) {
    this.#stored = new Map(stored.map(readNode));
    this.#visible = new Map(this.#stored);
    this.#save = save;
    this.#lag = lag;
  }

  /** Unconditional: an existing record of that name is replaced. A record already expired is gone at once. */
  put(node: ServerV2): void {
    const name = nameOf(node);
    if (isLive(node)) this.#stored.set(name, node);
    else this.#stored.delete(name);
    this.#written(name);
  }

  /** False when there was none. */
  remove(name: string): boolean {
    const node = this.#stored.get(name);
    if (node === undefined) return false;
    this.#stored.delete(name);
    this.#written(name);
    return isLive(node);
  }

  get(name: string): ServerV2 | undefined {
    const node = this.#visible.get(name);
    return node !== undefined && isLive(node) ? node : undefined;
  }

  /** Sorted by name. */
  list(): readonly ServerV2[] {
    return sorted(this.#visible);
  }

  /** What is stored, without lag: for tests and for the command line. */
  stored(): readonly ServerV2[] {
    return sorted(this.#stored);
  }

  #written(name: string): void {
    this.#save(this.stored().map((node) => toJson(ServerV2Schema, node)));
    if (this.#lag) setTimeout(() => this.#publish(name), LAG.least + Math.random() * LAG.spread).unref();
    else this.#publish(name);
  }

  #publish(name: string): void {
    const node = this.#stored.get(name);
    if (node === undefined) this.#visible.delete(name);
    else this.#visible.set(name, node);
  }
}

/** Records as they were saved. */
export function readNodes(stored: readonly JsonValue[]): readonly ServerV2[] {
  return sorted(new Map(stored.map(readNode)));
}

function readNode(json: JsonValue): [string, ServerV2] {
  const node = fromJson(ServerV2Schema, json);
  return [nameOf(node), node];
}

const nameOf = (node: ServerV2) => node.metadata?.name ?? '';

function isLive(node: ServerV2): boolean {
  const expires = node.metadata?.expires;
  return expires === undefined || milliseconds(expires) > Date.now();
}

function sorted(nodes: ReadonlyMap<string, ServerV2>): readonly ServerV2[] {
  const live = [...nodes.values()].filter(isLive);
  return live.sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}
