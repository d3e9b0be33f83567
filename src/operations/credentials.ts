// What the cluster gives a host that joins: its identity at Auth, a certificate for each host key, the keys that sign
// users. Nothing is on disk yet when this returns. What comes after the join is in refresh.ts.

import type {Authority, Cluster, Operator} from '../cluster/cluster.js';
import type {Proof} from '../cluster/proof.js';
import {Failure, type Secret} from '../errors.js';
import type {HostKey} from '../host/facts.js';
import {parseCertificate} from '../ssh/certificate.js';
import {formatPublicKey} from '../ssh/key.js';
import type {HostSpeaker, Speaker} from './speaker.js';

export type Credentials = Speaker & Signed;

interface Signed {
  /** "type base64" of the certificate by host key file. */
  readonly certificates: ReadonlyMap<string, string>;
  /** Keys of the OpenSSH authority, active first. */
  readonly userAuthorities: readonly string[];
  /** Keys of the host authority that signed, for people to compare. */
  readonly signer: string;
  /** Why something was signed again, a line each; empty when everything on the host was still right. */
  readonly renewed: readonly string[];
}

export interface Wanted {
  readonly nodeId: string;
  readonly nodeName: string;
  readonly additionalPrincipals: readonly string[];
  /** Names the certificates must carry. */
  readonly names: readonly string[];
  readonly keys: readonly HostKey[];
}

/** What gives a host the right to join by itself. */
export interface Right {
  readonly token: Secret;
  readonly proof: Proof;
}

/** Spends the token. What comes back besides is the certificate of the first key. */
export async function enter(
  cluster: Cluster,
  right: Right,
  {keys, nodeId, nodeName, additionalPrincipals}: Wanted,
): Promise<HostSpeaker & {readonly certificate: string}> {
  const [first] = keys;
  if (first === undefined) throw noKey();
  const hostKey = formatPublicKey(first.blob);
  const request = {nodeId, nodeName, additionalPrincipals};
  const {identity, certificate} = await cluster.join({...request, ...right, hostKey});
  return {session: cluster.as(identity), identity, certificate};
}

/** First join: spends the token. */
export async function obtain(cluster: Cluster, right: Right, wanted: Wanted): Promise<Credentials> {
  const {session, certificate, ...entered} = await enter(cluster, right, wanted);
  const [authority, {certificates, identity}] = await Promise.all([
    session.authority('openssh'),
    session.certify(wanted, hostKeysOf(wanted).slice(1)),
  ]);
  // Without a further key Auth has signed nothing.
  return {...entered, session, identity, ...signed(wanted, [certificate, ...certificates], authority)};
}

/** First join without a token: a person or a bot has the keys of this host certified. */
export async function obtainBy(operator: Operator, wanted: Wanted): Promise<Credentials> {
  if (wanted.keys.length === 0) throw noKey();
  const [authority, {certificates}] = await Promise.all([
    operator.authority('openssh'),
    operator.certify(wanted, hostKeysOf(wanted)),
  ]);
  return {session: operator, ...signed(wanted, certificates, authority)};
}

const hostKeysOf = ({keys}: Wanted) => keys.map((key) => formatPublicKey(key.blob));

function signed({keys}: Wanted, lines: readonly string[], {active, additional}: Authority): Signed {
  const certificates = keys.map((key, index) => [key.file, parseCertificate(lines[index] ?? '')] as const);
  const [[, first] = []] = certificates;
  return {
    certificates: new Map(certificates.map(([file, {line}]) => [file, line])),
    userAuthorities: [...active, ...additional],
    signer: first === undefined ? '' : formatPublicKey(first.authority),
    renewed: [],
  };
}

function noKey(): Failure {
  return new Failure('HOST_UNSUITABLE', 'there is no host key to certify', {
    hint: 'make host keys with `ssh-keygen -A`, and restart sshd',
  });
}
