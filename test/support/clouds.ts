// Clouds as their machines see them: metadata services on loopback. EC2's is in aws.ts.

import {generateKeyPairSync} from 'node:crypto';
import http, {type IncomingMessage} from 'node:http';
import https from 'node:https';
import net, {type AddressInfo} from 'node:net';
import {authorityName, issueAuthority, issueLeaf} from '../../src/devcluster/x509.js';
import {type Answer, metadataServer} from './aws.js';

export interface Cloud extends AsyncDisposable {
  /** What the process that asks has in its environment: this cloud answers, and no other. */
  readonly env: Readonly<Record<string, string>>;
  /** "METHOD /path" of each request. */
  readonly asked: string[];
}

/** Where nobody listens. */
export const NO_CLOUD = {
  AWS_EC2_METADATA_SERVICE_ENDPOINT: 'http://127.0.0.1:1',
  GCE_METADATA_HOST: '127.0.0.1:1',
  AGENTLESS_AZURE_METADATA_ENDPOINT: 'http://127.0.0.1:1',
  AGENTLESS_GCP_COMPUTE_ENDPOINT: 'http://127.0.0.1:1',
};

type Reply = {readonly status: number; readonly body: string; readonly headers?: Record<string, string>};

async function serve(
  answer: (request: IncomingMessage) => Reply,
  env: (address: string) => Record<string, string>,
): Promise<Cloud> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    const {status, body, headers} = answer(request);
    response.writeHead(status, headers).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked,
    env: {...NO_CLOUD, ...env(address)},
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** An instance with these tags; undefined: they are not allowed in its metadata. They may be changed while it runs. */
export async function ec2(tags: Record<string, string> | undefined): Promise<Cloud> {
  const prefix = 'meta-data/tags/instance';
  const values = new Proxy<Record<string, Answer>>(
    {},
    {
      get(_, path: string): Answer {
        if (path === 'meta-data/instance-id') return 'i-0abc1234def567890';
        // What a tag's name must not lead to.
        if (path.startsWith('meta-data/iam')) return 'SECRET';
        if (path === prefix) return tags && Object.keys(tags).join('\n');
        return path.startsWith(`${prefix}/`) ? tags?.[path.slice(prefix.length + 1)] : undefined;
      },
    },
  );
  const server = await metadataServer(values);
  return {
    asked: server.asked,
    env: {...NO_CLOUD, ...server.env},
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export interface GcpMachine {
  readonly labels?: Readonly<Record<string, string>>;
  readonly attributes?: Readonly<Record<string, string>>;
  /** What the Compute Engine API answers instead. */
  readonly refusal?: number;
  readonly account?: boolean;
}

export const GCP_TOKEN = 'ya29.c.example-token';

/** A virtual machine of Google's, with its metadata server and the API that knows its labels. */
export function gcp({labels, attributes = {}, refusal, account = true}: GcpMachine): Promise<Cloud> {
  const token = JSON.stringify({access_token: GCP_TOKEN, expires_in: 3599, token_type: 'Bearer'});
  const known: Record<string, string | undefined> = {
    'instance/zone': 'projects/42/zones/europe-west3-a',
    'instance/name': 'web1',
    'project/project-id': 'example.com:shop',
    'instance/service-accounts/default/token': account ? token : undefined,
  };
  const flavor = {'metadata-flavor': 'Google'};
  const answer = ({url = '', headers}: IncomingMessage): Reply => {
    if (url === '/compute/v1/projects/example.com:shop/zones/europe-west3-a/instances/web1?fields=labels') {
      if (headers.authorization !== `Bearer ${GCP_TOKEN}`) return {status: 401, body: ''};
      return {status: refusal ?? 200, body: JSON.stringify({labels})};
    }
    if (headers['metadata-flavor'] !== 'Google') return {status: 403, body: ''};
    const path = url.replace('/computeMetadata/v1/', '');
    const body = known[path] ?? attributes[path.replace('instance/attributes/', '')];
    return {status: body === undefined ? 404 : 200, body: body ?? '', headers: flavor};
  };
  return serve(answer, (address) => ({
    GCE_METADATA_HOST: address,
    AGENTLESS_GCP_COMPUTE_ENDPOINT: `http://${address}`,
  }));
}

/** Passes TLS on to what answers in the clear at `target`, with a certificate for localhost. */
export async function secured(target: string): Promise<AsyncDisposable & {url: string; authority: string}> {
  const [key, leafKey] = [1, 2].map(() => generateKeyPairSync('ec', {namedCurve: 'P-256'}));
  if (key === undefined || leafKey === undefined) throw new Error('no keys');
  const issuer = {key: key.privateKey, name: authorityName('google.test')};
  const [validFrom, validTo] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)];
  const cert = issueLeaf(issuer, {
    subject: [['commonName', 'localhost']],
    publicKey: leafKey.publicKey,
    names: ['localhost'],
    validFrom,
    validTo,
  });
  const options = {key: leafKey.privateKey.export({type: 'pkcs8', format: 'pem'}), cert};
  const server = https.createServer(options, async ({url, headers}, response) => {
    const {authorization = ''} = headers;
    const answer = await fetch(`${target}${url}`, {headers: {authorization}});
    response.writeHead(answer.status).end(await answer.text());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    authority: issueAuthority(issuer, validFrom),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A virtual machine of Azure; `list` is what tagsList holds. */
export function azure(list: unknown): Promise<Cloud> {
  const answer = ({url = '', headers}: IncomingMessage): Reply => {
    if (headers['metadata'] !== 'true') return {status: 400, body: ''};
    const isTags = url.startsWith('/metadata/instance/compute/tagsList?api-version=');
    return isTags ? {status: 200, body: JSON.stringify(list)} : {status: 404, body: ''};
  };
  return serve(answer, (address) => ({AGENTLESS_AZURE_METADATA_ENDPOINT: `http://${address}`}));
}

/** Takes every connection and says nothing, as all three of them. */
export async function silence(): Promise<Cloud> {
  const open = new Set<net.Socket>();
  const server = net.createServer((socket) => open.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    asked: [],
    env: {
      AWS_EC2_METADATA_SERVICE_ENDPOINT: `http://${address}`,
      GCE_METADATA_HOST: address,
      AGENTLESS_AZURE_METADATA_ENDPOINT: `http://${address}`,
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
