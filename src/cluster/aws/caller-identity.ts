// The proof that a token of method iam wants: a request to AWS's security token service (STS), signed by this host and
// sent by the cluster, whose answer says whose credentials have signed it.

import {Failure} from '../../errors.js';
import {type FoundCredentials, findCredentials} from './credentials.js';
import type {AwsEnvironment} from './environment.js';
import {regionOfInstance} from './instance.js';
import {MetadataService} from './metadata.js';
import {authorization} from './sigv4.js';

/** Who this host is to AWS. */
export interface CallerProof {
  readonly method: 'iam';
  readonly credentials: FoundCredentials;
  /** Of the STS endpoint. */
  readonly region: string;
  readonly fips: boolean;
}

/** Finds credentials and region as Teleport's own agent does; HOST_UNSUITABLE where there are no credentials. */
export async function proveCaller(env: AwsEnvironment): Promise<CallerProof> {
  const metadata = new MetadataService(env);
  const credentials = await findCredentials(env, metadata);
  const named = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'];
  const region = named || (await regionOfInstance(metadata)) || FALLBACK;
  if (!/^[a-z0-9-]{1,40}$/.test(region)) {
    throw new Failure('USAGE', 'the value of AWS_REGION is not a region', {
      hint: 'write it like eu-central-1',
    });
  }
  const fips = env['AWS_USE_FIPS_ENDPOINT']?.toLowerCase() === 'true';
  return {method: 'iam', credentials, fips, region: fips && !FIPS.test(region) ? FALLBACK : region};
}

const FALLBACK = 'us-east-1';
const FIPS = /^us-(gov-)?(east|west)-\d$/;
const BODY = 'Action=GetCallerIdentity&Version=2011-06-15';

/** The request, as bytes of HTTP/1.1, with the cluster's challenge among what is signed. */
export function signedIdentityRequest(proof: CallerProof, challenge: string, now = new Date()): Buffer {
  // It comes from whoever answers, and becomes a header.
  if (!/^[A-Za-z0-9+/=_-]{16,512}$/.test(challenge)) {
    throw new Failure('CLUSTER_REPLY_INVALID', 'the cluster sent no challenge that can be signed', {
      hint: 'nothing has been changed; is something standing between this host and the cluster?',
    });
  }
  const {credentials, region} = proof;
  const token = credentials.sessionToken?.reveal();
  const headers = {
    host: stsHost(proof),
    accept: 'application/json',
    'content-length': String(BODY.length),
    'content-type': 'application/x-www-form-urlencoded',
    'x-amz-date': now.toISOString().replace(/[-:]|\.\d+/g, ''),
    ...(token !== undefined && {'x-amz-security-token': token}),
    'x-teleport-challenge': challenge,
  };
  const request = {method: 'POST', path: '/', query: '', headers, body: BODY};
  // The global endpoint belongs to this region.
  const scope = {region: region === 'aws-global' ? FALLBACK : region, service: 'sts'};
  const signed = {...headers, authorization: authorization(request, credentials, scope)};
  const lines = Object.entries(signed).map(([name, value]) => `${name}: ${value}`);
  return Buffer.from(['POST / HTTP/1.1', ...lines, '', BODY].join('\r\n'), 'latin1');
}

/** The endpoint of a region, by the partition that its name tells. */
function stsHost({region, fips}: CallerProof): string {
  if (region === 'aws-global') return 'sts.amazonaws.com';
  // In GovCloud the ordinary endpoint is the FIPS one.
  const name = fips && !region.startsWith('us-gov-') ? 'sts-fips' : 'sts';
  return `${name}.${region}.${suffixOf(region)}`;
}

const SUFFIXES: readonly (readonly [RegExp, string])[] = [
  [/^cn-/, 'amazonaws.com.cn'],
  [/^us-iso-/, 'c2s.ic.gov'],
  [/^us-isob-/, 'sc2s.sgov.gov'],
];

function suffixOf(region: string): string {
  return SUFFIXES.find(([partition]) => partition.test(region))?.[1] ?? 'amazonaws.com';
}
