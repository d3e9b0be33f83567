// AWS as a host on it sees it: the metadata service of an instance, emulated on loopback, and documents signed as EC2
// signs them.

import {generateKeyPairSync, type KeyObject} from 'node:crypto';
import http, {type IncomingMessage} from 'node:http';
import type {AddressInfo} from 'node:net';
import forge from 'node-forge';
import {authorityName, issueAuthority} from '../../src/devcluster/x509.js';

export const ACCOUNT = '111122223333';
export const INSTANCE = 'i-0abc1234def567890';
export const REGION = 'eu-central-1';
export const ARN = `arn:aws:sts::${ACCOUNT}:assumed-role/web/${INSTANCE}`;
export const CREDENTIALS = {
  accessKeyId: 'ASIAEXAMPLEKEY',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  sessionToken: 'FwoGZXIvYXdzEXAMPLE+TOKEN/with==',
};

/** The caller that a development cluster takes those credentials for. */
export const CALLERS = {
  [CREDENTIALS.accessKeyId]: {
    secret: CREDENTIALS.secret,
    sessionToken: CREDENTIALS.sessionToken,
    account: ACCOUNT,
    arn: ARN,
  },
};

/** The same as the environment of a process. */
export const CREDENTIALS_ENV = {
  AWS_ACCESS_KEY_ID: CREDENTIALS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: CREDENTIALS.secret,
  AWS_SESSION_TOKEN: CREDENTIALS.sessionToken,
  AWS_REGION: REGION,
};

export interface Authority {
  readonly key: KeyObject;
  /** PEM. */
  readonly certificate: string;
}

export function newAuthority(): Authority {
  const key = generateKeyPairSync('rsa', {modulusLength: 2048}).privateKey;
  return {
    key,
    certificate: issueAuthority({key, name: authorityName('ec2.test')}, new Date(Date.now() - 1000)),
  };
}

export interface Description {
  readonly accountId?: string;
  readonly instanceId?: string;
  readonly region?: string;
  readonly pendingTime?: string;
}

export function description(changes: Description = {}): string {
  const pendingTime = new Date(Date.now() - 10_000).toISOString().replace(/\.\d+/, '');
  const all = {accountId: ACCOUNT, instanceId: INSTANCE, region: REGION, pendingTime, ...changes};
  return JSON.stringify(all, null, 2);
}

/** PKCS #7 as the metadata service sends it: base64 in lines, without a label. */
export function signedDocument({key, certificate}: Authority, content: string, attributes = true): string {
  const data = forge.pkcs7.createSignedData();
  data.content = forge.util.createBuffer(content, 'utf8');
  const signer = forge.pki.certificateFromPem(certificate);
  data.addSigner({
    key: forge.pki.privateKeyFromPem(key.export({type: 'pkcs1', format: 'pem'}).toString()),
    certificate: signer,
    digestAlgorithm: forge.pki.oids['sha256'] ?? '',
    authenticatedAttributes: attributes
      ? [
          {type: forge.pki.oids['contentType'] ?? '', value: forge.pki.oids['data'] ?? ''},
          {type: forge.pki.oids['messageDigest'] ?? ''},
        ]
      : [],
  });
  data.sign();
  const der = forge.asn1.toDer(data.toAsn1()).getBytes();
  return Buffer.from(der, 'latin1').toString('base64').replace(/.{64}/g, '$&\n');
}

export type Answer = string | {readonly status: number; readonly body: string} | undefined;

export interface MetadataServer extends AsyncDisposable {
  /** host:port. */
  readonly address: string;
  /** What the process that asks has in its environment. */
  readonly env: {readonly AWS_EC2_METADATA_SERVICE_ENDPOINT: string};
  /** "METHOD /path" of each request. */
  readonly asked: string[];
}

const SESSION = 'AQAEAExampleSession==';

/** IMDSv2: nothing without a session. `answers` by path below /latest/; absent: 404. */
export async function metadataServer(answers: Readonly<Record<string, Answer>>): Promise<MetadataServer> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const answer = reply(request, answers);
    const {status, body} = typeof answer === 'string' ? {status: 200, body: answer} : answer;
    response.writeHead(status, {'content-type': 'text/plain'}).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    asked,
    env: {AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${address}`},
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function reply({method, url, headers}: IncomingMessage, answers: Readonly<Record<string, Answer>>) {
  const path = (url ?? '').replace(/^\/latest\//, '');
  if (path === 'api/token') {
    const asks = method === 'PUT' && headers['x-aws-ec2-metadata-token-ttl-seconds'] !== undefined;
    return answers[path] ?? (asks ? SESSION : {status: 400, body: ''});
  }
  if (headers['x-aws-ec2-metadata-token'] !== SESSION) return {status: 401, body: ''};
  return answers[path] ?? {status: 404, body: 'Not Found'};
}

/** What an instance with a role answers. */
export function instanceAnswers(authority: Authority, changes: Description = {}): Record<string, Answer> {
  const text = description(changes);
  const {accessKeyId, secret, sessionToken} = CREDENTIALS;
  const credentials = {
    Code: 'Success',
    Type: 'AWS-HMAC',
    AccessKeyId: accessKeyId,
    SecretAccessKey: secret,
    Token: sessionToken,
    Expiration: '2099-01-01T00:00:00Z',
  };
  return {
    'dynamic/instance-identity/document': text,
    'dynamic/instance-identity/rsa2048': signedDocument(authority, text),
    'meta-data/iam/security-credentials/': 'web\n',
    'meta-data/iam/security-credentials/web': JSON.stringify(credentials),
  };
}
