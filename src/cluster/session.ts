// A node's own conversation with Auth.

import {createPrivateKey} from 'node:crypto';
import type {AuthConnection, Call} from './auth-connection.js';
import {readAuthority} from './authority.js';
import type {Authority, Credential, HostCertificateRequest, Node, Session} from './cluster.js';
import {checkSshCertificate, ROLE, readCerts} from './identity.js';
import {publicPem} from './join-request.js';
import {listNodes} from './node-pages.js';
import {NAMESPACE, nodeRecord} from './node-record.js';

export class AuthSession implements Session {
  readonly #identity: Credential;
  protected readonly connection: AuthConnection;

  constructor(identity: Credential, connection: AuthConnection) {
    this.#identity = identity;
    this.connection = connection;
  }

  async authority(type: 'host' | 'openssh'): Promise<Authority> {
    const domain = this.#identity.cluster;
    const answer = await this.#call(`tell its ${type} authority`, ({trust}, options) =>
      trust.getCertAuthority({type, domain, includeKey: false}, options),
    );
    return readAuthority(answer, type, domain);
  }

  async certify(request: HostCertificateRequest, hostKeys: readonly string[]): Promise<readonly string[]> {
    const {cluster, key} = this.#identity;
    // Auth wants a TLS key each time, and certifies it too.
    const publicTlsKey = Buffer.from(publicPem(createPrivateKey(key.reveal())));
    return Promise.all(
      hostKeys.map(async (hostKey) => {
        const issued = await this.#call('sign a host certificate', ({auth}, options) =>
          auth.generateHostCerts(
            {
              hostId: request.nodeId,
              nodeName: request.nodeName,
              role: ROLE,
              additionalPrincipals: [...request.additionalPrincipals],
              publicTlsKey,
              publicSshKey: Buffer.from(`${hostKey.trim()}\n`),
            },
            options,
          ),
        );
        return checkSshCertificate(readCerts(issued), {...request, cluster, hostKey});
      }),
    );
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

function absentIsFine(error: unknown): void {
  const notFound = 5;
  if (!(error instanceof Error && 'code' in error && error.code === notFound)) throw error;
}
