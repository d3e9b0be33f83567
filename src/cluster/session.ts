// What hosts, people and bots all ask of Auth.

import type {AuthConnection, Call} from './auth-connection.js';
import {readAuthority} from './authority.js';
import type {
  Authority,
  AuthorityType,
  Certificates,
  Credential,
  HostCertificateRequest,
  Node,
  Session,
} from './cluster.js';
import {listNodes} from './node-pages.js';
import {NAMESPACE, nodeRecord} from './node-record.js';

export abstract class AuthSession implements Session {
  readonly #cluster: string;
  protected readonly connection: AuthConnection;

  constructor({cluster}: Credential, connection: AuthConnection) {
    this.#cluster = cluster;
    this.connection = connection;
  }

  async authority(type: AuthorityType): Promise<Authority> {
    const domain = this.#cluster;
    const answer = await this.#call(`tell its ${type} authority`, ({trust}, options) =>
      trust.getCertAuthority({type, domain, includeKey: false}, options),
    );
    return readAuthority(answer, type, domain);
  }

  abstract certify(request: HostCertificateRequest, hostKeys: readonly string[]): Promise<Certificates>;

  async nodesLike(hostname: string, address: string): Promise<readonly Node[]> {
    // Keywords of one question must all match, so it takes two; they travel together.
    const keywords = [...new Set([hostname, address])].filter((keyword) => keyword !== '');
    const found = (await Promise.all(keywords.map((keyword) => listNodes(this.connection, keyword)))).flat();
    const exact = found.filter((node) => node.hostname === hostname || node.address === address);
    return [...new Map(exact.map((node) => [node.id, node])).values()];
  }

  async putNode(node: Node): Promise<void> {
    await this.#call('register a node', ({auth}, options) => auth.upsertNode(nodeRecord(node), options));
  }

  async removeNode(id: string): Promise<void> {
    await this.#call('remove a node', ({auth}, options) =>
      auth.deleteNode({name: id, namespace: NAMESPACE}, options).catch(absentIsFine),
    );
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  #call<T>(doing: string, call: Call<T>): Promise<T> {
    return this.connection.call(doing, call);
  }
}

function absentIsFine(error: unknown): void {
  const notFound = 5;
  if (!(error instanceof Error && 'code' in error && error.code === notFound)) throw error;
}
