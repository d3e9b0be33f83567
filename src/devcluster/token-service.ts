// The token calls of proto.AuthService.

import type {ServiceImpl} from '@connectrpc/connect';
import type {AuthService} from '../cluster/gen/auth_pb.js';
import {Refusal} from './refusal.js';
import {acceptToken, tokenRecord} from './token-record.js';
import type {TokenStore} from './tokens.js';

type TokenCalls = Pick<
  ServiceImpl<typeof AuthService>,
  'getToken' | 'getTokens' | 'createTokenV2' | 'upsertTokenV2' | 'deleteToken'
>;

export function tokenService(tokens: TokenStore): TokenCalls {
  return {
    getToken: ({name}) => {
      const token = tokens.find(name);
      if (token === undefined) throw new Refusal('not found', `"token" "${name}" does not exist`);
      return tokenRecord(token);
    },
    getTokens: () => ({provisionTokens: tokens.list().map(tokenRecord)}),
    createTokenV2: ({token}) => {
      const accepted = acceptToken(token.value);
      if (tokens.find(accepted.name) !== undefined) {
        // What the real one's default store says.
        throw new Refusal('already exists', 'UNIQUE constraint failed: kv.key');
      }
      tokens.put(accepted);
      return {};
    },
    upsertTokenV2: ({token}) => {
      tokens.put(acceptToken(token.value));
      return {};
    },
    deleteToken: ({name}) => {
      if (name === '') throw new Refusal('bad parameter', 'missing parameter token');
      if (tokens.find(name) === undefined) {
        throw new Refusal('not found', `provisioning token(${masked(name)}) not found`);
      }
      tokens.remove(name);
      return {};
    },
  };
}

/** Teleport shows the last quarter of a name that may be a secret. */
function masked(name: string): string {
  const hidden = Math.floor(name.length * 0.75);
  return '*'.repeat(hidden) + name.slice(hidden);
}
