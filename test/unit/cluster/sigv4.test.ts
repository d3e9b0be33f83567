import {expect} from 'chai';
import {type AwsRequest, authorization} from '../../../src/cluster/aws/sigv4.js';
import {Secret} from '../../../src/errors.js';

// Examples that AWS itself has published: its signature test suite, and the ListUsers request of its documentation.

const CREDENTIALS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
};
const DATE = {'X-Amz-Date': '20150830T123600Z'};
const HOST = {Host: 'example.amazonaws.com'};
const FORM = {'Content-Type': 'application/x-www-form-urlencoded'};

const get = (headers: Record<string, string>, changes: Partial<AwsRequest> = {}): AwsRequest => ({
  method: 'GET',
  path: '/',
  query: '',
  headers: {...HOST, ...DATE, ...headers},
  body: '',
  ...changes,
});
const post = (headers: Record<string, string>, changes: Partial<AwsRequest> = {}) =>
  get(headers, {method: 'POST', ...changes});

const CASES: readonly (readonly [name: string, request: AwsRequest, headers: string, signature: string])[] = [
  [
    'get-vanilla',
    get({}),
    'host;x-amz-date',
    '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
  ],
  [
    'get-vanilla-query-order-key-case',
    get({}, {query: 'Param1=value1&Param2=value2'}),
    'host;x-amz-date',
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'get-header-value-trim',
    get({'My-Header1': ' value1', 'My-Header2': ' "a   b   c"'}),
    'host;my-header1;my-header2;x-amz-date',
    'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  ],
  [
    'post-vanilla',
    post({}),
    'host;x-amz-date',
    '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
  ],
  [
    'post-header-key-sort',
    post({'My-Header1': 'value1'}),
    'host;my-header1;x-amz-date',
    'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  ],
  [
    'post-x-www-form-urlencoded',
    post(FORM, {body: 'Param1=value1'}),
    'content-type;host;x-amz-date',
    'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  ],
];

describe('signature version 4', () => {
  for (const [name, request, headers, signature] of CASES) {
    it(`is as published for ${name}`, () => {
      expect(authorization(request, CREDENTIALS, {region: 'us-east-1', service: 'service'})).to.equal(
        'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, ' +
          `SignedHeaders=${headers}, Signature=${signature}`,
      );
    });
  }

  it('is as published for ListUsers of IAM', () => {
    const request = get(
      {Host: 'iam.amazonaws.com', 'Content-Type': 'application/x-www-form-urlencoded; charset=utf-8'},
      {query: 'Action=ListUsers&Version=2010-05-08'},
    );
    expect(authorization(request, CREDENTIALS, {region: 'us-east-1', service: 'iam'})).to.equal(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, ' +
        'SignedHeaders=content-type;host;x-amz-date, ' +
        'Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    );
  });
});
