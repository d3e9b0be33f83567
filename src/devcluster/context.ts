// What the services of one running cluster share.

import type {Certs, RegisterUsingIAMMethodRequest} from '../cluster/gen/auth_pb.js';
import type {RegisterUsingTokenRequest} from '../cluster/gen/types_pb.js';
import type {Authorities} from './authority.js';
import type {AuthorityViews} from './authority-views.js';
import type {ClusterFacts} from './cluster-state.js';
import type {JoinContext} from './join.js';
import {register, registerByIam} from './join.js';
import type {NodeStore} from './node-store.js';
import type {TestHooks} from './options.js';
import type {Limits} from './rate-limit.js';
import type {Stats} from './stats.js';

export interface Context extends Pick<JoinContext, 'tokens' | 'locks'> {
  readonly cluster: ClusterFacts;
  /** What is told and trusted. Read anew for every request: a rotation replaces them. */
  readonly authorities: () => Authorities;
  /** The same as other parts see them: a rotation does not reach all at the same moment. */
  readonly views: AuthorityViews;
  readonly nodes: NodeStore;
  readonly stats: Stats;
  readonly version: string;
  /** Undefined: none. */
  readonly limits: Limits | undefined;
  readonly hooks: TestHooks;
  /** host:port of the proxy, as find and Ping tell it. */
  readonly publicAddress: () => string;
}

/** One join, from whichever endpoint. */
export function join(context: Context, request: RegisterUsingTokenRequest, address: string): Certs {
  const reply = register(joinContext(context), request, address);
  return context.hooks.testOnlyJoinReply?.(reply, request) ?? reply;
}

/** The same by the method iam. */
export function joinByIam(
  context: Context,
  answer: RegisterUsingIAMMethodRequest,
  challenge: string,
  address: string,
): Certs {
  const reply = registerByIam(joinContext(context), answer, challenge, address);
  const {registerUsingTokenRequest: request} = answer;
  return (request && context.hooks.testOnlyJoinReply?.(reply, request)) ?? reply;
}

function joinContext({views, tokens, locks, nodes, hooks}: Context): JoinContext {
  return {
    host: views.as('sign').host,
    tokens,
    locks,
    hasNode: (id) => nodes.get(id) !== undefined,
    callers: hooks.testOnlyAws?.callers,
    authorities: hooks.testOnlyAws?.authorities ?? {},
  };
}
