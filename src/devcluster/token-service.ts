// The token calls of proto.AuthService: what is refused, and in which words, as measured on 18.0.0.

import {create} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import type {ServiceImpl} from '@connectrpc/connect';
import type {AuthService} from '../cluster/gen/auth_pb.js';
import {type ProvisionTokenV2, ProvisionTokenV2Schema} from '../cluster/gen/types_pb.js';
import {RESOURCE_NAME, specialCharacters} from './node-record.js';
import {Refusal} from './refusal.js';
import {milliseconds} from './timestamps.js';
import {canonicalRole, SYSTEM_ROLES, type Token, type TokenStore} from './tokens.js';

type TokenCalls = Pick<
  ServiceImpl<typeof AuthService>,
  'getToken' | 'getTokens' | 'createTokenV2' | 'upsertTokenV2' | 'deleteToken'
>;

const NANOSECONDS = 1_000_000_000n;

/** Methods that a real cluster knows and whose rules this one does not play. */
const OTHER_METHODS = new Set(
  'github circleci kubernetes azure gitlab gcp spacelift terraform_cloud bitbucket oracle azure_devops'.split(
    ' ',
  ),
);

export function tokenService(tokens: TokenStore): TokenCalls {
  return {
    getToken: ({name}) => {
      if (name === '') throw new Refusal('bad parameter', 'missing parameter token');
      const token = tokens.find(name);
      if (token === undefined) throw new Refusal('not found', `"token" "${name}" does not exist`);
      return tokenRecord(token);
    },
    getTokens: () => ({provisionTokens: tokens.list().map(tokenRecord)}),
    createTokenV2: ({token}) => {
      const accepted = acceptToken(token.value);
      if (tokens.find(accepted.name) !== undefined) {
        throw new Refusal('already exists', `key "/tokens/${accepted.name}" already exists`);
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
        throw new Refusal('not found', `provisioning token(${name}) not found`);
      }
      tokens.remove(name);
      return {};
    },
  };
}

function acceptToken(sent: ProvisionTokenV2 | undefined): Token {
  const {metadata, spec} = sent ?? create(ProvisionTokenV2Schema);
  const name = metadata?.name ?? '';
  if (name === '') throw new Refusal('bad parameter', 'missing parameter Name');
  const roles = (spec?.roles ?? []).map(canonicalRole);
  if (roles.length === 0) throw new Refusal('bad parameter', 'provisioning token is missing roles');
  const stranger = roles.find((role) => !SYSTEM_ROLES.has(role));
  if (stranger !== undefined) throw new Refusal('bad parameter', `role ${stranger} is not registered`);
  const allow = spec?.allow ?? [];
  const joinMethod = spec?.joinMethod || (allow.length > 0 ? 'ec2' : 'token');
  checkMethod(joinMethod, allow.length > 0);
  if (!RESOURCE_NAME.test(name)) throw specialCharacters(`/tokens/${name}`);
  return {
    name,
    roles,
    joinMethod,
    labels: {...metadata?.labels},
    ...(metadata?.expires && {expires: milliseconds(metadata.expires)}),
    ...(allow.length > 0 && {
      allow: allow.map(({awsAccount, awsArn, awsRegions}) => ({
        ...(awsAccount !== '' && {awsAccount}),
        ...(awsArn !== '' && {awsArn}),
        ...(awsRegions.length > 0 && {awsRegions}),
      })),
    }),
    ...(spec && spec.awsIidTtl > 0n && {iidTtlSeconds: Number(spec.awsIidTtl / NANOSECONDS)}),
  };
}

function checkMethod(method: string, hasRules: boolean): void {
  switch (method) {
    case 'token':
      if (hasRules) {
        throw new Refusal('bad parameter', 'allow rules are not compatible with the "token" join method');
      }
      return;
    case 'iam':
    case 'ec2':
      if (hasRules) return;
      throw new Refusal('bad parameter', `the "${method}" join method requires defined token allow rules`);
    case 'tpm':
      throw new Refusal('access denied', 'tpm joining: this feature requires Teleport Enterprise');
    case 'bound_keypair':
      throw new Refusal('bad parameter', 'bound keypair joining experiment is not enabled');
    default:
      if (OTHER_METHODS.has(method)) {
        // The real one has a block of rules for each; a token stored without them would let anybody join.
        const text = `the development cluster makes no tokens of the join method ${method}`;
        throw new Refusal('not implemented', text);
      }
      throw new Refusal('bad parameter', `unknown join method ${JSON.stringify(method)}`);
  }
}

function tokenRecord({
  name,
  roles,
  joinMethod,
  expires,
  labels,
  allow,
  iidTtlSeconds,
}: Token): ProvisionTokenV2 {
  return create(ProvisionTokenV2Schema, {
    kind: 'token',
    version: 'v2',
    metadata: {
      name,
      namespace: 'default',
      labels: {...labels},
      ...(expires !== undefined && {expires: timestampFromMs(expires)}),
    },
    spec: {
      roles: [...roles],
      joinMethod,
      allow: (allow ?? []).map(({awsRegions, ...rule}) => ({...rule, awsRegions: [...(awsRegions ?? [])]})),
      awsIidTtl: BigInt(iidTtlSeconds ?? 0) * NANOSECONDS,
    },
  });
}
