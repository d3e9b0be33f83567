// A node's own conversation with Auth. The connection is made by the first question, and made again when it was lost.

import {createPrivateKey} from 'node:crypto';
import {Failure} from '../errors.js';
import {formatAddress} from '../ssh/address.js';
import type {AuthClient, AuthServices} from './auth-client.js';
import {dialAuth} from './auth-dial.js';
import {readAuthority} from './authority.js';
import type {Authority, AuthorityType, HostCertificateRequest, Identity, Node, Session} from './cluster.js';
import {type Deadline, retry} from './deadline.js';
import {checkSshCertificate, ROLE, readCerts} from './identity.js';
import {publicPem} from './join-request.js';
import {NAMESPACE, nodeRecord, readNode} from './node-record.js';
import type {Route} from './open-tls.js';

export interface SessionContext {
  readonly route: Route;
  readonly userAgent: string;
  readonly newDeadline: () => Deadline;
}

type Call<T> = (services: AuthServices, options: {timeoutMs?: number}) => Promise<T>;

const LONGEST_DIAL = 15_000;
const PAGE = 500;
// A keyword is found anywhere in a node, so a short name can match very many.
const MOST_PAGES = 200;

export class AuthSession implements Session {
  readonly #identity: Identity;
  readonly #context: SessionContext;
  #client: Promise<AuthClient> | undefined;

  constructor(identity: Identity, context: SessionContext) {
    this.#identity = identity;
    this.#context = context;
  }

  async authority(type: AuthorityType): Promise<Authority> {
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
    const found = (await Promise.all(keywords.map((keyword) => this.#search(keyword)))).flat();
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

  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    client?.close();
  }

  async #search(keyword: string): Promise<readonly Node[]> {
    const nodes: Node[] = [];
    const query = {resourceType: 'node', namespace: NAMESPACE, limit: PAGE, searchKeywords: [keyword]};
    let startKey = '';
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const answer = await this.#call('list nodes', ({auth}, options) =>
        auth.listResources({...query, startKey}, options),
      );
      for (const {resource} of answer.resources)
        if (resource.case === 'node') nodes.push(readNode(resource.value));
      startKey = answer.nextKey;
      if (startKey === '') return nodes;
    }
    throw new Failure(
      'CLUSTER_REPLY_INVALID',
      `the cluster has no end of nodes that match ${JSON.stringify(keyword)}`,
    );
  }

  // Everything that is asked of Auth may be asked twice.
  async #call<T>(doing: string, call: Call<T>): Promise<T> {
    const deadline = this.#context.newDeadline();
    const context = {doing, where: formatAddress(this.#context.route.target)};
    return retry(deadline, async () => (await this.#connected(deadline)).call(context, deadline, call));
  }

  async #connected(deadline: Deadline): Promise<AuthClient> {
    const known = this.#client;
    if (known !== undefined && !(await known).closed) return known;
    // Another call may have begun to dial while this one waited.
    if (this.#client === known) this.#client = this.#dial(deadline);
    return await (this.#client ?? this.#connected(deadline));
  }

  #dial(deadline: Deadline): Promise<AuthClient> {
    const {route, userAgent} = this.#context;
    const dialled = deadline.within(LONGEST_DIAL, (signal) => dialAuth(route, this.#identity, signal));
    const client = Promise.all([dialled, import('./auth-client.js')]).then(
      ([socket, {AuthClient}]) => new AuthClient(socket, userAgent),
    );
    client.catch(() => {
      if (this.#client === client) this.#client = undefined;
    });
    return client;
  }
}

function absentIsFine(error: unknown): void {
  const notFound = 5;
  if (!(error instanceof Error && 'code' in error && error.code === notFound)) throw error;
}
