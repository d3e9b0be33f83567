// What a host gets when it asks with its own identity: a host certificate for each key, and with each of them a new
// certificate for itself, since Auth makes both or none.

import {createPrivateKey, createPublicKey} from 'node:crypto';
import {parseCertificate} from '../ssh/certificate.js';
import {formatPublicKey} from '../ssh/key.js';
import type {Certified, HostCertificateRequest, Identity} from './cluster.js';
import {checkSshCertificate, checkTlsIdentity, type Issued} from './identity.js';
import {signerOf} from './tls-certificate.js';

export interface Answer {
  /** authorized_keys line. */
  readonly hostKey: string;
  readonly issued: Issued;
}

/** Every answer is verified by itself: while a rotation changes its phase, some may be older than others. */
export function readCertified(
  identity: Identity,
  request: HostCertificateRequest,
  answers: readonly Answer[],
): Certified {
  const key = createPublicKey(createPrivateKey(identity.key.reveal()));
  const parts = answers.map(({hostKey, issued}) => {
    const expected = {...request, cluster: identity.cluster, hostKey};
    const line = checkSshCertificate(issued, expected);
    const {certificate, authorities} = checkTlsIdentity(issued, expected, key);
    return {line, certificate, authorities: authorities.map(String)};
  });
  const last = parts.at(-1);
  return {
    certificates: parts.map(({line}) => line),
    identity: last
      ? {
          ...identity,
          certificate: last.certificate,
          authorities: distinct([...last.authorities, ...parts.flatMap(({authorities}) => authorities)]),
        }
      : identity,
    signers: {
      ssh: signersOf(parts.map(({line}) => line)),
      tls: distinct(parts.flatMap(({certificate, authorities}) => signerOf(certificate, authorities) ?? [])),
    },
  };
}

/** authorized_keys lines of those who have signed these. */
export function signersOf(certificates: readonly string[]): readonly string[] {
  return distinct(certificates.map((line) => formatPublicKey(parseCertificate(line).authority)));
}

const distinct = (texts: readonly string[]): readonly string[] => [...new Set(texts)];
