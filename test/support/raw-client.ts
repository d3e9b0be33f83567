// A second client, written from the wire's description alone: node:http2, hand-made gRPC frames and the generated
// messages. It shares nothing with the program's own client, so the two can disagree.

import {createPublicKey, generateKeyPairSync, type KeyObject, X509Certificate} from 'node:crypto';
import {readFileSync} from 'node:fs';
import http2, {type ClientHttp2Session} from 'node:http2';
import https from 'node:https';
import tls, {type ConnectionOptions, type TLSSocket} from 'node:tls';
import {
  create,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf';
import {formatPublicKey, generateKey, publicBlob} from '../../src/ssh/key.js';

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
}

export interface Server {
  readonly proxy: string;
  readonly auth: string;
  readonly caFile: string;
  readonly name: string;
}

export async function request(
  server: Pick<Server, 'proxy' | 'caFile'>,
  path: string,
  options: {method?: string; body?: string; headers?: Record<string, string>} = {},
): Promise<HttpAnswer> {
  const {method = 'GET', body, headers = {}} = options;
  const {host, port} = split(server.proxy);
  return new Promise((resolve, reject) => {
    const ca = readFileSync(server.caFile);
    const call = https.request({host, port, path, method, headers, ca, agent: false}, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const contentType = response.headers['content-type'] ?? '';
        resolve({status: response.statusCode ?? 0, contentType, body: Buffer.concat(chunks).toString()});
      });
    });
    call.on('error', reject);
    call.end(body);
  });
}

export interface HostKeys {
  readonly tls: KeyObject;
  readonly ssh: KeyObject;
}

export const newHostKeys = (): HostKeys => ({
  tls: generateKeyPairSync('ec', {namedCurve: 'P-256'}).privateKey,
  ssh: generateKey('ed25519'),
});

export const sshLine = (key: KeyObject) => `${formatPublicKey(publicBlob(key))}\n`;
export const tlsPem = (key: KeyObject) =>
  createPublicKey(key).export({type: 'spki', format: 'pem'}).toString();

/** The fields of a good join; a test overrides what it is about. */
export function joinFields(token: string, keys: HostKeys, hostId: string): Record<string, unknown> {
  return {
    hostID: hostId,
    node_name: 'db1',
    role: 'Node',
    token,
    additional_principals: ['db1.example.com', '10.0.0.5', 'db1'],
    dns_names: null,
    public_tls_key: Buffer.from(tlsPem(keys.tls)).toString('base64'),
    public_ssh_key: Buffer.from(sshLine(keys.ssh)).toString('base64'),
    remote_addr: '',
  };
}

export const JOIN_PATH = '/webapi/host/credentials';

export function postJoin(server: Pick<Server, 'proxy' | 'caFile'>, fields: object): Promise<HttpAnswer> {
  const headers = {'content-type': 'application/json'};
  return request(server, JOIN_PATH, {method: 'POST', headers, body: JSON.stringify(fields)});
}

export interface JoinAnswer {
  /** authorized_keys style line. */
  readonly ssh: string;
  /** PEM. */
  readonly tls: string;
  readonly tlsAuthorities: readonly string[];
  readonly sshAuthorities: readonly string[];
}

export function readJoin({body}: HttpAnswer): JoinAnswer {
  const json = JSON.parse(body);
  const text = (base64: string) => Buffer.from(base64, 'base64').toString();
  return {
    ssh: text(json.ssh).trim(),
    tls: text(json.tls),
    tlsAuthorities: json.tls_ca_certs.map(text),
    sshAuthorities: json.ssh_ca_certs.map(text),
  };
}

export const authName = (cluster: string) => `${Buffer.from(cluster).toString('hex')}.teleport.cluster.local`;

/** TLS to Auth, through the proxy's port or directly; resolves after the handshake. */
export function dialAuth(
  server: Server,
  options: ConnectionOptions & {direct?: boolean} = {},
): Promise<TLSSocket> {
  const {direct = false, ...rest} = options;
  const servername = authName(server.name);
  const ALPNProtocols = direct ? ['h2'] : [`teleport-auth@${servername}`, 'h2'];
  const target = split(direct ? server.auth : server.proxy);
  return connect({...target, servername, ALPNProtocols, rejectUnauthorized: false, ...rest});
}

export function connect(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect(options, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** The peer as wire section 16.2 wants it checked: one certificate, issued by the authority, for that name. */
export function peerProblem(
  leaf: X509Certificate | undefined,
  authority: string,
  name: string,
): string | undefined {
  const ca = new X509Certificate(authority);
  if (leaf === undefined) return 'no certificate';
  if (!leaf.checkIssued(ca) || !leaf.verify(ca.publicKey)) return 'not issued by the authority';
  if (leaf.checkHost(name) === undefined) return 'not for that name';
  if (!leaf.keyUsage.includes('1.3.6.1.5.5.7.3.1')) return 'not for servers';
  return undefined;
}

export interface Status {
  readonly code: number;
  readonly message: string;
  /** Response headers and trailers together. */
  readonly headers: Readonly<Record<string, string>>;
}

/** A gRPC status other than OK. */
export class GrpcError extends Error {
  readonly code: number;

  constructor({code, message}: Status) {
    super(message);
    this.code = code;
  }
}

/** The stream ended and nobody said why. */
export class NoStatus extends Error {}

export class GrpcClient {
  readonly #session: ClientHttp2Session;
  readonly #metadata: Record<string, string>;
  lastHeaders: Readonly<Record<string, string>> = {};

  constructor(socket: TLSSocket, metadata: Record<string, string> = {}) {
    this.#session = http2.connect('https://auth', {createConnection: () => socket});
    this.#session.on('error', () => {});
    this.#metadata = metadata;
  }

  async call<M extends DescMethodUnary>(
    method: M,
    message: MessageInitShape<M['input']>,
  ): Promise<MessageShape<M['output']>> {
    const body = toBinary(method.input, create(method.input, message));
    const answer = await this.raw(`/${method.parent.typeName}/${method.name}`, body);
    return fromBinary(method.output, answer) as MessageShape<M['output']>;
  }

  /** The one message of a unary answer, without its frame. */
  raw(path: string, body: Uint8Array): Promise<Buffer> {
    const stream = this.#session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...this.#metadata,
    });
    const seen: Record<string, string> = {};
    const note = (headers: object) => {
      for (const [name, value] of Object.entries(headers)) seen[name] = String(value);
    };
    const chunks: Buffer[] = [];
    stream
      .on('response', note)
      .on('trailers', note)
      .on('data', (chunk) => chunks.push(chunk));
    return new Promise((resolve, reject) => {
      stream.on('error', () => {});
      stream.on('close', () => {
        this.lastHeaders = seen;
        const code = seen['grpc-status'];
        const text = decodeURIComponent(seen['grpc-message'] ?? '');
        if (code === undefined) reject(new NoStatus('stream closed without status'));
        else if (code !== '0') reject(new GrpcError({code: Number(code), message: text, headers: seen}));
        else resolve(Buffer.concat(chunks).subarray(5));
      });
      const frame = Buffer.alloc(5);
      frame.writeUInt32BE(body.length, 1);
      stream.end(Buffer.concat([frame, body]));
    });
  }

  close(): void {
    this.#session.destroy();
  }
}

export function split(address: string): {host: string; port: number} {
  const colon = address.lastIndexOf(':');
  return {host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1))};
}
