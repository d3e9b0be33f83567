// Method ec2: which instance a host is, by a document that AWS has signed. Whether the instance runs is a question to
// AWS, which is not asked here; the authorities of its regions are those that a test has named.

import {X509Certificate} from 'node:crypto';
import type {RegisterUsingTokenRequest} from '../../cluster/gen/types_pb.js';
import {Refusal} from '../refusal.js';
import type {Token} from '../tokens.js';
import {readSignedData} from './pkcs7.js';

/** PEM certificates by region. */
export type AwsAuthorities = Readonly<Record<string, string>>;

export interface Ec2Context {
  readonly authorities: AwsAuthorities;
  readonly hasNode: (id: string) => boolean;
}

interface Instance {
  readonly accountId: string;
  readonly instanceId: string;
  readonly region: string;
  /** RFC 3339: when it was started. */
  readonly pendingTime: string;
}

/** Refuses what the real cluster refuses, in its order and words. */
export function checkInstance(
  token: Token,
  request: RegisterUsingTokenRequest,
  {authorities, hasNode}: Ec2Context,
): void {
  const {hostId, role} = request;
  const instance = readDocument(request.ec2IdentityDocument, authorities);
  checkAge(instance, token);
  const expected = `${instance.accountId}-${instance.instanceId}`;
  if (hostId !== expected) throw denied(`invalid host ID "${hostId}", expected "${expected}"`);
  if (role === 'Node' && hasNode(hostId)) {
    throw denied(`server with host ID "${hostId}" and role "${role}" already exists`);
  }
  checkRules(token, instance);
}

function readDocument(document: Uint8Array, authorities: AwsAuthorities): Instance {
  const text = Buffer.from(document).toString('latin1').replace(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw denied('unable to decode Instance Identity Document');
  }
  const signed = readSignedData(Buffer.from(text, 'base64'));
  const instance = parse(signed.content.toString());
  const authority = authorities[instance.region];
  if (authority === undefined) throw denied(`unsupported EC2 region: "${instance.region}"`);
  if (!signed.isSignedBy(new X509Certificate(authority).publicKey)) throw denied('invalid signature');
  return instance;
}

function parse(text: string): Instance {
  try {
    return {accountId: '', instanceId: '', region: '', pendingTime: '', ...JSON.parse(text)};
  } catch {
    throw new Refusal('unknown', 'invalid character looking for beginning of value');
  }
}

const DEFAULT_TTL = 300;

function checkAge({pendingTime}: Instance, {iidTtlSeconds = DEFAULT_TTL}: Token): void {
  const age = (Date.now() - Date.parse(pendingTime)) / 1000;
  if (age < -60) throw denied('Instance Identity Document PendingTime appears to be in the future');
  if (age <= iidTtlSeconds) return;
  const time = pendingTime.replace('T', ' ').replace('Z', ' +0000 UTC');
  const ttl = `${Math.floor(iidTtlSeconds / 60)}m${iidTtlSeconds % 60}s`;
  throw denied(`Instance Identity Document with PendingTime ${time} is older than configured TTL of ${ttl}`);
}

function checkRules({name, allow = []}: Token, {accountId, instanceId, region}: Instance): void {
  const allowed = allow.some(
    ({awsAccount = accountId, awsRegions = [region]}) =>
      awsAccount === accountId && awsRegions.includes(region),
  );
  if (!allowed) throw denied(`instance ${instanceId} did not match any allow rules in token ${name}`);
}

const denied = (message: string) => new Refusal('access denied', message);
