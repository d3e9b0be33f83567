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
import {NAMESPACE, nodeRecord, readNode} from './node-record.js';

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

  /** Who sees every node, as hosts do, is shown each that there is. */
  async node(id: string): Promise<Node | undefined> {
    const answer = await this.lookUp(id);
    return answer === 'hidden' ? undefined : answer;
  }

  /** 'hidden': there is one, which the roles do not show. */
  protected async lookUp(id: string): Promise<Node | 'hidden' | undefined> {
    const answer = await this.#call('read a node', ({auth}, options) =>
      auth.getNode({name: id, namespace: NAMESPACE}, options).catch((error: unknown) => {
        if (codeOf(error) !== NOT_FOUND) throw error;
        // A node that is not there "does not exist"; one that the roles do not show is just "not found".
        return /\] not found$/.test(String(error)) ? ('hidden' as const) : undefined;
      }),
    );
    return answer === 'hidden' ? answer : answer && readNode(answer);
  }

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

export const NOT_FOUND = 5;

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function absentIsFine(error: unknown): void {
  if (codeOf(error) !== NOT_FOUND) throw error;
}
