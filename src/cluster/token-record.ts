// Provision tokens on the wire.

import {randomBytes} from 'node:crypto';
import type {MessageInitShape} from '@bufbuild/protobuf';
import {Secret} from '../errors.js';
import type {ProvisionToken, TokenWish} from './cluster.js';
import type {ProvisionTokenV2, ProvisionTokenV2Schema} from './gen/types_pb.js';

/** What a token's value is made of: no call makes it, so the client does. */
export function newTokenValue(): Secret {
  return new Secret(randomBytes(16).toString('hex'));
}

export function tokenRecord(
  value: Secret,
  {roles, labels}: TokenWish,
  expires: Date,
): MessageInitShape<typeof ProvisionTokenV2Schema> {
  return {
    kind: 'token',
    version: 'v2',
    metadata: {
      name: value.reveal(),
      namespace: 'default',
      labels: {...labels},
      // Whole seconds; the library that makes timestamps is not loaded for them.
      expires: {seconds: BigInt(Math.floor(expires.getTime() / 1000)), nanos: 0},
    },
    spec: {roles: [...roles], joinMethod: METHOD},
  };
}

const METHOD = 'token';

export function readToken({metadata, spec}: ProvisionTokenV2): ProvisionToken {
  const joinMethod = spec?.joinMethod || METHOD;
  const seconds = Number(metadata?.expires?.seconds ?? 0n);
  return {
    name: new Secret(metadata?.name ?? ''),
    // With the other methods the name alone opens nothing, and Teleport's own tools show it.
    secret: joinMethod === METHOD,
    roles: spec?.roles ?? [],
    joinMethod,
    labels: metadata?.labels ?? {},
    // Go's zero time stands for none.
    ...(seconds > 0 && {expires: new Date(seconds * 1000)}),
  };
}
