// A certificate authority of the cluster, as the trust service tells it.

import {Failure} from '../errors.js';
import {formatPublicKey, parsePublicKey} from '../ssh/key.js';
import {SshFormatError} from '../ssh/wire.js';
import {hintFor} from './clock-hint.js';
import type {Authority, AuthorityType} from './cluster.js';
import type {CAKeySet, CertAuthorityV2} from './gen/types_pb.js';
import {checkTlsAuthorities} from './identity.js';
import {oneLine} from './one-line.js';
import {readRotation} from './rotation.js';

/** CLUSTER_REPLY_INVALID when it is another authority than was asked for, or has no key that can be read and used. */
export function readAuthority(answer: CertAuthorityV2, type: AuthorityType, cluster: string): Authority {
  const {spec} = answer;
  if (spec?.type !== type || spec.clusterName !== cluster) {
    const received = `${spec?.type ?? 'no'} authority of ${JSON.stringify(spec?.clusterName)}`;
    throw invalid(`asked for the ${type} authority of ${cluster}, it answered with the ${received}`);
  }
  const [active, additional] = [keys(spec.activeKeys), keys(spec.additionalTrustedKeys)];
  if (active.length === 0) throw invalid(`its ${type} authority has no active key`);
  const rotation = readRotation(spec.rotation);
  if (rotation === undefined) {
    const phase = JSON.stringify(oneLine(spec.rotation?.phase ?? '', 40));
    throw invalid(`its ${type} authority is in a phase of rotation that is not known, ${phase}`);
  }
  const tls =
    type === 'host'
      ? {
          active: checkTlsAuthorities(certificates(spec.activeKeys), cluster).map(String),
          additional: additionalCertificates(spec.additionalTrustedKeys, cluster),
        }
      : {active: [], additional: []};
  return {active, additional, tls, rotation};
}

function keys(set: CAKeySet | undefined): readonly string[] {
  try {
    return (set?.ssh ?? []).map(({publicKey}) =>
      formatPublicKey(parsePublicKey(Buffer.from(publicKey).toString()).blob),
    );
  } catch (error) {
    if (error instanceof SshFormatError)
      throw invalid(`a key of an authority cannot be read: ${error.message}`);
    throw error;
  }
}

function additionalCertificates(set: CAKeySet | undefined, cluster: string): readonly string[] {
  const texts = certificates(set);
  return texts.length === 0 ? [] : checkTlsAuthorities(texts, cluster).map(String);
}

const certificates = (set: CAKeySet | undefined) =>
  (set?.tls ?? []).map(({cert}) => Buffer.from(cert).toString());

function invalid(problem: string): Failure {
  return new Failure('CLUSTER_REPLY_INVALID', `the answer of the cluster is not right: ${problem}`, {
    hint: hintFor(problem),
  });
}
