// Provision tokens as resources: what Auth takes and what it refuses, in the words of 18.0.0.

import {create} from '@bufbuild/protobuf';
import {timestampFromMs} from '@bufbuild/protobuf/wkt';
import {
  type ProvisionTokenSpecV2,
  type ProvisionTokenV2,
  ProvisionTokenV2Schema,
} from '../cluster/gen/types_pb.js';
import {RESOURCE_NAME, specialCharacters} from './node-record.js';
import {Refusal} from './refusal.js';
import {milliseconds} from './timestamps.js';
import {canonicalRole, SYSTEM_ROLES, type Token} from './tokens.js';

const NANOSECONDS = 1_000_000_000n;

/** Methods that a real cluster knows and whose rules this one does not play. */
const OTHER_METHODS = new Set(
  'github circleci kubernetes azure gitlab gcp spacelift terraform_cloud bitbucket oracle azure_devops'.split(
    ' ',
  ),
);

/** The token that a resource stands for, or a refusal. */
export function acceptToken(sent: ProvisionTokenV2 | undefined): Token {
  if (sent === undefined) throw new Refusal('bad parameter', 'token not provided in request');
  const {metadata, spec} = sent;
  const name = metadata?.name ?? '';
  if (name === '') throw new Refusal('bad parameter', 'missing parameter Name');
  const roles = (spec?.roles ?? []).map(canonicalRole);
  if (roles.length === 0) throw new Refusal('bad parameter', 'provisioning token is missing roles');
  const stranger = roles.find((role) => !SYSTEM_ROLES.has(role));
  if (stranger !== undefined) throw new Refusal('bad parameter', `role ${stranger} is not registered`);
  if (roles.includes('Bot') && !spec?.botName) {
    throw new Refusal('bad parameter', 'token with role "Bot" must set bot_name');
  }
  const allow = spec?.allow ?? [];
  const joinMethod = spec?.joinMethod || (allow.length > 0 ? 'ec2' : 'token');
  checkMethod(joinMethod, allow.length > 0, hasBlock(spec));
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

/** Rules of methods other than these are in fields of their own, which are not known here. */
function hasBlock(spec: ProvisionTokenSpecV2 | undefined): boolean {
  return (spec?.$unknown ?? []).some(({no, data}) => no >= 7 && no !== MATCHER_LABELS && data.length > 1);
}

const MATCHER_LABELS = 9;

function checkMethod(method: string, hasRules: boolean, hasBlock: boolean): void {
  const bad = (text: string) => new Refusal('bad parameter', text);
  if (method === 'token') {
    if (hasRules) throw bad('allow rules are not compatible with the "token" join method');
  } else if (method === 'iam' || method === 'ec2') {
    if (!hasRules) throw bad(`the "${method}" join method requires defined token allow rules`);
  } else if (method === 'tpm') {
    throw new Refusal('access denied', 'tpm joining\n\tthis feature requires Teleport Enterprise');
  } else if (method === 'bound_keypair') {
    throw bad(
      hasBlock
        ? 'bound keypair joining experiment is not enabled'
        : 'bound_keypair token requires non-nil spec.bound_keypair',
    );
  } else if (!OTHER_METHODS.has(method)) {
    throw bad(`unknown join method ${JSON.stringify(method)}`);
  } else if (!hasBlock) {
    throw bad(`"${method}" configuration must be provided for join method "${method}"`);
  } else {
    // Stored without its rules such a token would let anybody join.
    const text = `the development cluster makes no tokens of the join method ${method}`;
    throw new Refusal('not implemented', text);
  }
}

/** The resource that a token stands for. */
export function tokenRecord({
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
