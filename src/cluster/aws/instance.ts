// Which EC2 instance this is, and the proof of it that AWS has signed.

import {Failure, Secret} from '../../errors.js';
import type {AwsEnvironment} from './environment.js';
import {MetadataService} from './metadata.js';

/** What a token of method ec2 wants to see. */
export interface InstanceProof {
  readonly method: 'ec2';
  /** The only node id with which this instance may join: ACCOUNT-INSTANCE. */
  readonly nodeId: string;
  /** PKCS #7 in base64, lines as the metadata service sends them. Whoever has it can join in this instance's place. */
  readonly document: Secret;
}

/** Asks the metadata service; HOST_UNSUITABLE where there is none. */
export async function proveInstance(env: AwsEnvironment): Promise<InstanceProof> {
  const metadata = new MetadataService(env);
  const [description, document] = await Promise.all([
    metadata.get('dynamic/instance-identity/document'),
    metadata.get('dynamic/instance-identity/rsa2048'),
  ]);
  const {accountId, instanceId} = readDescription(description);
  if (!isWord(accountId) || !isWord(instanceId) || document === undefined || document.trim() === '') {
    throw new Failure(
      'HOST_UNSUITABLE',
      'the metadata service of this host does not tell which instance it is',
      {
        hint: 'something other than EC2 answers there; use a token of method "token"',
      },
    );
  }
  return {method: 'ec2', nodeId: `${accountId}-${instanceId}`, document: new Secret(document)};
}

/** The instance's region; undefined when nobody tells. */
export async function regionOfInstance(metadata: MetadataService): Promise<string | undefined> {
  const text = await metadata.get('dynamic/instance-identity/document').catch(() => undefined);
  const {region} = readDescription(text);
  return isWord(region) ? region : undefined;
}

interface Description {
  readonly accountId?: unknown;
  readonly instanceId?: unknown;
  readonly region?: unknown;
}

function readDescription(text: string | undefined): Description {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z0-9-]{1,64}$/.test(value);
}
