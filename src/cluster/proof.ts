// What a host shows besides the token, by the token's join method.

import type {CallerProof} from './aws/caller-identity.js';
import type {AwsEnvironment} from './aws/environment.js';
import type {InstanceProof} from './aws/instance.js';

export type JoinMethod = 'token' | 'iam' | 'ec2';

/** What only a host on AWS can show. */
export type AwsProof = CallerProof | InstanceProof;

export type Proof = {readonly method: 'token'} | AwsProof;

/** Looks around on this host; the cluster is not asked. HOST_UNSUITABLE when there is nothing to show. */
export async function gatherProof(method: 'iam' | 'ec2', env: AwsEnvironment): Promise<AwsProof> {
  return method === 'ec2'
    ? (await import('./aws/instance.js')).proveInstance(env)
    : (await import('./aws/caller-identity.js')).proveCaller(env);
}
