// The conversation with Auth of a person or a bot, who may be allowed what no host may: tokens, and host certificates
// for any key and name.

import {isIP} from 'node:net';
import {Failure, type Secret} from '../errors.js';
import {AuthConnection, type SessionContext} from './auth-connection.js';
import {userWords} from './caller-words.js';
import {signersOf} from './certified.js';
import type {
  Certificates,
  HostCertificateRequest,
  MintedToken,
  Node,
  Operator,
  ProvisionToken,
  TokenWish,
  UserIdentity,
} from './cluster.js';
import {checkSshCertificate, ROLE, UNSPECIFIED} from './identity.js';
import {listNodes} from './node-pages.js';
import {grant, roleSeeingNodes} from './permissions.js';
import {AuthSession, codeOf, NOT_FOUND} from './session.js';
import {newTokenValue, readToken, tokenRecord} from './token-record.js';

const ALREADY_EXISTS = 6;

export class OperatorSession extends AuthSession implements Operator {
  readonly user: string;
  readonly #cluster: string;
  readonly #now: () => number;

  constructor(identity: UserIdentity, context: SessionContext) {
    super(identity, new AuthConnection(identity, context, userWords(identity.user)));
    this.user = identity.user;
    this.#cluster = identity.cluster;
    this.#now = context.now;
  }

  /** By GenerateHostCert: a host's own call is for hosts only. */
  override async certify(
    request: HostCertificateRequest,
    hostKeys: readonly string[],
  ): Promise<Certificates> {
    const [{active, additional}, principals] = await Promise.all([
      this.authority('host'),
      this.#withSeenAddress(request.additionalPrincipals),
    ]);
    const sshAuthorities = [...active, ...additional];
    const certificates = await Promise.all(
      hostKeys.map(async (hostKey) => {
        const wish = {hostId: request.nodeId, nodeName: request.nodeName, principals, role: ROLE};
        const key = Buffer.from(`${hostKey.trim()}\n`);
        const answer = await this.connection.call('sign a host certificate', ({trust}, options) =>
          trust.generateHostCert({...wish, key, clusterName: this.#cluster}, options),
        );
        const sshCertificate = Buffer.from(answer.sshCertificate).toString().trim();
        const expected = {...request, cluster: this.#cluster, hostKey};
        return checkSshCertificate({sshCertificate, sshAuthorities}, expected);
      }),
    );
    return {certificates, signers: {ssh: signersOf(certificates), tls: []}};
  }

  /** 0.0.0.0 becomes the address from which Auth sees this host, as a host's own call has it; here nobody else does that. */
  async #withSeenAddress(names: readonly string[]): Promise<string[]> {
    if (!names.includes(UNSPECIFIED)) return [...names];
    const {remoteAddr} = await this.connection.call('tell this host its address', ({auth}, options) =>
      auth.ping({}, options),
    );
    const [, seen = ''] = /^\[?([^[\]]+?)\]?:\d+$/.exec(remoteAddr) ?? [];
    return names.flatMap((name) => (name !== UNSPECIFIED ? [name] : isIP(seen) === 0 ? [] : [seen]));
  }

  override async node(id: string): Promise<Node | undefined> {
    const answer = await this.lookUp(id);
    if (answer !== 'hidden') return answer;
    throw new Failure('REQUEST_REFUSED', `the cluster shows ${this.user} no record of the node ${id}`, {
      hint: grant(this.user, roleSeeingNodes()),
    });
  }

  nodes(): Promise<readonly Node[]> {
    return listNodes(this.connection);
  }

  async tokens(): Promise<readonly ProvisionToken[]> {
    const {provisionTokens} = await this.connection.call('list tokens', ({auth}, options) =>
      auth.getTokens({}, options),
    );
    return provisionTokens.map(readToken);
  }

  async createToken(wish: TokenWish): Promise<MintedToken> {
    const value = newTokenValue();
    // A token that ends in the past by the cluster's clock is never found, and nobody says so.
    const expires = new Date(this.#now() + wish.ttlSeconds * 1000);
    const token = {case: 'v2', value: tokenRecord(value, wish, expires)} as const;
    await this.connection.call(
      'make a token',
      ({auth}, options) =>
        // A value of our own chance that exists already is our own, from an answer that was lost.
        auth.createTokenV2({token}, options).catch(unless(ALREADY_EXISTS)),
      hiding(value),
    );
    return {value, expires};
  }

  async removeToken(name: Secret): Promise<boolean> {
    const removed = await this.connection.call(
      'delete a token',
      ({auth}, options) => auth.deleteToken({name: name.reveal()}, options).catch(unless(NOT_FOUND)),
      hiding(name),
    );
    return removed !== undefined;
  }
}

const unless = (code: number) => (error: unknown) => {
  if (codeOf(error) !== code) throw error;
};

/** Auth repeats the names of tokens in its refusals. */
const hiding = (secret: Secret) => (text: string) => text.replaceAll(secret.reveal(), '[secret]');
