// A node's own conversation with Auth: it may have its own keys certified, and its own credential with them.

import {createPrivateKey} from 'node:crypto';
import {AuthConnection, type SessionContext} from './auth-connection.js';
import {HOST_WORDS} from './caller-words.js';
import {readCertified} from './certified.js';
import type {Certified, HostCertificateRequest, Identity, HostSession as Port} from './cluster.js';
import {ROLE, readCerts} from './identity.js';
import {publicPem} from './join-request.js';
import {AuthSession} from './session.js';

export class HostSession extends AuthSession implements Port {
  readonly #identity: Identity;

  constructor(identity: Identity, context: SessionContext) {
    super(identity, new AuthConnection(identity, context, HOST_WORDS));
    this.#identity = identity;
  }

  async certify(request: HostCertificateRequest, hostKeys: readonly string[]): Promise<Certified> {
    // Auth wants a TLS key each time, and certifies it too.
    const publicTlsKey = Buffer.from(publicPem(createPrivateKey(this.#identity.key.reveal())));
    const answers = await Promise.all(
      hostKeys.map(async (hostKey) => {
        const issued = await this.connection.call('sign a host certificate', ({auth}, options) =>
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
        return {hostKey, issued: readCerts(issued)};
      }),
    );
    return readCertified(this.#identity, request, answers);
  }
}
