// What a host tells when it asks to join, by whichever endpoint, and what of it must not be told to anybody else.

import {Failure, type Secret} from '../errors.js';
import type {JoinRequest} from './cluster.js';
import type {Proof} from './proof.js';

export interface JoinFields {
  readonly hostId: string;
  readonly nodeName: string;
  readonly token: Secret;
  readonly additionalPrincipals: string[];
  /** PEM. */
  readonly publicTlsKey: Uint8Array;
  /** authorized_keys line. */
  readonly publicSshKey: Uint8Array;
}

export function joinFields(request: JoinRequest, publicTlsKey: string): JoinFields {
  return {
    hostId: request.nodeId,
    nodeName: request.nodeName,
    token: request.token,
    additionalPrincipals: [...request.additionalPrincipals],
    publicTlsKey: Buffer.from(publicTlsKey),
    publicSshKey: Buffer.from(`${request.hostKey.trim()}\n`),
  };
}

/** Takes the secrets out of a server's words, which end up in errors: a server may repeat what it was sent. */
export function hider({token}: Pick<JoinFields, 'token'>, proof: Proof): (text: string) => string {
  const {secretAccessKey, sessionToken} = proof.method === 'iam' ? proof.credentials : {};
  const document = proof.method === 'ec2' ? proof.document : undefined;
  const secrets = [token, secretAccessKey, sessionToken, document].flatMap((secret) => {
    const plain = secret?.reveal() ?? '';
    return plain === '' ? [] : [JSON.stringify(plain).slice(1, -1), plain];
  });
  return (text) =>
    secrets
      .reduce((shown, secret) => shown.replaceAll(secret, '[secret]'), text)
      .replace(/Signature=[0-9a-f]+/gi, 'Signature=[secret]');
}

export function notAJoin(): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', 'the cluster accepted the join, but sent no certificates', {
    hint: 'nothing has been changed; is something standing between this host and the cluster?',
  });
}
