// The endpoints of AWS's security token service that 18.0.0 takes.

const FIPS = ['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2'];

const REGIONS = [
  ...['af-south-1', 'ap-east-1', 'ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-south-1'],
  ...['ap-south-2', 'ap-southeast-1', 'ap-southeast-2', 'ap-southeast-3', 'ap-southeast-4', 'ca-central-1'],
  ...['ca-west-1', 'eu-central-1', 'eu-central-2', 'eu-north-1', 'eu-south-1', 'eu-south-2', 'eu-west-1'],
  ...['eu-west-2', 'eu-west-3', 'il-central-1', 'me-central-1', 'me-south-1', 'sa-east-1', 'us-east-1'],
  ...['us-east-2', 'us-gov-east-1', 'us-gov-west-1', 'us-west-1', 'us-west-2'],
];

/** Sorted. */
export const STS_HOSTS: readonly string[] = [
  'sts.amazonaws.com',
  ...FIPS.map((region) => `sts-fips.${region}.amazonaws.com`),
  ...REGIONS.map((region) => `sts.${region}.amazonaws.com`),
  ...['cn-north-1', 'cn-northwest-1'].map((region) => `sts.${region}.amazonaws.com.cn`),
  ...['us-iso-east-1', 'us-iso-west-1'].map((region) => `sts.${region}.c2s.ic.gov`),
  'sts.us-isob-east-1.sc2s.sgov.gov',
].sort();
