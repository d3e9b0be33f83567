// What the services of one running cluster share.

import type {Certs} from '../cluster/gen/auth_pb.js';
import type {RegisterUsingTokenRequest} from '../cluster/gen/types_pb.js';
import type {Authorities} from './authority.js';
import type {ClusterState} from './cluster-state.js';
import type {JoinContext} from './join.js';
import {register} from './join.js';
import type {NodeStore} from './node-store.js';
import type {TestHooks} from './options.js';
import type {Stats} from './stats.js';

export interface Context extends Omit<JoinContext, 'host'> {
  readonly cluster: ClusterState;
  /** Read anew for every request: a rotation replaces them. */
  readonly authorities: () => Authorities;
  readonly nodes: NodeStore;
  readonly stats: Stats;
  readonly version: string;
  readonly limits: boolean;
  readonly hooks: TestHooks;
  /** host:port of the proxy, as find and Ping tell it. */
  readonly publicAddress: () => string;
}

/** One join, from whichever endpoint. */
export function join(context: Context, request: RegisterUsingTokenRequest, address: string): Certs {
  const {tokens, locks, hooks} = context;
  const reply = register({host: context.authorities().host, tokens, locks}, request, address);
  return hooks.testOnlyJoinReply?.(reply, request) ?? reply;
}
