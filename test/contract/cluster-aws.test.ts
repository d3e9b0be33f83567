import http from 'node:http';
import net, {type AddressInfo} from 'node:net';
import {inspect} from 'node:util';
import {expect} from 'chai';
import {type CallerProof, signedIdentityRequest} from '../../src/cluster/aws/caller-identity.js';
import {gatherProof} from '../../src/cluster/proof.js';
import {Secret} from '../../src/errors.js';
import {
  ACCOUNT,
  type Authority,
  CREDENTIALS,
  CREDENTIALS_ENV,
  INSTANCE,
  instanceAnswers,
  metadataServer,
  newAuthority,
  REGION,
} from '../support/aws.js';
import {failure} from '../support/cluster-client.js';

// What a host finds out about itself on AWS: from its environment, its container, its instance.

describe('the proof of an EC2 instance', () => {
  let authority: Authority;
  before(() => {
    authority = newAuthority();
  });

  it('is the document as the metadata service sends it, and the node id that goes with it', async () => {
    const answers = instanceAnswers(authority);
    await using service = await metadataServer(answers);
    const proof = await gatherProof('ec2', service.env);
    if (proof.method !== 'ec2') expect.fail('of another method');
    expect(proof.nodeId).to.equal(`${ACCOUNT}-${INSTANCE}`);
    expect(proof.document.reveal()).to.equal(answers['dynamic/instance-identity/rsa2048']);
    expect(service.asked[0]).to.equal('PUT /latest/api/token');
    expect(service.asked.slice(1).sort()).to.deep.equal([
      'GET /latest/dynamic/instance-identity/document',
      'GET /latest/dynamic/instance-identity/rsa2048',
    ]);
  });

  const UNSUITABLE = 'this host is not an EC2 instance, or its metadata service does not answer';

  it('cannot be had where nobody answers', async () => {
    const error = await failure(
      gatherProof('ec2', {AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1'}),
    );
    expect(error).to.include({code: 'HOST_UNSUITABLE', exitCode: 6, message: UNSUITABLE});
    expect(error.detail).to.contain('ECONNREFUSED');
    expect(error.hint).to.contain('IMDSv2');
  });

  it('is not waited for long where somebody listens and says nothing', async () => {
    const silent = net.createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const {port} = silent.address() as AddressInfo;
    const error = await failure(
      gatherProof('ec2', {AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://127.0.0.1:${port}`}),
    );
    silent.close();
    expect(error).to.include({code: 'HOST_UNSUITABLE', message: UNSUITABLE});
    expect(error.detail).to.contain('ETIMEDOUT');
  });

  const faults: readonly (readonly [string, Record<string, {status: number; body: string} | string>])[] = [
    ['no sessions', {'api/token': {status: 403, body: ''}}],
    ['a session that cannot be a header', {'api/token': 'a\r\nb'}],
    ['another status', {'dynamic/instance-identity/document': {status: 500, body: ''}}],
    ['no document', {'dynamic/instance-identity/rsa2048': ''}],
    ['a web page', {'dynamic/instance-identity/document': '<html>'}],
    ['no account', {'dynamic/instance-identity/document': '{"instanceId":"i-1"}'}],
    ['an id that is none', {'dynamic/instance-identity/document': '{"accountId":"1","instanceId":"i\\n1"}'}],
    ['too much', {'dynamic/instance-identity/document': ' '.repeat(300_000)}],
  ];
  for (const [what, changes] of faults) {
    it(`cannot be had from a service with ${what}`, async () => {
      await using service = await metadataServer({...instanceAnswers(authority), ...changes});
      const error = await failure(gatherProof('ec2', service.env));
      expect(error).to.include({code: 'HOST_UNSUITABLE', exitCode: 6});
      expect(error.hint).to.be.a('string').that.is.not.empty;
    });
  }

  it('is not asked for where that is turned off', async () => {
    await using service = await metadataServer(instanceAnswers(authority));
    const env = {...service.env, AWS_EC2_METADATA_DISABLED: 'true'};
    expect(await failure(gatherProof('ec2', env))).to.include({code: 'HOST_UNSUITABLE'});
    expect(service.asked).to.deep.equal([]);
  });

  it('takes an endpoint with a path, and refuses one that is no URL', async () => {
    await using service = await metadataServer(instanceAnswers(authority));
    const endpoint = `${service.env.AWS_EC2_METADATA_SERVICE_ENDPOINT}/`;
    expect(await gatherProof('ec2', {AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint})).to.include({
      method: 'ec2',
    });
    for (const env of [
      {AWS_EC2_METADATA_SERVICE_ENDPOINT: 'not a url'},
      {AWS_EC2_METADATA_SERVICE_ENDPOINT: 'file:///etc/passwd'},
      {AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: 'IPv5'},
    ]) {
      expect(await failure(gatherProof('ec2', env))).to.include({code: 'USAGE', exitCode: 2});
    }
  });
});

describe('AWS credentials', () => {
  const NOWHERE = {AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1'};
  const found = async (env: Record<string, string>): Promise<CallerProof> => {
    const proof = await gatherProof('iam', env);
    return proof.method === 'iam' ? proof : expect.fail('of another method');
  };
  const revealed = ({credentials}: CallerProof) => ({
    accessKeyId: credentials.accessKeyId,
    secret: credentials.secretAccessKey.reveal(),
    sessionToken: credentials.sessionToken?.reveal(),
  });
  let authority: Authority;
  before(() => {
    authority = newAuthority();
  });

  it('come from the environment first', async () => {
    const proof = await found({...NOWHERE, ...CREDENTIALS_ENV});
    expect(revealed(proof)).to.deep.equal(CREDENTIALS);
    expect(proof).to.include({region: REGION, fips: false});
    expect(proof.credentials.source).to.equal('the environment');
  });

  it('are long-lived without a session token', async () => {
    const {AWS_SESSION_TOKEN: _, ...env} = CREDENTIALS_ENV;
    expect(revealed(await found({...NOWHERE, ...env})).sessionToken).to.equal(undefined);
    expect(revealed(await found({...NOWHERE, ...env, AWS_SESSION_TOKEN: ''})).sessionToken).to.equal(
      undefined,
    );
  });

  it("come from the instance's role last, and the region with them", async () => {
    await using service = await metadataServer(instanceAnswers(authority));
    const proof = await found(service.env);
    expect(revealed(proof)).to.deep.equal(CREDENTIALS);
    expect(proof.region).to.equal(REGION);
    expect(proof.credentials.source).to.equal("the instance's role web");
  });

  it('come from the container before that, with its authorization', async () => {
    const asked: unknown[] = [];
    const {accessKeyId: AccessKeyId, secret: SecretAccessKey, sessionToken: Token} = CREDENTIALS;
    const container = http.createServer(({url, headers}, response) => {
      asked.push([url, headers.authorization]);
      response.end(JSON.stringify({AccessKeyId, SecretAccessKey, Token}));
    });
    await new Promise<void>((resolve) => container.listen(0, '127.0.0.1', resolve));
    const {port} = container.address() as AddressInfo;
    await using service = await metadataServer(instanceAnswers(authority));
    const proof = await found({
      ...service.env,
      AWS_CONTAINER_CREDENTIALS_FULL_URI: `http://127.0.0.1:${port}/v2/credentials?x=1`,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: 'Bearer s3cr3t',
    });
    container.close();
    expect(revealed(proof)).to.deep.equal(CREDENTIALS);
    expect(asked).to.deep.equal([['/v2/credentials?x=1', 'Bearer s3cr3t']]);
    expect(service.asked.filter((line) => line.includes('security-credentials'))).to.deep.equal([]);
    expect(proof.region).to.equal(REGION);
  });

  it('are not asked of a container service that is elsewhere, in plain text', async () => {
    for (const uri of ['http://example.com/x', 'http://127.0.0.1.example.com/', 'ftp://127.0.0.1/', 'x']) {
      const error = await failure(found({...NOWHERE, AWS_CONTAINER_CREDENTIALS_FULL_URI: uri}));
      expect(error, uri).to.include({code: 'USAGE'});
    }
    const gone = {AWS_CONTAINER_CREDENTIALS_FULL_URI: 'http://127.0.0.1:1/'};
    expect(await failure(found({...NOWHERE, ...gone}))).to.include({code: 'HOST_UNSUITABLE'});
  });

  it('are missed in words', async () => {
    const error = await failure(found(NOWHERE));
    expect(error).to.include({
      code: 'HOST_UNSUITABLE',
      exitCode: 6,
      message: 'this host has no AWS credentials to join with',
    });
    expect(error.hint).to.contain('AWS_ACCESS_KEY_ID');
  });

  const ROLE = 'meta-data/iam/security-credentials/';
  const faults: readonly (readonly [string, Record<string, string | undefined>])[] = [
    ['no role', {[ROLE]: undefined}],
    ['a role that is no name', {[ROLE]: '../../user-data'}],
    ['nothing for the role', {[`${ROLE}web`]: undefined}],
    ['no JSON', {[`${ROLE}web`]: 'secretnonsense'}],
    ['a failure', {[`${ROLE}web`]: '{"Code":"AssumeRoleUnauthorizedAccess"}'}],
    ['a key that breaks lines', {[`${ROLE}web`]: '{"AccessKeyId":"a\\r\\nb","SecretAccessKey":"c"}'}],
  ];
  for (const [what, changes] of faults) {
    it(`are missed on an instance with ${what}`, async () => {
      await using service = await metadataServer({...instanceAnswers(authority), ...changes});
      const error = await failure(found(service.env));
      expect(error).to.include({code: 'HOST_UNSUITABLE'});
      expect(inspect(error, {depth: 9})).not.to.contain('secretnonsense');
    });
  }

  it('are never shown', async () => {
    const proof = await found({...NOWHERE, ...CREDENTIALS_ENV});
    const shown = `${inspect(proof, {depth: 9, showHidden: true})}${JSON.stringify(proof)}`;
    expect(shown).not.to.contain(CREDENTIALS.secret).and.not.to.contain(CREDENTIALS.sessionToken);
  });

  it('go with a region: named, the fallback, or refused', async () => {
    const {AWS_REGION: _, ...env} = {...NOWHERE, ...CREDENTIALS_ENV};
    expect(await found(env)).to.include({region: 'us-east-1'});
    expect(await found({...env, AWS_DEFAULT_REGION: 'eu-west-3'})).to.include({region: 'eu-west-3'});
    for (const AWS_REGION of ['evil.example/', 'a\r\nb', 'A']) {
      expect(await failure(found({...env, AWS_REGION})), AWS_REGION).to.include({code: 'USAGE'});
    }
  });
});

describe('the signed request for the identity of a caller', () => {
  const CHALLENGE = '0ezlc3usTAkXeZTcfOazUq0BGrRaKmb4EwODk8U7J5A';
  const credentials = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: new Secret('wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'),
    source: 'a test',
  };
  const hostOf = (region: string, fips = false) =>
    /^host: (.*)\r$/m.exec(
      signedIdentityRequest({method: 'iam', credentials, region, fips}, CHALLENGE).toString(),
    )?.[1];

  it('is HTTP/1.1 with the challenge among what is signed', () => {
    const proof = {method: 'iam', credentials, region: 'us-east-1', fips: false} as const;
    const text = signedIdentityRequest(proof, CHALLENGE, new Date('2015-08-30T12:36:00.123Z')).toString();
    const [head = '', body] = text.split('\r\n\r\n');
    expect(body).to.equal('Action=GetCallerIdentity&Version=2011-06-15');
    const [first, ...lines] = head.split('\r\n');
    expect(first).to.equal('POST / HTTP/1.1');
    expect(lines.slice(0, -1)).to.deep.equal([
      'host: sts.us-east-1.amazonaws.com',
      'accept: application/json',
      'content-length: 43',
      'content-type: application/x-www-form-urlencoded',
      'x-amz-date: 20150830T123600Z',
      `x-teleport-challenge: ${CHALLENGE}`,
    ]);
    expect(lines.at(-1)).to.match(
      /^authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE\/20150830\/us-east-1\/sts\/aws4_request, SignedHeaders=accept;content-length;content-type;host;x-amz-date;x-teleport-challenge, Signature=[0-9a-f]{64}$/,
    );
  });

  it('goes to the endpoint of the region', () => {
    const hosts: readonly (readonly [string, boolean, string])[] = [
      ['eu-central-1', false, 'sts.eu-central-1.amazonaws.com'],
      ['us-east-1', true, 'sts-fips.us-east-1.amazonaws.com'],
      ['us-gov-west-1', true, 'sts.us-gov-west-1.amazonaws.com'],
      ['cn-north-1', false, 'sts.cn-north-1.amazonaws.com.cn'],
      ['us-iso-east-1', false, 'sts.us-iso-east-1.c2s.ic.gov'],
      ['us-isob-east-1', false, 'sts.us-isob-east-1.sc2s.sgov.gov'],
      ['aws-global', false, 'sts.amazonaws.com'],
    ];
    for (const [region, fips, host] of hosts) expect(hostOf(region, fips)).to.equal(host);
  });
});
