// Throw-away authorities and what they sign: for a rehearsal, and for trying a login on a configuration as it is. Nothing
// of it is ever trusted outside a private directory, or for longer than ten minutes.

import type {KeyObject} from 'node:crypto';
import type {Host} from '../host/host.js';
import {signCertificate} from '../ssh/certificate.js';
import {generateKey, opensshPrivateKey, publicBlob} from '../ssh/key.js';
import {acceptsLogin, type Client, type HandshakeResult} from './handshake.js';
import type {Put} from './stage.js';

export type KeyKind = Parameters<typeof generateKey>[0];

const VALID_SECONDS = 600n;

/**
 * Of a certificate that a host looks at whose clock is ahead by so many seconds, or behind: from now by our clock, as the
 * cluster dates what it signs. Who is behind refuses that; who is ahead does not, for those of the cluster hold for longer.
 */
export function validity(clockAhead = 0) {
  const now = BigInt(Math.floor(Date.now() / 1000));
  return {validAfter: now - 60n, validBefore: now + BigInt(Math.max(clockAhead, 0)) + VALID_SECONDS};
}

/** Of a host's own certificate: who looks at it elsewhere has the right time, and the client of a rehearsal that of the host. */
export function hostValidity(clockAhead = 0) {
  const {validAfter, validBefore} = validity(clockAhead);
  return {validAfter: validAfter + BigInt(Math.min(clockAhead, 0)), validBefore};
}

/** Whom the certificates of a rehearsal are for. */
export const VISITOR = {user: 'agentless-rehearsal', role: 'rehearsal'} as const;

/** A key and a certificate for one login after another, as a proxy would present them. */
export class Visitor {
  readonly #put: Put;
  readonly #authority: KeyObject;
  readonly #key: KeyObject;
  #identity: string | undefined;

  constructor(put: Put, authority: KeyObject, kind: KeyKind) {
    this.#put = put;
    this.#authority = authority;
    this.#key = generateKey(kind === 'ed25519' ? 'ed25519' : 'p256');
  }

  /** Logs in, runs `true` and leaves; `client.server` must trust the authority. */
  async tries(host: Host, client: Client, name: string, user: string): Promise<HandshakeResult> {
    this.#identity ??= await this.#put('login', await opensshPrivateKey(this.#key));
    await this.#put('login-cert.pub', `${this.#certificateFor(user, host.clockAhead)}\n`);
    return acceptsLogin(host, client, name, {user, identity: this.#identity});
  }

  #certificateFor(user: string, clockAhead: number | undefined): string {
    const principals = [user, '-teleport-internal-join'];
    const roles = JSON.stringify({version: 'v1', roles: [VISITOR.role]});
    const extensions = {'permit-pty': '', 'teleport-roles': roles};
    const key = publicBlob(this.#key);
    return signCertificate(
      {type: 'user', key, keyId: VISITOR.user, principals, extensions, ...validity(clockAhead)},
      this.#authority,
    );
  }
}
