// The node record of this host.

import type {Cluster, Node} from '../cluster/cluster.js';
import {seenAddress, UNSPECIFIED} from '../cluster/identity.js';
import {Failure} from '../errors.js';
import {addressKind, formatAddress} from '../ssh/address.js';
import {parseCertificate} from '../ssh/certificate.js';
import type {Credentials} from './credentials.js';
import type {Scene} from './scene.js';

export interface NodeFields {
  readonly nodeId: string;
  readonly hostname: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

export function nodeOf({nodeId, hostname, address, labels}: NodeFields): Node {
  return {id: nodeId, hostname, address, labels, subKind: 'openssh'};
}

/** A record that ends when it is not renewed in time; reckoned by the cluster's clock, which deletes what is over. */
export async function withExpiry(
  node: Node,
  seconds: number | undefined,
  cluster: Pick<Cluster, 'now'>,
): Promise<Node> {
  if (seconds === undefined) return node;
  return {...node, expires: new Date((await cluster.now()).getTime() + seconds * 1000)};
}

/** The address asked for, else the one the cluster has seen us from (it wrote that into the certificate). */
export function settleAddress(address: string | undefined, credentials: Credentials, scene: Scene): string {
  if (address !== undefined) return address;
  const [certificate] = credentials.certificates.values();
  const host =
    certificate === undefined
      ? undefined
      : (seenAddress(certificate, scene.names) ?? loopback(certificate, scene.names));
  if (host === undefined) {
    throw new Failure('USAGE', 'the cluster did not say which address it sees this host at', {
      hint: `give it: --address HOST:${scene.facts.port}`,
    });
  }
  return formatAddress({host, port: scene.facts.port});
}

/**
 * Every certificate names loopback, so a cluster on this very machine adds nothing: what it was asked to replace is gone
 * all the same. Where addresses were asked for by name it may as well have seen one of those.
 */
function loopback(certificate: string, names: readonly string[]): string | undefined {
  const replaced = !parseCertificate(certificate).principals.includes(UNSPECIFIED);
  return replaced && names.every((name) => addressKind(name) === 'name') ? '127.0.0.1' : undefined;
}
